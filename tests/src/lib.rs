//! What the tests and the benchmark share.

pub mod corpus;
pub mod payloads;
