//! The same answers in the JSON mapping of protobuf. Structs rather than values: those can hold floating-point numbers, and
//! what writes them would be 12 KB of the component.

use crate::Failure;
use crate::message::{ExportMetricsServiceResponse, RETRY_INFO_TYPE};
use serde::Serialize;
use std::time::Duration;

/// Writes an answer.
pub(crate) fn body(answer: &impl Serialize) -> Vec<u8> {
    // Texts and integers can always be written.
    serde_json::to_vec(answer).unwrap_or_default()
}

/// An `ExportMetricsServiceResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_success: Option<PartialSuccess<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialSuccess<'a> {
    /// The mapping writes 64-bit integers as texts.
    rejected_data_points: String,
    error_message: &'a str,
}

impl<'a> Response<'a> {
    pub(crate) fn of(response: &'a ExportMetricsServiceResponse) -> Self {
        let partial_success = response.partial_success.as_ref().map(|partial| PartialSuccess {
            rejected_data_points: partial.rejected_data_points.to_string(),
            error_message: &partial.error_message,
        });
        Response { partial_success }
    }
}

/// A `google.rpc.Status`.
#[derive(Serialize)]
pub(crate) struct Status<'a> {
    code: i32,
    message: &'a str,
    details: Vec<RetryInfo>,
}

/// A `google.rpc.RetryInfo`, as a detail of a status.
#[derive(Serialize)]
struct RetryInfo {
    #[serde(rename = "@type")]
    kind: &'static str,
    /// The mapping writes durations in seconds.
    #[serde(rename = "retryDelay")]
    retry_delay: String,
}

impl<'a> Status<'a> {
    pub(crate) fn of(failure: &'a Failure) -> Self {
        let retry_info = |after: Duration| RetryInfo {
            kind: RETRY_INFO_TYPE,
            retry_delay: format!("{}s", after.as_secs_f64()),
        };
        let details = failure.retry_after.map(retry_info).into_iter().collect();
        Status { code: failure.code as i32, message: &failure.message, details }
    }
}
