//! A sender of OTLP over HTTP that keeps its connections, as SDKs do.

use anyhow::ensure;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;

/// Sends to one receiver. Clones share their connections.
#[derive(Clone)]
pub struct OtlpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl OtlpClient {
    /// One that sends there.
    #[must_use]
    pub fn new(to: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, url: format!("http://{to}/v1/metrics") }
    }

    /// Sends a payload, which must be taken.
    ///
    /// # Errors
    /// When it is not.
    pub async fn send(&self, payload: Bytes) -> anyhow::Result<()> {
        let (status, _) = self.offer(payload).await?;
        ensure!(status == 200, "a payload was answered {status}");
        Ok(())
    }

    /// Sends a payload, and says what the status of the answer was, and its body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn offer(&self, payload: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::post(&self.url)
            .header("content-type", "application/x-protobuf")
            .body(Full::new(payload))?;
        let (head, body) = self.client.request(request).await?.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    }
}
