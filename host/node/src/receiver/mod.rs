//! Takes OTLP metrics over HTTP and gRPC, and answers as the OTLP specification asks.
//!
//! A receiver unpacks a request down to the payload and gives that to [`Intake`], without looking
//! into it.
//!
//! [`Intake`]: crate::intake::Intake

mod answer;
mod arriving;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod senders;

use crate::intake::Intake;
use senders::Senders;
use std::sync::Arc;
use std::time::Duration;

/// What a receiver takes, and where it goes.
pub(crate) struct Entrance {
    /// Where payloads go.
    pub(crate) intake: Arc<Intake>,
    /// The largest request, in bytes, before and after decompression.
    pub(crate) request_bytes_max: usize,
    /// How long a request may take to arrive, if there is a limit.
    pub(crate) read_timeout: Option<Duration>,
    /// Who may send, if not everybody.
    pub(crate) senders: Option<Arc<Senders>>,
}
