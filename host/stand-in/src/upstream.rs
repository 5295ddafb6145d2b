//! Hands verified requests on to a real Prometheus, and answers as AMP would where Prometheus does not.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::answer::Answer;

/// Texts of refusals for good that Prometheus 2.42 answers with 500, which a sender must repeat for ever.
const PERMANENT: [&str; 4] = ["too old sample", "out of order sample", "out of bounds", "duplicate"];

/// A Prometheus with `--web.enable-remote-write-receiver`.
pub(crate) struct Upstream {
    url: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Upstream {
    pub(crate) fn new(url: Uri) -> Self {
        Self { url, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Forwards a body with those headers of the sender that belong to remote write; signatures stay here.
    pub(crate) async fn forward(&self, sent: &HeaderMap, body: Bytes) -> Answer {
        match self.exchange(sent, body).await {
            Ok((status, _)) if status.is_success() => Answer::stored(),
            Ok((StatusCode::INTERNAL_SERVER_ERROR, text))
                if PERMANENT.iter().any(|known| text.contains(known)) =>
            {
                Answer::refused(text)
            }
            Ok((status, text)) => Answer::text(status, text),
            Err(error) => Answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("upstream: {error}")),
        }
    }

    async fn exchange(
        &self,
        sent: &HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let version = http::HeaderName::from_static("x-prometheus-remote-write-version");
        for name in [CONTENT_TYPE, CONTENT_ENCODING, USER_AGENT, version] {
            if let Some(value) = sent.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let response = self.client.request(request).await?;
        let status = response.status();
        let text = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }
}
