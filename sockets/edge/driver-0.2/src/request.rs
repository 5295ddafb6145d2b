//! The request of a sender, and its answer.

use crate::Outcome;
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::StreamError;

/// The path of OTLP/HTTP for metrics (OTLP specification, "OTLP/HTTP Request").
const PATH: &str = "/v1/metrics";

/// How much is read at a time, in bytes.
const READ_BYTES: u64 = 64 << 10;

/// A payload, and what the head of its request says about it.
pub struct Received {
    pub payload: Vec<u8>,
    pub content_type: String,
    pub content_encoding: String,
}

/// Reads a request. One that is no payload of metrics, or larger than the limit, is answered with the status and text that
/// are returned as an error.
pub fn receive(request: IncomingRequest, limit: u64) -> Result<Received, (u16, String)> {
    let path = request.path_with_query().unwrap_or_default();
    if path.split('?').next() != Some(PATH) {
        return Err((404, format!("only metrics are taken here: POST them to {PATH}")));
    }
    if !matches!(request.method(), Method::Post) {
        return Err((405, format!("{PATH} takes POST requests")));
    }
    let headers = request.headers();
    let field = |name: &str| {
        let value = headers.get(&name.to_owned()).into_iter().next().unwrap_or_default();
        String::from_utf8(value).unwrap_or_else(|_| "?".to_owned())
    };
    let (content_type, content_encoding) = (field("content-type"), field("content-encoding"));
    drop(headers);
    let body = request.consume().map_err(|()| (500, "the body was read before".to_owned()))?;
    let payload = read(&body, limit)?;
    Ok(Received { payload, content_type, content_encoding })
}

fn read(body: &IncomingBody, limit: u64) -> Result<Vec<u8>, (u16, String)> {
    let stream = body.stream().map_err(|()| (500, "the body was read before".to_owned()))?;
    let mut payload = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(part) => payload.extend_from_slice(&part),
            Err(StreamError::Closed) => return Ok(payload),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err((400, format!("the request ended before its body did: {}", error.to_debug_string())));
            }
        }
        if payload.len() as u64 > limit {
            return Err((413, format!("more than {limit} bytes: send fewer data points in one request")));
        }
    }
}

/// Answers a sender. One that is gone is not missed.
pub fn reply(reply: ResponseOutparam, outcome: &Outcome) {
    let headers = Fields::new();
    for header in &outcome.headers {
        // The core writes only names and values that can stand in a header.
        let _appended = headers.append(&header.name, header.value.as_bytes());
    }
    let response = OutgoingResponse::new(headers);
    let _is_a_status = response.set_status_code(outcome.status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(reply, Ok(response));
    let _is_gone = write(&body, &outcome.body);
    let _is_gone = OutgoingBody::finish(body, None);
}

/// Writes all of a body.
pub fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), String> {
    let stream = body.write().map_err(|()| "the body was written before".to_owned())?;
    // The most that the function takes at a time.
    for part in bytes.chunks(4096) {
        stream.blocking_write_and_flush(part).map_err(|error| format!("{error:?}"))?;
    }
    Ok(())
}
