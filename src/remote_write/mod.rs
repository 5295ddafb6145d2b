//! The bytes of remote write: what a series looks like on the wire.
//! (Prometheus remote-write specification 1.0.)

pub mod buffer;
pub mod explain;
pub mod frames;
mod label;
pub mod message;
mod native;
mod template;
pub mod v1;
