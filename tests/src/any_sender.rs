//! An OTLP client that sends any bytes over either protocol, and tells what it was answered in the same words.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// The method that takes metrics.
pub const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request, whatever is in it.
#[derive(Clone, Debug)]
pub struct Anything {
    /// What it is, for people.
    pub name: String,
    /// The body, packed as said below.
    pub body: Bytes,
    /// Whether it calls itself JSON, which only HTTP has.
    pub is_json: bool,
    /// What it says of its packing, such as `gzip`.
    pub packing: Option<&'static str>,
}

impl Anything {
    /// A payload in protobuf.
    pub fn protobuf(name: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { name: name.into(), body: body.into(), is_json: false, packing: None }
    }

    /// A payload in JSON.
    pub fn json(name: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { is_json: true, ..Self::protobuf(name, body) }
    }

    /// A payload in protobuf, packed.
    pub fn packed(name: impl Into<String>, packing: &'static str, body: impl Into<Bytes>) -> Self {
        Self { packing: Some(packing), ..Self::protobuf(name, body) }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP, or the code of gRPC.
    pub code: u16,
    /// The text that goes with it: protobuf as it is, of which the words can be read.
    pub text: String,
}

/// Sends a request over HTTP, on a connection of its own.
///
/// # Errors
/// When there is no answer.
pub async fn send_http(to: SocketAddr, request: &Anything) -> anyhow::Result<Answer> {
    send_http_with(to, request, &[]).await
}

/// The same with more fields in its head.
///
/// # Errors
/// When there is no answer.
pub async fn send_http_with(
    to: SocketAddr,
    request: &Anything,
    fields: &[(&str, &str)],
) -> anyhow::Result<Answer> {
    let media_type = if request.is_json { "application/json" } else { "application/x-protobuf" };
    let mut builder =
        Request::post("/v1/metrics").header("host", to.to_string()).header("content-type", media_type);
    if let Some(packing) = request.packing {
        builder = builder.header("content-encoding", packing);
    }
    builder = fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    let http = builder.body(Full::new(request.body.clone()))?;
    let exchange = async {
        let stream = TokioIo::new(TcpStream::connect(to).await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(http).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Answer { code: head.status.as_u16(), text: String::from_utf8_lossy(&body).into_owned() })
    };
    within(&request.name, exchange).await
}

/// Sends a request over gRPC, on a connection of its own.
///
/// # Errors
/// When there is no answer, or the request is in JSON.
pub async fn send_grpc(to: SocketAddr, request: &Anything) -> anyhow::Result<Answer> {
    send_grpc_with(to, request, &[]).await
}

/// The same with more fields in its head.
///
/// # Errors
/// When there is no answer, or the request is in JSON.
pub async fn send_grpc_with(
    to: SocketAddr,
    request: &Anything,
    fields: &[(&str, &str)],
) -> anyhow::Result<Answer> {
    anyhow::ensure!(!request.is_json, "{}: gRPC has no JSON", request.name);
    let exchange = async {
        let mut connection = GrpcConnection::open(to).await?;
        connection.call(message(&request.body, request.packing.is_some()), request.packing, fields).await
    };
    within(&request.name, exchange).await
}

async fn within(
    name: &str,
    exchange: impl Future<Output = anyhow::Result<Answer>>,
) -> anyhow::Result<Answer> {
    let answer = tokio::time::timeout(PATIENCE, exchange).await;
    answer.with_context(|| format!("{name}: no answer within {PATIENCE:?}"))?.with_context(|| name.to_owned())
}

/// A message as gRPC frames it.
#[must_use]
pub fn message(body: &[u8], is_packed: bool) -> Bytes {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[u8::from(is_packed)], &length[..], body].concat().into()
}

/// A connection for any number of calls at once.
pub struct GrpcConnection {
    sender: http2::SendRequest<Unended>,
    connection: tokio::task::JoinHandle<()>,
}

impl GrpcConnection {
    /// Opens one.
    ///
    /// # Errors
    /// When there is nobody.
    pub async fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        // As every client of gRPC does: the end of a request waits for no acknowledgement of its beginning.
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move {
            // What goes wrong, the calls say.
            let _ended = connection.await;
        });
        Ok(Self { sender, connection })
    }

    /// Calls with bytes that are framed already.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(
        &mut self,
        framed: Bytes,
        packing: Option<&str>,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let mut builder =
            Request::post(format!("http://localhost{EXPORT}")).header("content-type", "application/grpc");
        if let Some(packing) = packing {
            builder = builder.header("grpc-encoding", packing);
        }
        builder = fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        let request = builder.header("te", "trailers").body(Unended { rest: Some(framed), ends: true })?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let trailers = body.collect().await?.trailers().cloned().unwrap_or_default();
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok().map(ToOwned::to_owned))
        };
        let either = |name| text(&trailers, name).or_else(|| text(&head.headers, name));
        let code = either("grpc-status").with_context(|| format!("no grpc-status: {head:?}"))?;
        Ok(Answer { code: code.parse()?, text: decoded(&either("grpc-message").unwrap_or_default()) })
    }

    /// Begins a call with bytes after which nothing comes, not even an end. It lasts as long as the connection.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn begin(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        let request = Request::post(format!("http://localhost{EXPORT}"))
            .header("content-type", "application/grpc")
            .body(Unended { rest: Some(bytes), ends: false })?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request);
        tokio::spawn(async move {
            let _answered = answer.await;
            // The answer may come before the end of the request, and must not end it.
            std::future::pending::<()>().await;
        });
        Ok(())
    }
}

/// A text of a field `grpc-message`, in which all but plain ASCII is a percent sign and two digits.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.extend(code);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for GrpcConnection {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A body of some bytes that ends after them, or never.
struct Unended {
    rest: Option<Bytes>,
    ends: bool,
}

impl Body for Unended {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.rest.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
