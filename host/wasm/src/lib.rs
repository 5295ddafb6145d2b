//! The preamp component in wasmtime: the only crate that knows it.
//!
//! [`compile`], [`load`] and [`load_file`] make a [`Component`], and [`ExporterPool`] is a pool of instances of it with one
//! configuration. It takes and gives the types of `preamp-contract`.

mod bindings;
mod convert;
mod echo;
pub mod engine;
mod error;
mod exporters;
mod in_use;
mod instance;
mod keeper;
mod limits;
mod load;
mod pool;

pub use error::{CallError, LoadError, OpenError};
pub use exporters::ExporterPool;
pub use in_use::{Accepting, InUse};
pub use instance::describe;
pub use limits::{PoolLimits, PoolStats};
pub use load::{compile, load, load_file};
pub use wasmtime::component::Component;
