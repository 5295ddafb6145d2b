//! OTLP metrics in, signed Prometheus remote-write requests out: the rules of OTLP, Prometheus and
//! AWS Signature Version 4 as pure functions.
//!
//! Nothing here opens a socket or a file, starts a thread, reads a clock, the environment or a
//! random number; time and keys are arguments. The same source builds as this library and as the
//! WebAssembly component whose contract stands in `wit/exporter.wit`.
//!
//! The modules follow the flow, and each uses only those before it:
//!
//! ```text
//! otlp (decode) ─▶ accumulate (deltas) ─▶ translate ─▶ remote_write (encode)
//!     ─▶ batch (cut, compress, merge, halve, prune) ─▶ sigv4 (sign) ─▶ judge
//! ```
//!
//! [`Exporter`] strings them together, one method for each function of the contract.

pub mod accumulate;
pub mod batch;
pub mod config;
mod exporter;
pub mod judge;
pub mod otlp;
pub mod passage;
pub mod remote_write;
pub mod sigv4;
pub mod translate;
pub use preamp_contract as types;

#[cfg(feature = "component")]
mod component;
#[cfg(test)]
mod tests;

pub use exporter::Exporter;
