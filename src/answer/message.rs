//! The messages that answers consist of. They are written only, never read.

use std::time::Duration;

/// `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExportMetricsServiceResponse {
    /// Absent if all points were taken.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<ExportMetricsPartialSuccess>,
}

/// `opentelemetry.proto.collector.metrics.v1.ExportMetricsPartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExportMetricsPartialSuccess {
    /// How many points were not taken.
    #[prost(int64, tag = "1")]
    pub rejected_data_points: i64,
    /// Why, and what helps.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// See [`Code`](crate::Code).
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// What is wrong, and what helps.
    #[prost(string, tag = "2")]
    pub message: String,
    /// A `google.rpc.RetryInfo` if the request may be sent again.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Any {
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
pub(crate) const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl Any {
    /// A `RetryInfo`: without one, clients take some failures for final.
    pub(crate) fn retry_info(after: Duration) -> Any {
        let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
        // Fewer than 10^9 nanoseconds always fit.
        let delay = Delay { seconds, nanos: after.subsec_nanos() as i32 };
        let value = prost::Message::encode_to_vec(&RetryInfo { retry_delay: Some(delay) });
        Any { type_url: RETRY_INFO_TYPE.to_owned(), value }
    }
}
