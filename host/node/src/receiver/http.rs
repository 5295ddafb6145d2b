//! OTLP/HTTP.

use super::Entrance;
use super::answer::{Failure, answer};
use super::arriving::{Arriving, Sizes, Unpacker};
use super::compression::ContentEncoding;
use super::message::ExportMetricsServiceResponse;
use crate::intake::Transport;
use crate::memory_budget::Reservation;
use crate::server::Names;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Body;
use preamp_contract::Encoding;
use tonic::Code;

/// How much of a request that is too large is read and thrown away, in bytes, so that its sender
/// gets to read the answer instead of finding the connection broken.
const DISCARD_MAX: usize = 64 << 20;

/// Answers the requests of senders.
pub(crate) struct HttpReceiver {
    entrance: Entrance,
    /// The path of the metrics endpoint.
    metrics_path: String,
    names: Names,
    unpacker: Unpacker,
}

type Answer = Response<Full<Bytes>>;

impl HttpReceiver {
    /// One that takes what it is to at this path, called by these names.
    pub(crate) fn new(entrance: Entrance, metrics_path: String, names: Names) -> Self {
        let unpacker = Unpacker::new(entrance.request_bytes_max);
        HttpReceiver { entrance, metrics_path, names, unpacker }
    }

    /// Answers one request.
    pub(crate) async fn handle<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
    {
        if let Some(refused) = self.refused(request.headers(), request.uri()) {
            return refused;
        }
        let path = &self.metrics_path;
        if request.uri().path() != path {
            return plain(StatusCode::NOT_FOUND, format!("only metrics are taken here: POST them to {path}"));
        }
        if request.method() != Method::POST {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, format!("{path} takes POST requests"));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return answer;
        }
        let Some(encoding) = payload_encoding(request.headers()) else {
            let message = "Content-Type must be application/x-protobuf or application/json";
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        };
        let (payload, share) = match self.read(request).await {
            Ok(read) => read,
            Err(failure) => {
                self.entrance.intake.ended_early(Transport::Http, failure.outcome(), &failure.message);
                return failure_response(&failure, encoding);
            }
        };
        match answer(self.entrance.intake.submit(payload, share, encoding, Transport::Http).await) {
            Ok(response) => success_response(&response, encoding),
            Err(failure) => failure_response(&failure, encoding),
        }
    }

    /// What is answered to a request that is not for this server, or by nobody who may send.
    fn refused(&self, headers: &HeaderMap, uri: &Uri) -> Option<Answer> {
        let Entrance { intake, senders, .. } = &self.entrance;
        if let Err(message) = self.names.check(uri, headers) {
            intake.denied(Transport::Http, "host");
            return Some(plain(StatusCode::FORBIDDEN, message));
        }
        let senders = senders.as_ref()?;
        let failure = senders.allow(headers).err()?;
        intake.denied(Transport::Http, "unauthenticated");
        let encoding = payload_encoding(headers).unwrap_or(Encoding::Protobuf);
        let mut answer = failure_response(&failure, encoding);
        answer.headers_mut().insert(WWW_AUTHENTICATE, senders.challenge());
        Some(answer)
    }

    /// Reads and unpacks the body.
    async fn read<B>(&self, request: Request<B>) -> Result<(Bytes, Reservation), Failure>
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
    {
        let Entrance { intake, request_bytes_max, read_timeout, .. } = &self.entrance;
        let packed = content_encoding(request.headers())?;
        let announced =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let arriving = Arriving::new(request.into_body(), intake, *read_timeout)?;
        let sizes =
            Sizes { limit: *request_bytes_max, discarded: DISCARD_MAX, announced: announced.unwrap_or(0) };
        let (body, share) = arriving.collect(sizes, |_| Ok(())).await?;
        self.unpacker.unpack(packed, body, share).await
    }
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

fn success_response(response: &ExportMetricsServiceResponse, encoding: Encoding) -> Answer {
    let body = match encoding {
        Encoding::Protobuf => prost::Message::encode_to_vec(response),
        Encoding::Json => response.json().to_string().into_bytes(),
    };
    typed(StatusCode::OK, media_type(encoding), body)
}

/// A failure as `google.rpc.Status`, in the encoding of the request.
fn failure_response(failure: &Failure, encoding: Encoding) -> Answer {
    let body = match encoding {
        Encoding::Protobuf => prost::Message::encode_to_vec(&failure.status()),
        Encoding::Json => failure.json_status().to_string().into_bytes(),
    };
    let mut answer = typed(http_status(failure.code), media_type(encoding), body);
    if let Some(after) = failure.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, after.as_secs().max(1).into());
    }
    answer
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
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
        Code::ResourceExhausted => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn plain(status: StatusCode, message: impl Into<String>) -> Answer {
    typed(status, "text/plain; charset=utf-8", message.into().into_bytes())
}

fn typed(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}
