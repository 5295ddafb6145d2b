//! Gives the preamp component what a sandbox lacks: receivers, HTTP, a clock, credentials, queues.

pub mod component;
pub mod config;
