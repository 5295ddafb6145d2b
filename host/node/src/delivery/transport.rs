//! What takes requests to the receiver.

use bytes::Bytes;
use preamp_contract::{Request, Response};
use preamp_deliver::Arrival;
use preamp_queue::Pending;
use std::time::Duration;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The answer. Without one the status is 0 and the body says why, as the contract has it.
    pub response: Response,
    /// Whether the receiver may have stored something without saying so.
    pub arrival: Arrival,
}

impl Exchange {
    /// An answer came.
    #[must_use]
    pub fn answered(response: Response) -> Self {
        Exchange { arrival: Arrival::of_status(response.status), response }
    }

    /// No answer came, for this reason, and the request may have arrived.
    #[must_use]
    pub fn unanswered(reason: impl Into<String>) -> Self {
        Exchange { response: no_answer(reason.into()), arrival: Arrival::Possible }
    }

    /// The request was never written, for this reason: there was no connection.
    #[must_use]
    pub fn not_sent(reason: impl Into<String>) -> Self {
        Exchange { response: no_answer(reason.into()), arrival: Arrival::Settled }
    }
}

fn no_answer(reason: String) -> Response {
    Response { status: 0, headers: Vec::new(), body: reason.into_bytes() }
}

/// Sends requests, over HTTP or in a simulation.
pub trait Transport: Send + Sync {
    /// How long an attempt takes at most.
    fn timeout(&self) -> Duration;

    /// Sends `body` with the head that the component made. Never fails: the exchange says what went wrong.
    fn send(&self, head: Request, body: Bytes) -> Pending<'_, Exchange>;
}
