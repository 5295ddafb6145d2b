//! OTLP clients that send any bytes, well-formed or not.

use bytes::{Buf as _, BufMut as _, Bytes};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use std::net::SocketAddr;
use std::str::FromStr as _;
use tonic::Status;
use tonic::codec::{CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;

pub const METRICS_EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header field; empty if there is none.
    pub fn field(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// The body of a success, which must be a protobuf of its kind.
    pub fn response(&self) -> ExportMetricsServiceResponse {
        assert_eq!((self.status, self.field("content-type")), (200, "application/x-protobuf"), "{self:?}");
        ExportMetricsServiceResponse::decode(self.body.clone()).expect("a response")
    }

    /// Code and message of a failure, which must be a `google.rpc.Status`.
    pub fn failure(&self) -> (i32, String) {
        assert_eq!(self.field("content-type"), "application/x-protobuf", "{self:?}");
        let status = RpcStatus::decode(self.body.clone()).expect("a google.rpc.Status");
        (status.code, status.message)
    }
}

/// `google.rpc.Status`, written down a second time to check the first.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<RpcDetail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RpcDetail {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// A client of OTLP/HTTP.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

impl Http {
    pub fn new(address: SocketAddr) -> Http {
        Http { client: Client::builder(TokioExecutor::new()).build_http(), address }
    }

    /// Sends a payload as it is.
    pub async fn export(&self, payload: impl Into<Bytes>) -> Answer {
        self.send("POST", "/v1/metrics", &[("content-type", "application/x-protobuf")], payload.into()).await
    }

    /// Sends a body that is packed as `encoding` says.
    pub async fn export_packed(&self, encoding: &str, body: impl Into<Bytes>) -> Answer {
        let headers = [("content-type", "application/x-protobuf"), ("content-encoding", encoding)];
        self.send("POST", "/v1/metrics", &headers, body.into()).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Answer {
        let mut request =
            http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a request");
        let (head, body) = self.client.request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }
}

/// A client of OTLP/gRPC.
#[derive(Clone)]
pub struct Grpc {
    channel: Channel,
}

impl Grpc {
    pub fn new(address: SocketAddr) -> Grpc {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URL");
        Grpc { channel: endpoint.connect_lazy() }
    }

    /// Sends a payload as it is.
    pub async fn export(&self, payload: impl Into<Bytes>) -> Result<ExportMetricsServiceResponse, Status> {
        self.call(METRICS_EXPORT, payload.into(), None).await
    }

    /// Packs a payload and sends it.
    pub async fn export_packed(
        &self,
        encoding: CompressionEncoding,
        payload: impl Into<Bytes>,
    ) -> Result<ExportMetricsServiceResponse, Status> {
        self.call(METRICS_EXPORT, payload.into(), Some(encoding)).await
    }

    pub async fn call(
        &self,
        method: &str,
        payload: Bytes,
        encoding: Option<CompressionEncoding>,
    ) -> Result<ExportMetricsServiceResponse, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        if let Some(encoding) = encoding {
            grpc = grpc.send_compressed(encoding);
        }
        grpc.ready().await.expect("a connection");
        let path = http::uri::PathAndQuery::from_str(method).expect("a path");
        grpc.unary(tonic::Request::new(payload), path, RawCodec).await.map(tonic::Response::into_inner)
    }
}

#[derive(Clone, Copy)]
struct RawCodec;

impl tonic::codec::Codec for RawCodec {
    type Encode = Bytes;
    type Decode = ExportMetricsServiceResponse;
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
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, payload: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(payload);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = ExportMetricsServiceResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        ExportMetricsServiceResponse::decode(bytes)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
