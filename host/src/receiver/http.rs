//! OTLP/HTTP.

use super::READ_TIMEOUT;
use super::answer::{Failure, answer};
use super::compression::{ContentEncoding, UnpackError};
use super::listener::Incoming;
use super::message::ExportMetricsServiceResponse;
use crate::component::Encoding;
use crate::intake::{Intake, RequestOutcome, Share, Transport};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// How much of a request that is too large is read and thrown away, in bytes, so that its sender
/// gets to read the answer instead of finding the connection broken.
const DISCARD_MAX: usize = 64 << 20;

/// What a receiver takes, and where it goes.
#[derive(Clone)]
pub struct HttpReceiver {
    /// Where payloads go.
    pub intake: Arc<Intake>,
    /// The path of the metrics endpoint.
    pub metrics_path: String,
    /// The largest request, in bytes, before and after decompression.
    pub request_bytes_max: usize,
}

impl HttpReceiver {
    /// Takes requests until `stop` is cancelled and those under way are answered.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub(crate) async fn serve(self, incoming: Incoming, stop: CancellationToken) -> io::Result<()> {
        // All paths come here: one that was configured might mean something else to a router.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let server = Server { receiver: self, unpacking: Semaphore::new(processors) };
        let router = axum::Router::new().fallback(handle).with_state(Arc::new(server));
        axum::serve(incoming, router).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

struct Server {
    receiver: HttpReceiver,
    /// As many bodies are unpacked at a time, since each may grow to the limit.
    unpacking: Semaphore,
}

impl Server {
    async fn export(&self, request: Request, encoding: Encoding) -> Response {
        let intake = &self.receiver.intake;
        let payload = match tokio::time::timeout(READ_TIMEOUT, self.read(request)).await {
            Ok(Ok(payload)) => payload,
            Ok(Err(failure)) => {
                let busy = failure.retry_after.is_some();
                let outcome = if busy { RequestOutcome::Refused } else { RequestOutcome::Failure };
                intake.ended_early(Transport::Http, outcome);
                return failure_response(&failure, encoding);
            }
            Err(_elapsed) => {
                intake.ended_early(Transport::Http, RequestOutcome::Failure);
                let message = format!("the request did not arrive within {} s", READ_TIMEOUT.as_secs());
                return plain(StatusCode::REQUEST_TIMEOUT, message);
            }
        };
        match answer(intake.submit(payload, encoding, Transport::Http).await) {
            Ok(response) => success_response(&response, encoding),
            Err(failure) => failure_response(&failure, encoding),
        }
    }

    /// Reads and unpacks the body.
    async fn read(&self, request: Request) -> Result<Bytes, Failure> {
        let limit = self.receiver.request_bytes_max;
        let packed = content_encoding(request.headers())?;
        let announced =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let mut share = self.receiver.intake.room().share();
        let body = collect(request.into_body(), announced.unwrap_or(0), limit, &mut share).await?;
        if packed == ContentEncoding::Identity {
            return Ok(body);
        }
        // The semaphore is never closed; if it were, unpacking would go on without a limit.
        let _one_of_few = self.unpacking.acquire().await.ok();
        let unpacked = tokio::task::spawn_blocking(move || packed.unpack(body, limit));
        match unpacked.await {
            Ok(Ok(payload)) => Ok(payload),
            Ok(Err(UnpackError::TooLarge)) => Err(Failure::too_large(limit as u64)),
            Ok(Err(UnpackError::Malformed(error))) => {
                let message = format!("the body is not what Content-Encoding says, or cut off: {error}");
                Err(Failure::new(Code::InvalidArgument, message))
            }
            Err(_panic) => Err(Failure::new(Code::Internal, "unpacking the body failed")),
        }
    }
}

async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let path = &server.receiver.metrics_path;
    if request.uri().path() != path {
        let message = format!("only metrics are taken here: POST them to {path}");
        return plain(StatusCode::NOT_FOUND, message);
    }
    if request.method() != Method::POST {
        let message = format!("{path} takes POST requests");
        return ([(ALLOW, "POST")], plain(StatusCode::METHOD_NOT_ALLOWED, message)).into_response();
    }
    let Some(encoding) = payload_encoding(request.headers()) else {
        let message = "Content-Type must be application/x-protobuf or application/json";
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    };
    server.export(request, encoding).await
}

/// What Content-Type says about the payload; parameters do not matter.
fn payload_encoding(headers: &HeaderMap) -> Option<Encoding> {
    let value = field(headers, &CONTENT_TYPE)?;
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

fn content_encoding(headers: &HeaderMap) -> Result<ContentEncoding, Failure> {
    let value = field(headers, &CONTENT_ENCODING).unwrap_or_default();
    ContentEncoding::parse(value).ok_or_else(|| {
        let message =
            format!("Content-Encoding {value:?} is not taken: use one of {}", ContentEncoding::NAMES);
        Failure::new(Code::InvalidArgument, message)
    })
}

/// A header field as text; a value that is none is like a name that nobody knows.
fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Reads a body of at most `limit` bytes into one piece, as long as there is room for it.
async fn collect(
    mut body: Body,
    announced: usize,
    limit: usize,
    share: &mut Share<'_>,
) -> Result<Bytes, Failure> {
    let mut collected = BytesMut::with_capacity(announced.min(limit));
    let mut read = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Failure::new(Code::InvalidArgument, format!("the request ended before its body did: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        read = read.saturating_add(data.len());
        if read <= limit {
            share.grow(data.len()).map_err(|full| Failure::busy(full.to_string()))?;
            collected.extend_from_slice(&data);
        } else if read - limit > DISCARD_MAX {
            break;
        }
    }
    if read > limit { Err(Failure::too_large(limit as u64)) } else { Ok(collected.freeze()) }
}

fn success_response(response: &ExportMetricsServiceResponse, encoding: Encoding) -> Response {
    let body = match encoding {
        Encoding::Protobuf => prost::Message::encode_to_vec(response),
        Encoding::Json => response.json().to_string().into_bytes(),
    };
    (StatusCode::OK, [(CONTENT_TYPE, media_type(encoding))], body).into_response()
}

/// A failure as `google.rpc.Status`, in the encoding of the request.
fn failure_response(failure: &Failure, encoding: Encoding) -> Response {
    let body = match encoding {
        Encoding::Protobuf => prost::Message::encode_to_vec(&failure.status()),
        Encoding::Json => failure.json_status().to_string().into_bytes(),
    };
    let mut response =
        (http_status(failure.code), [(CONTENT_TYPE, media_type(encoding))], body).into_response();
    if let Some(after) = failure.retry_after {
        response.headers_mut().insert(RETRY_AFTER, after.as_secs().max(1).into());
    }
    response
}

fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    }
}

/// The status of the codes that failures have. Clients repeat a request for 429, 502, 503 and 504.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::ResourceExhausted => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn plain(status: StatusCode, message: impl Into<String>) -> Response {
    (status, message.into()).into_response()
}
