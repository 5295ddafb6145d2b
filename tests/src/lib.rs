//! What the tests and the benchmark share.

pub mod children;
pub mod component;
pub mod corpus;
pub mod loopback;
pub mod payloads;
pub mod prometheus;
pub mod promql;
pub mod remote_write;
pub mod transcript;
