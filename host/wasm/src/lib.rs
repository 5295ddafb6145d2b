//! The preamp component in wasmtime: the only crate that knows it.
//!
//! [`compile`], [`load`] and [`load_file`] make a [`Component`], and [`ExporterPool`] is a pool of instances of it with one
//! configuration. It takes and gives the types of `preamp-contract`.

mod active_exporter;
mod bindings;
mod convert;
mod counters;
mod echo;
pub mod engine;
mod error;
mod exporters;

mod instance;
mod limits;
mod load;
mod pool;
mod stateful;

pub use active_exporter::{Accepting, ActiveExporter};
pub use error::{CallError, LoadError, OpenError};
pub use exporters::ExporterPool;
pub use instance::describe;
pub use limits::{PoolLimits, PoolStats};
pub use load::{compile, load, load_file};
pub use wasmtime::component::Component;
