//! The request of a sender, and its answer.

use preamp_edge_gateway::{Body, Head, Outcome};
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Trailers};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult};
use wasip3::{spawn_local, wit_future, wit_stream};

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 64 << 10;

type End = FutureReader<Result<Option<Trailers>, ErrorCode>>;

/// Head and body of a request.
pub fn open(request: Request) -> (Head, Incoming) {
    let headers = request.get_headers();
    let is_post = matches!(request.get_method(), Method::Post);
    let head = Head::new(request.get_path_with_query(), is_post, |name| headers.get(&name));
    let (stream, end) = Request::consume_body(request, no_complaint());
    (head, Incoming { stream, end: Some(end) })
}

/// The body of a request, or of an answer.
pub struct Incoming {
    stream: StreamReader<u8>,
    end: Option<End>,
}

impl Incoming {
    pub fn of_response(response: Response) -> Self {
        let (stream, end) = Response::consume_body(response, no_complaint());
        Incoming { stream, end: Some(end) }
    }
}

impl Body for Incoming {
    async fn part(&mut self) -> Result<Option<Vec<u8>>, String> {
        let (result, part) = self.stream.read(Vec::with_capacity(READ_BYTES)).await;
        match (result, self.end.take()) {
            (StreamResult::Complete(_), end) => {
                self.end = end;
                Ok(Some(part))
            }
            // Only now is it known whether the body came whole.
            (StreamResult::Dropped, Some(end)) => {
                end.await.map(|_| None).map_err(|error| format!("{error:?}"))
            }
            (StreamResult::Dropped | StreamResult::Cancelled, _) => Ok(None),
        }
    }
}

/// What the runtime is told of the reading of a body: nothing went wrong.
fn no_complaint() -> FutureReader<Result<(), ErrorCode>> {
    let (_written_when_dropped, reader) = wit_future::new(|| Ok(()));
    reader
}

/// The end of a body that is sent: without trailers.
pub fn trailers() -> End {
    let (_written_when_dropped, reader) = wit_future::new(|| Ok(None));
    reader
}

/// A body to be sent, which is written while others go on. A reader that goes away early is not missed.
pub fn outgoing(bytes: Vec<u8>) -> Option<StreamReader<u8>> {
    if bytes.is_empty() {
        return None;
    }
    let (mut writer, reader) = wit_stream::new();
    spawn_local(async move {
        let _left = writer.write_all(bytes).await;
    });
    Some(reader)
}

/// Answers a sender.
pub fn reply(outcome: Outcome) -> Response {
    let headers = Fields::new();
    for header in &outcome.headers {
        // The core writes only names and values that can stand in a header.
        let _appended = headers.append(&header.name, header.value.as_bytes());
    }
    let (response, _transmitted) = Response::new(headers, outgoing(outcome.body), trailers());
    let _is_a_status = response.set_status_code(outcome.status);
    response
}
