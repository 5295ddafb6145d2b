//! What a sender of OTLP is answered, over either protocol (OTLP specification, "OTLP/gRPC Response" and "OTLP/HTTP
//! Response"). Every host of the core gives the same answers by it.

mod json;
mod message;

pub use message::{Any, ExportMetricsPartialSuccess, ExportMetricsServiceResponse, Status};

use preamp_contract::{Encoding, Refusal, Rejection};
use std::time::Duration;

/// How long a client shall wait before it sends a request again that could not be taken now.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The codes of `google.rpc.Code` that failures have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is wrong: sending it again cannot help.
    InvalidArgument = 3,
    /// The request did not arrive in time.
    DeadlineExceeded = 4,
    /// The request, or what becomes of it, is too large.
    ResourceExhausted = 8,
    /// The request is packed in a way that is not supported.
    Unimplemented = 12,
    /// A fault of this side.
    Internal = 13,
    /// The request cannot be taken now, and may be later.
    Unavailable = 14,
    /// The sender did not say who it is, or may not send.
    Unauthenticated = 16,
}

impl Code {
    /// The status in HTTP. Clients repeat a request for 429, 502, 503 and 504.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Code::InvalidArgument => 400,
            Code::Unauthenticated => 401,
            Code::DeadlineExceeded => 408,
            Code::ResourceExhausted => 413,
            Code::Unimplemented | Code::Internal => 500,
            Code::Unavailable => 503,
        }
    }
}

/// Nothing of a request was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure. Clients repeat a request only for some codes.
    pub code: Code,
    /// What is wrong, and what helps.
    pub message: String,
    /// When to try again; `None` if that cannot help.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that trying again cannot help.
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), retry_after: None }
    }

    /// A failure that may be over soon.
    #[must_use]
    pub fn busy(reason: String) -> Failure {
        Failure { code: Code::Unavailable, message: reason, retry_after: Some(RETRY_AFTER) }
    }

    /// A payload that the core refused as a whole.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Failure {
        let code = match refusal {
            Refusal::Malformed(_) | Refusal::WrongSignal(_) => Code::InvalidArgument,
            Refusal::TooLarge(_) | Refusal::ExpandsTooFar(_) => Code::ResourceExhausted,
        };
        Failure::new(code, refusal.to_string())
    }

    /// The failure as `google.rpc.Status`.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            code: self.code as i32,
            message: self.message.clone(),
            details: self.retry_after.map(Any::retry_info).into_iter().collect(),
        }
    }

    /// The same in the encoding of the request.
    #[must_use]
    pub fn body(&self, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Protobuf => prost::Message::encode_to_vec(&self.status()),
            Encoding::Json => json::body(&json::Status::of(self)),
        }
    }
}

impl ExportMetricsServiceResponse {
    /// All points were taken.
    #[must_use]
    pub fn accepted() -> Self {
        Self { partial_success: None }
    }

    /// All points but these were taken.
    #[must_use]
    pub fn partial(rejected_points: u64, message: String) -> Self {
        let rejected_data_points = i64::try_from(rejected_points).unwrap_or(i64::MAX);
        let partial = ExportMetricsPartialSuccess { rejected_data_points, error_message: message };
        Self { partial_success: Some(partial) }
    }

    /// The response in the encoding of the request.
    #[must_use]
    pub fn body(&self, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Protobuf => prost::Message::encode_to_vec(self),
            Encoding::Json => json::body(&json::Response::of(self)),
        }
    }
}

/// The line of a partial-success message for one rejection.
#[must_use]
pub fn rejection_line(rejection: &Rejection) -> String {
    let Rejection { reason, points, example, remedy, .. } = rejection;
    format!("{reason}: {points} points, the first: {example}; {remedy}")
}

/// The Content-Type of answers in this encoding.
#[must_use]
pub fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    }
}

/// What a Content-Type says about the payload; parameters do not matter.
#[must_use]
pub fn payload_encoding(content_type: &str) -> Option<Encoding> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    [Encoding::Protobuf, Encoding::Json]
        .into_iter()
        .find(|encoding| media_type.eq_ignore_ascii_case(self::media_type(*encoding)))
}
