//! The preamp component as the host sees it: the only place that knows wasmtime.
//!
//! [`load`] gives the component that was built into this program, and [`Exporters`] is a pool of
//! instances of it with one configuration. The records and variants of the contract are re-exported
//! here; their meaning is documented in `wit/exporter.wit`.

mod bindings;
mod digest;
mod echo;
mod embedded;
pub mod engine;
mod error;
mod exporters;
mod file;
mod in_use;
mod instance;
mod keeper;
mod limits;
mod pool;
mod signing_key;

pub use bindings::exports::preamp::exporter::remote_write::{
    Acceptance, Batch, BatchError, Encoding, Explanation, Header, Problem, Protocol, Pruned, Refusal,
    Rejection, Request, Response, Retry, Sent, SignError, Verdict,
};
pub use embedded::load;
pub use error::{CallError, LoadError, OpenError};
pub use exporters::Exporters;
pub use file::load_file;
pub use in_use::{Accepting, InUse};
pub use limits::{PoolLimits, PoolStats};
pub use signing_key::SigningKey;
pub use wasmtime::component::Component;
