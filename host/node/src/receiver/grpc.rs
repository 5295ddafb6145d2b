//! OTLP/gRPC: one unary method, of which the messages pass through as they are.

use super::Entrance;
use super::answer::{answer, outcome_of, too_large};
use super::arriving::{Arriving, Sizes, Unpacker};
use crate::intake::Transport;
use crate::memory_budget::Reservation;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body, Frame};
use preamp_answer::{Code, ExportMetricsServiceResponse, Failure};
use preamp_config::GRPC_EXPORT_PATH;
use preamp_contract::Encoding;
use preamp_unpack::ContentEncoding;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;

const MEDIA_TYPE: &str = "application/grpc";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A message follows one byte, which says whether it is packed, and its length in four.
const PREFIX_BYTES: usize = 5;

/// Answers the requests of senders.
pub(crate) struct GrpcReceiver {
    entrance: Entrance,
    unpacker: Unpacker,
}

/// The body of an answer: a message with trailers, or nothing.
#[derive(Default)]
pub(crate) struct Answer {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let message = self.message.take().map(Frame::data);
        let frame = message.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}

impl GrpcReceiver {
    /// One that takes what it is to.
    pub(crate) fn new(entrance: Entrance) -> Self {
        let unpacker = Unpacker::new(entrance.request_bytes_max);
        GrpcReceiver { entrance, unpacker }
    }

    /// Answers one request.
    pub(crate) async fn handle<B>(&self, request: Request<B>) -> Response<Answer>
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
    {
        if request.method() != Method::POST {
            let mut response = without_message(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        if !is_grpc(request.headers()) {
            return without_message(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        if request.uri().path() != GRPC_EXPORT_PATH {
            let path = request.uri().path();
            return Status::unimplemented(format!(
                "{path} is not served: only metrics are taken here, by {GRPC_EXPORT_PATH}"
            ))
            .into_http();
        }
        let intake = &self.entrance.intake;
        if let Some(senders) = &self.entrance.senders
            && let Err(failure) = senders.allow(request.headers())
        {
            intake.denied(Transport::Grpc, "unauthenticated");
            return into_status(&failure).into_http();
        }
        let (payload, share) = match self.read(request).await {
            Ok(read) => read,
            Err(failure) => {
                intake.ended_early(Transport::Grpc, outcome_of(&failure), &failure.message);
                return into_status(&failure).into_http();
            }
        };
        match answer(intake.submit(payload, share, Encoding::Protobuf, Transport::Grpc).await) {
            Ok(response) => success(&response),
            Err(failure) => into_status(&failure).into_http(),
        }
    }

    /// Reads and unpacks the message.
    async fn read<B>(&self, request: Request<B>) -> Result<(Bytes, Reservation), Failure>
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
    {
        let packed = encoding(request.headers())?;
        let Entrance { intake, request_bytes_max: limit, read_timeout, .. } = &self.entrance;
        let limit = *limit;
        let arriving = Arriving::new(request.into_body(), intake, *read_timeout)?;
        let sizes = Sizes { limit: limit.saturating_add(PREFIX_BYTES), discarded: 0, announced: 0 };
        // What is announced to be too large need not come.
        let check = |read: &[u8]| match prefix(read) {
            Some((_, length)) if length > limit => Err(too_large(limit as u64)),
            _ => Ok(()),
        };
        let (mut body, share) = arriving.collect(sizes, check).await?;
        let malformed = |what| Failure::new(Code::InvalidArgument, format!("not one gRPC message: {what}"));
        let (is_packed, length) = prefix(&body).ok_or_else(|| malformed("it has no prefix"))?;
        let message = body.split_off(PREFIX_BYTES);
        if message.len() != length {
            return Err(malformed("its length is another one than its prefix says"));
        }
        match is_packed {
            0 => Ok((message, share)),
            1 if packed == ContentEncoding::Identity => {
                Err(malformed("it is packed, but grpc-encoding does not say how"))
            }
            1 => self.unpacker.unpack(packed, message, share).await,
            _ => Err(malformed("its prefix begins with neither 0 nor 1")),
        }
    }
}

/// The first byte of a body, and the length of the message in it.
fn prefix(body: &[u8]) -> Option<(u8, usize)> {
    let (is_packed, rest) = body.split_first()?;
    let length = u32::from_be_bytes(*rest.first_chunk()?);
    Some((*is_packed, usize::try_from(length).unwrap_or(usize::MAX)))
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let rest = value.strip_prefix(MEDIA_TYPE).map(|rest| rest.strip_prefix("+proto").unwrap_or(rest));
    rest.is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with(';'))
}

fn encoding(headers: &HeaderMap) -> Result<ContentEncoding, Failure> {
    let value = headers.get("grpc-encoding").map_or("", |value| value.to_str().unwrap_or("?"));
    ContentEncoding::parse(value)
        .map_err(|unknown| Failure::new(Code::Unimplemented, format!("grpc-encoding {unknown}")))
}

fn success(response: &ExportMetricsServiceResponse) -> Response<Answer> {
    let length = prost::Message::encoded_len(response);
    let mut message = BytesMut::with_capacity(PREFIX_BYTES + length);
    message.put_u8(0);
    // Answers are a few lines long.
    message.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.extend_from_slice(&prost::Message::encode_to_vec(response));
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let mut answer = Response::new(Answer { message: Some(message.freeze()), trailers: Some(trailers) });
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    answer
}

fn into_status(failure: &Failure) -> Status {
    let details = prost::Message::encode_to_vec(&failure.status());
    Status::with_details(tonic::Code::from_i32(failure.code as i32), &failure.message, details.into())
}

fn without_message(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    *response.status_mut() = status;
    response
}
