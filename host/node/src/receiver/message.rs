//! The messages that receivers write. They read none.

use std::time::Duration;

/// `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportMetricsServiceResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<ExportMetricsPartialSuccess>,
}

impl ExportMetricsServiceResponse {
    /// The response in OTLP/JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        match &self.partial_success {
            None => serde_json::json!({}),
            // The JSON mapping of protobuf writes 64-bit integers as strings.
            Some(partial) => serde_json::json!({"partialSuccess": {
                "rejectedDataPoints": partial.rejected_data_points.to_string(),
                "errorMessage": partial.error_message,
            }}),
        }
    }
}

/// `opentelemetry.proto.collector.metrics.v1.ExportMetricsPartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportMetricsPartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_data_points: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// How `google.rpc.RetryInfo` is told from other details.
pub(super) const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl Any {
    /// A `RetryInfo`: without one, clients take some failures for final.
    pub(super) fn retry_info(after: Duration) -> Any {
        let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
        // Fewer than 10^9 nanoseconds always fit.
        let delay = Delay { seconds, nanos: after.subsec_nanos() as i32 };
        let value = prost::Message::encode_to_vec(&RetryInfo { retry_delay: Some(delay) });
        Any { type_url: RETRY_INFO_TYPE.to_owned(), value }
    }
}
