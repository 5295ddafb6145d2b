//! A sender of OTLP over HTTP that keeps its connections, as SDKs do.

use anyhow::ensure;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
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
        let request = Request::post(&self.url)
            .header("content-type", "application/x-protobuf")
            .body(Full::new(payload))?;
        let status = self.client.request(request).await?.status();
        ensure!(status == 200, "a payload was answered {status}");
        Ok(())
    }
}
