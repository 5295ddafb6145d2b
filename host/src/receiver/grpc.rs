//! OTLP/gRPC.

use super::READ_TIMEOUT;
use super::answer::{Failure, answer};
use super::listener::Incoming;
use super::message::ExportMetricsServiceResponse;
use crate::component::Encoding;
use crate::intake::{Intake, RequestOutcome, Transport};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Buf as _, Bytes};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::codec::{CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::service::Routes;
use tonic::{Code, Status};

/// The one method that is served.
const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// What a receiver takes, and where it goes.
#[derive(Clone)]
pub struct GrpcReceiver {
    /// Where payloads go.
    pub intake: Arc<Intake>,
    /// The largest request, in bytes, before and after decompression.
    pub request_bytes_max: usize,
}

impl GrpcReceiver {
    /// Takes requests until `stop` is cancelled and those under way are answered.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub(crate) async fn serve(
        self,
        incoming: Incoming,
        stop: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        let incoming = futures_util::stream::unfold(incoming, |mut incoming| async {
            let connection = incoming.next().await?;
            Some((Ok::<_, std::convert::Infallible>(connection), incoming))
        });
        let router = axum::Router::new().route(EXPORT, post(export)).fallback(unserved).with_state(self);
        tonic::transport::Server::builder()
            .timeout(READ_TIMEOUT)
            .add_routes(Routes::from(router))
            .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
            .await
    }
}

async fn export(State(receiver): State<GrpcReceiver>, request: Request) -> Response {
    let limit = receiver.request_bytes_max;
    let mut grpc = Grpc::new(RawCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(limit);
    let intake = receiver.intake.clone();
    let response = grpc.unary(Export { intake: receiver.intake }, request).await;
    if is_out_of_range(&response) {
        intake.ended_early(Transport::Grpc, RequestOutcome::Failure);
        return into_status(&Failure::too_large(limit as u64)).into_http();
    }
    response.map(axum::body::Body::new)
}

/// Tonic says OUT_OF_RANGE when a message is too large, which OTLP clients repeat for ever;
/// RESOURCE_EXHAUSTED without a `RetryInfo` is final. Nothing else here says OUT_OF_RANGE.
fn is_out_of_range<B>(response: &http::Response<B>) -> bool {
    response.headers().get("grpc-status") == Some(&HeaderValue::from(Code::OutOfRange as i32))
}

async fn unserved(request: Request) -> Response {
    let message = format!("{} is not served: only metrics are taken here, by {EXPORT}", request.uri().path());
    Status::unimplemented(message).into_http::<axum::body::Body>().into_response()
}

fn into_status(failure: &Failure) -> Status {
    let details = prost::Message::encode_to_vec(&failure.status());
    Status::with_details(failure.code, &failure.message, details.into())
}

/// The method, as tonic calls it.
struct Export {
    intake: Arc<Intake>,
}

impl UnaryService<Bytes> for Export {
    type Response = ExportMetricsServiceResponse;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Self::Response>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let intake = self.intake.clone();
        Box::pin(async move {
            let outcome = intake.submit(request.into_inner(), Encoding::Protobuf, Transport::Grpc).await;
            answer(outcome).map(tonic::Response::new).map_err(|failure| into_status(&failure))
        })
    }
}

/// Leaves requests as they are, since the component decodes them, and encodes responses.
#[derive(Clone, Copy)]
struct RawCodec;

impl tonic::codec::Codec for RawCodec {
    type Encode = ExportMetricsServiceResponse;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }

    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = ExportMetricsServiceResponse;
    type Error = Status;

    fn encode(&mut self, response: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::Message::encode(&response, buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
