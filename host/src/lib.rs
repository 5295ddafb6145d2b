//! Gives the preamp component what a sandbox lacks: receivers, HTTP, a clock, credentials, queues.

pub mod clock;
pub mod component;
pub mod config;
pub mod credentials;
pub mod metrics;
pub mod queue;
