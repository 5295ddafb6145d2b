//! Gives the preamp component what a sandbox lacks: receivers, HTTP, a clock, credentials, queues. For programs that
//! embed it; `preamp` itself is one of them.
//!
//! ```text
//! receiver ─▶ intake ─▶ component (accept) ─▶ queue ─▶ delivery ◀─▶ component (sign, judge, …)
//! ```
//!
//! A [`Node`](node::Node) is the process, and holds [exporters](exporter::Exporter), one for each destination. With the
//! feature `receivers`, `service` makes both of a configuration file and listens for OTLP. The features `aws` and `nats`
//! add AWS' ways to find credentials, and the queue that processes share.
//! Nothing here reads an OTLP field or knows a rule of Prometheus: that is what
//! the component is for.

pub mod causes;
pub mod credentials;
pub mod debug;
pub mod delivery;
pub mod exporter;
pub mod intake;
pub mod losses;
pub mod memory_budget;
pub mod metrics;
#[cfg(feature = "nats")]
pub mod nats;
pub mod node;
pub mod processors;
#[cfg(feature = "receivers")]
pub mod receiver;
pub mod receiver_clock;
mod secret_file;
#[cfg(feature = "receivers")]
mod server;
#[cfg(feature = "receivers")]
pub mod service;
mod state;
pub mod state_file;
#[cfg(feature = "receivers")]
pub mod status_file;
pub mod tls;
mod words;
