//! OTLP/HTTP.

use super::Entrance;
use super::answer::{answer, outcome_of};
use super::arriving::{Arriving, Sizes, Unpacker};
use crate::intake::Transport;
use crate::memory_budget::Reservation;
use crate::server::Names;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Body;
use preamp_answer::{Code, ExportMetricsServiceResponse, Failure, media_type};
use preamp_contract::Encoding;
use preamp_unpack::ContentEncoding;

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
                self.entrance.intake.ended_early(Transport::Http, outcome_of(&failure), &failure.message);
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

fn payload_encoding(headers: &HeaderMap) -> Option<Encoding> {
    preamp_answer::payload_encoding(field(headers, &CONTENT_TYPE)?)
}

fn content_encoding(headers: &HeaderMap) -> Result<ContentEncoding, Failure> {
    let value = field(headers, &CONTENT_ENCODING).unwrap_or_default();
    ContentEncoding::parse(value)
        .map_err(|unknown| Failure::new(Code::InvalidArgument, format!("Content-Encoding {unknown}")))
}

/// A header field as text; a value that is none is like a name that nobody knows.
fn field<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn success_response(response: &ExportMetricsServiceResponse, encoding: Encoding) -> Answer {
    typed(StatusCode::OK, media_type(encoding), response.body(encoding))
}

/// A failure as `google.rpc.Status`, in the encoding of the request.
fn failure_response(failure: &Failure, encoding: Encoding) -> Answer {
    let status =
        StatusCode::from_u16(failure.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = typed(status, media_type(encoding), failure.body(encoding));
    if let Some(after) = failure.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, after.as_secs().max(1).into());
    }
    answer
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
