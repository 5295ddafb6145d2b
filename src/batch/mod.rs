//! Batches: request bodies cut to the receiver's limits, each with what is needed to deliver it,
//! and what can be done with them afterwards.

mod assembler;
mod pack;
mod rework;
mod schedule;
mod snappy;

pub use assembler::Assembler;
pub use pack::Packer;
pub use rework::{explain, halve, merge, prune};
