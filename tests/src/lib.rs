//! What the tests and the benchmark share.

pub mod canonical;
pub mod certificates;
pub mod children;
pub mod component;
pub mod corpus;
pub mod differential;
pub mod issuer;
pub mod loads;
pub mod loopback;
pub mod moto;
pub mod oracle;
pub mod otlp_json;
pub mod payloads;
pub mod preamp_command;
pub mod prometheus;
pub mod promql;
pub mod queue;
pub mod recorder;
pub mod remote_write;
pub mod running;
pub mod sink;
pub mod tls_front;
pub mod transcript;
pub mod vectors;
