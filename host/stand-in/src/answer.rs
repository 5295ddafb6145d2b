//! The answers of an AMP workspace: the front of the service speaks JSON, the Cortex behind it plain text.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::options::TENANT;

/// One answer. Success has no body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    error_type: Option<&'static str>,
    retry_after_seconds: Option<u64>,
}

impl Answer {
    /// 200 with an empty body.
    pub(crate) fn stored() -> Self {
        Self::text(StatusCode::OK, "")
    }

    /// The plain text Cortex answers with.
    pub(crate) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), error_type: None, retry_after_seconds: None }
    }

    /// 400 in plain text: what was refused will never be taken.
    pub(crate) fn refused(body: impl Into<String>) -> Self {
        Self::text(StatusCode::BAD_REQUEST, body)
    }

    /// 429 in Cortex' words: this many series are known, and no other is taken. Those of the request that are known are
    /// stored.
    pub(crate) fn series_limit(limit: usize) -> Self {
        let text = format!(
            "user={TENANT}: per-user series limit of {limit} exceeded, please contact administrator to raise it"
        );
        Self::text(StatusCode::TOO_MANY_REQUESTS, text)
    }

    /// The JSON the front of the service answers with, its class in `x-amzn-errortype`.
    pub(crate) fn front(status: StatusCode, class: &'static str, message: &str) -> Self {
        let mut escaped = String::with_capacity(message.len());
        for character in message.chars() {
            match character {
                '"' | '\\' => escaped.extend(['\\', character]),
                control if control.is_control() => escaped.push(' '),
                other => escaped.push(other),
            }
        }
        let error_type = Some(class);
        Self { status, body: format!(r#"{{"message":"{escaped}"}}"#), error_type, retry_after_seconds: None }
    }

    /// 403 of one class.
    pub(crate) fn forbidden(class: &'static str, message: &str) -> Self {
        Self::front(StatusCode::FORBIDDEN, class, message)
    }

    /// 413, as nginx-like fronts word it.
    pub(crate) fn too_large() -> Self {
        Self::text(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
    }

    /// The same answer with a Retry-After.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The HTTP response, dated with the stand-in's own clock rather than the machine's.
    pub(crate) fn into_response(self, request_number: u64, date: &str) -> Response<Full<Bytes>> {
        let mut headers = HeaderMap::new();
        let request_id = format!("00000000-0000-4000-8000-{request_number:012x}");
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put("x-amzn-requestid", &request_id);
        put(DATE.as_str(), date);
        if let Some(class) = self.error_type {
            put("x-amzn-errortype", class);
            put(CONTENT_TYPE.as_str(), "application/json");
        } else if !self.body.is_empty() {
            put(CONTENT_TYPE.as_str(), "text/plain; charset=utf-8");
        }
        if let Some(seconds) = self.retry_after_seconds {
            put(RETRY_AFTER.as_str(), &seconds.to_string());
        }
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}
