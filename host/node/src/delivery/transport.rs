//! What takes requests to the receiver.

use bytes::Bytes;
use preamp_contract::{Request, Response};
use preamp_queue::Pending;
use std::time::Duration;

/// Sends requests, over HTTP or in a simulation.
pub trait Transport: Send + Sync {
    /// How long an attempt takes at most.
    fn timeout(&self) -> Duration;

    /// Sends `body` with the head that the component made. Never fails: without an answer the status is 0 and the
    /// body says why, as the contract has it.
    fn send(&self, head: Request, body: Bytes) -> Pending<'_, Response>;
}
