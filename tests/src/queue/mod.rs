//! What the tests of the queue on disk share: a disk that fails as real ones do, and an oracle.

mod batches;
mod disk;
mod oracle;
pub mod script;

pub use batches::{batch, number_of};
pub use disk::{Fault, Operation, SimulatedDisk};
pub use oracle::{Oracle, Waiting};
