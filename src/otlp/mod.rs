//! OTLP metrics as they lie in the payload: field numbers and borrowed views, no messages built.
//! (opentelemetry-proto, `metrics/v1/metrics.proto` and `common/v1/common.proto`.)

pub mod exemplar;
pub mod exponential;
pub mod json;
pub mod metric;
pub mod point;
pub mod value;
pub mod wire;
