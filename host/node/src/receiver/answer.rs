//! What an outcome is called in the answers of both protocols.

use crate::intake::{PayloadOutcome, RequestOutcome};
use preamp_answer::{Code, ExportMetricsServiceResponse, Failure};
use preamp_contract::Refusal;
use preamp_wasm::CallError;
use std::time::Duration;

/// A request of more bytes than are taken.
pub(super) fn too_large(limit: u64) -> Failure {
    let message = format!(
        "more than {limit} bytes after decompression: send fewer data points in one request, \
         or raise the receiver's limit (max_request_body_size, max_recv_msg_size_mib)"
    );
    Failure::new(Code::ResourceExhausted, message)
}

/// A request that did not arrive in time.
pub(super) fn late(time: Duration) -> Failure {
    let message = format!(
        "the request did not arrive within {time:?}: send it faster, or less at once, or raise the receiver's \
         read_timeout"
    );
    Failure::new(Code::DeadlineExceeded, message)
}

/// What a failure counts as where the request did not become a payload.
pub(super) fn outcome_of(failure: &Failure) -> RequestOutcome {
    if failure.retry_after.is_some() { RequestOutcome::Refused } else { RequestOutcome::Failure }
}

/// The answer that an outcome calls for.
pub(super) fn answer(outcome: PayloadOutcome) -> Result<ExportMetricsServiceResponse, Failure> {
    match outcome {
        PayloadOutcome::Accepted => Ok(ExportMetricsServiceResponse::accepted()),
        PayloadOutcome::Partial { rejected_points, message } => {
            Ok(ExportMetricsServiceResponse::partial(rejected_points, message))
        }
        PayloadOutcome::Refused(Refusal::TooLarge(limit)) => Err(too_large(limit)),
        PayloadOutcome::Refused(refusal) => Err(Failure::refused(&refusal)),
        PayloadOutcome::Oversized(reason) => Err(Failure::new(Code::ResourceExhausted, reason)),
        PayloadOutcome::Busy(reason) => Err(Failure::busy(reason)),
        PayloadOutcome::Failed(error) => Err(failed(&error)),
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
