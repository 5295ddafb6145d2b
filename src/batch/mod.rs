//! Batches: request bodies cut to the receiver's limits, each with what is needed to deliver it,
//! and what can be done with them afterwards.

mod assembler;
mod downgrade;
mod encoder;
mod merge;
mod opened;
mod pack;
mod rework;
mod schedule;
mod snappy;

pub use assembler::Assembler;
pub use downgrade::downgrade;
pub use merge::merge;
pub use pack::Packer;
pub use rework::{explain, halve, inspect, prune};
