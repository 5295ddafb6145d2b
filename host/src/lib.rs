//! Gives the preamp component what a sandbox lacks: receivers, HTTP, a clock, credentials, queues.
//!
//! ```text
//! receiver ─▶ intake ─▶ component (accept) ─▶ queue ─▶ delivery ◀─▶ component (sign, judge, …)
//! ```
//!
//! [`component`] alone knows WebAssembly, [`config`] alone knows the configuration file, and
//! [`service`] puts all parts together. Nothing here reads an OTLP field or knows a rule of
//! Prometheus: that is what the component is for.

pub mod capture;
mod causes;
pub mod check;
pub mod clock;
pub mod component;
pub mod config;
pub mod credentials;
pub mod delivery;
pub mod demo;
pub mod files;
pub mod intake;
pub mod metrics;
mod notices;
pub mod printable;
pub mod processors;
pub mod queue;
pub mod receiver;
pub mod service;
pub mod state_file;
pub mod telemetry;
pub mod tls;
