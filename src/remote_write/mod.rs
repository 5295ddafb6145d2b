//! The bytes of remote write: what a series looks like on the wire.
//! (Prometheus remote-write specifications 1.0 and 2.0.)

pub mod buffer;
pub mod explain;
pub mod frames;
pub mod inspect;
mod label;
pub mod message;
mod native;
mod places;
pub mod rewrite;
mod sample;
mod template;
pub mod v1;
pub mod v2;
