//! The preamp component as the host sees it: the only place that knows wasmtime.
//!
//! The records and variants of the contract are re-exported here; their meaning is documented in
//! `wit/exporter.wit`.

mod bindings;
mod signing_key;

pub use bindings::exports::preamp::exporter::remote_write::{
    Acceptance, Batch, BatchError, Encoding, Explanation, Header, Problem, Protocol, Pruned, Refusal, Rejection,
    Request, Response, Retry, SignError, Verdict,
};
pub use signing_key::SigningKey;
