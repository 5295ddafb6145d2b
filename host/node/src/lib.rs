//! Gives the preamp component what a sandbox lacks: receivers, HTTP, a clock, credentials, queues. For programs that
//! embed it; `preamp` itself is one of them.
//!
//! ```text
//! receiver ─▶ intake ─▶ component (accept) ─▶ queue ─▶ delivery ◀─▶ component (sign, judge, …)
//! ```
//!
//! [`service`] puts all parts together. Nothing here reads an OTLP field or knows a rule of Prometheus: that is what
//! the component is for.

pub mod causes;
pub mod credentials;
pub mod delivery;
pub mod intake;
pub mod metrics;
pub mod nats;
pub mod processors;
pub mod receiver;
pub mod receiver_clock;
mod secret_file;
mod server;
pub mod service;
pub mod state_file;
pub mod tls;
