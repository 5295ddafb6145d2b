//! Takes OTLP metrics over HTTP and gRPC, and answers as the OTLP specification asks.
//!
//! A receiver unpacks a request down to the payload and gives that to [`Intake`], without looking
//! into it.
//!
//! [`Intake`]: crate::intake::Intake

mod answer;
mod arriving;
mod compression;
pub(crate) mod grpc;
pub(crate) mod http;
mod message;
