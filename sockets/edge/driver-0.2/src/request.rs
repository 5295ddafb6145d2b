//! The request of a sender, and its answer.

use preamp_edge_gateway::{Body, Head, Outcome};
use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::{InputStream, StreamError};

/// How much is read at a time, in bytes.
const READ_BYTES: u64 = 64 << 10;

/// Head and body of a request.
pub fn open(request: IncomingRequest) -> (Head, Incoming) {
    let headers = request.headers();
    let is_post = matches!(request.method(), Method::Post);
    let head = Head::new(request.path_with_query(), is_post, |name| headers.get(&name));
    // Nobody has taken the body before, so it is there.
    let body = request.consume().ok();
    let stream = body.as_ref().and_then(|body| body.stream().ok());
    (head, Incoming { stream, _body: body })
}

/// The body of a request. The stream stands first, since it must be dropped first.
pub struct Incoming {
    stream: Option<InputStream>,
    _body: Option<IncomingBody>,
}

impl Body for Incoming {
    async fn part(&mut self) -> Result<Option<Vec<u8>>, String> {
        let stream = self.stream.as_ref().ok_or("the runtime does not hand it over")?;
        match stream.blocking_read(READ_BYTES) {
            Ok(part) => Ok(Some(part)),
            Err(StreamError::Closed) => Ok(None),
            Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string()),
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
