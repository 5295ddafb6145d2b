//! Takes OTLP metrics over HTTP and gRPC, and answers as the OTLP specification asks.
//!
//! A receiver unpacks a request down to the payload and gives that to [`Intake`], without looking
//! into it.
//!
//! [`Intake`]: crate::intake::Intake

mod answer;
mod compression;
pub mod grpc;
pub mod http;
pub(crate) mod listener;
mod message;

use std::time::Duration;

/// How long a request may take to arrive, once its head is there.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
