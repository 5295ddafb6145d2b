//! What an outcome is called in the answers of both protocols (OTLP specification, "OTLP/gRPC
//! Response" and "OTLP/HTTP Response").

use super::message::{
    Any, ExportMetricsPartialSuccess, ExportMetricsServiceResponse, RETRY_INFO_TYPE, Status,
};
use crate::intake::{PayloadOutcome, RequestOutcome};
use preamp_contract::Refusal;
use preamp_wasm::CallError;
use std::time::Duration;
use tonic::Code;

/// How long a client shall wait before it tries again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Nothing of a request was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What kind of failure. Clients repeat a request only for some codes.
    pub(super) code: Code,
    /// What is wrong, and what helps.
    pub(super) message: String,
    /// When to try again; `None` if that cannot help.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that trying again cannot help.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), retry_after: None }
    }

    /// A request of more bytes than are taken.
    pub(super) fn too_large(limit: u64) -> Failure {
        let message = format!(
            "more than {limit} bytes after decompression: send fewer data points in one request, \
             or raise the receiver's limit (max_request_body_size, max_recv_msg_size_mib)"
        );
        Failure::new(Code::ResourceExhausted, message)
    }

    /// A failure that may be over soon.
    pub(super) fn busy(reason: String) -> Failure {
        Failure { code: Code::Unavailable, message: reason, retry_after: Some(RETRY_AFTER) }
    }

    /// A request that did not arrive in time.
    pub(super) fn late(time: Duration) -> Failure {
        let message = format!(
            "the request did not arrive within {time:?}: send it faster, or less at once, or raise the receiver's \
             read_timeout"
        );
        Failure::new(Code::DeadlineExceeded, message)
    }

    /// What it counts as where the request did not become a payload.
    pub(super) fn outcome(&self) -> RequestOutcome {
        if self.retry_after.is_some() { RequestOutcome::Refused } else { RequestOutcome::Failure }
    }

    /// The failure as `google.rpc.Status` in JSON.
    pub(super) fn json_status(&self) -> serde_json::Value {
        let retry_info = |after: Duration| {
            serde_json::json!({
                "@type": RETRY_INFO_TYPE,
                // The JSON mapping of protobuf writes durations in seconds.
                "retryDelay": format!("{}s", after.as_secs_f64()),
            })
        };
        let details: Vec<_> = self.retry_after.map(retry_info).into_iter().collect();
        serde_json::json!({"code": self.code as i32, "message": self.message, "details": details})
    }

    /// The failure as `google.rpc.Status`.
    pub(super) fn status(&self) -> Status {
        Status {
            code: self.code as i32,
            message: self.message.clone(),
            details: self.retry_after.map(Any::retry_info).into_iter().collect(),
        }
    }
}

/// The answer that an outcome calls for.
pub(super) fn answer(outcome: PayloadOutcome) -> Result<ExportMetricsServiceResponse, Failure> {
    match outcome {
        PayloadOutcome::Accepted => Ok(ExportMetricsServiceResponse { partial_success: None }),
        PayloadOutcome::Partial { rejected_points, message } => Ok(ExportMetricsServiceResponse {
            partial_success: Some(ExportMetricsPartialSuccess {
                rejected_data_points: i64::try_from(rejected_points).unwrap_or(i64::MAX),
                error_message: message,
            }),
        }),
        PayloadOutcome::Refused(refusal) => Err(refused(&refusal)),
        PayloadOutcome::Oversized(reason) => Err(Failure::new(Code::ResourceExhausted, reason)),
        PayloadOutcome::Busy(reason) => Err(Failure::busy(reason)),
        PayloadOutcome::Failed(error) => Err(failed(&error)),
    }
}

fn refused(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::TooLarge(limit) => Failure::too_large(*limit),
        Refusal::Malformed(_) | Refusal::WrongSignal(_) => {
            Failure::new(Code::InvalidArgument, refusal.to_string())
        }
        Refusal::ExpandsTooFar(_) => Failure::new(Code::ResourceExhausted, refusal.to_string()),
    }
}

fn failed(error: &CallError) -> Failure {
    match error {
        // A payload that takes too much memory takes it again when it is repeated.
        CallError::OutOfMemory { .. } | CallError::ResultTooLarge { .. } => {
            Failure::new(Code::ResourceExhausted, error.to_string())
        }
        CallError::Trapped(_) => Failure::new(Code::Internal, error.to_string()),
        CallError::Unavailable(_) => Failure::busy(error.to_string()),
    }
}
