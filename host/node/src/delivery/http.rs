//! The HTTP client: sends what the component signed, and brings back what it needs to judge.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HOST, RETRY_AFTER};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use super::authorization::Authorization;
use super::connect::Connector;
use super::route::Route;
use super::transport::{Exchange, Transport};
use crate::causes::{tls_remedy, with_causes};
use crate::tls::TlsError;
use preamp_config::{ClientSettings, Connections};
use preamp_contract::{Header, Request, Response};
use preamp_queue::Pending;

/// The contract gives the component no more of an answer's body.
const BODY_LIMIT: usize = 1024;

/// Sends requests over HTTP/1.1 or HTTP/2, whichever the receiver speaks, and keeps connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    authorization: Option<Arc<Authorization>>,
    timeout: Duration,
}

impl HttpClient {
    /// A client as configured. Every attempt, from connecting to the last byte needed of the answer, ends
    /// within its time limit.
    ///
    /// # Errors
    /// When the TLS settings cannot be used.
    pub fn new(settings: &ClientSettings) -> Result<Self, TlsError> {
        Self::build(settings, &mut Client::builder(TokioExecutor::new()))
    }

    /// A client that speaks HTTP/2 from the first byte, as gRPC does.
    ///
    /// # Errors
    /// When the TLS settings cannot be used.
    #[cfg(feature = "receivers")]
    pub(crate) fn over_http2(settings: &ClientSettings) -> Result<Self, TlsError> {
        Self::build(settings, Client::builder(TokioExecutor::new()).http2_only(true))
    }

    fn build(settings: &ClientSettings, builder: &mut Builder) -> Result<Self, TlsError> {
        let Connections { idle_timeout, max_idle, http2_read_idle_timeout, http2_ping_timeout, .. } =
            settings.connections;
        let connector = Connector::new(settings)?;
        let client = builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle_timeout)
            .pool_max_idle_per_host(max_idle)
            .http2_keep_alive_interval(http2_read_idle_timeout)
            .http2_keep_alive_timeout(http2_ping_timeout)
            .http2_keep_alive_while_idle(true)
            .build(connector.clone());
        let authorization = settings.authorization.as_ref().map(|shown| Arc::new(Authorization::new(shown)));
        Ok(Self { client, connector, authorization, timeout: settings.timeout })
    }

    /// The way that requests to a receiver take.
    #[must_use]
    pub fn route(&self, receiver: &Uri) -> Route {
        self.connector.route(receiver)
    }

    /// What is found at a URL, if it is no more than `most` bytes.
    ///
    /// # Errors
    /// When there is no such answer with the status 200; why.
    pub async fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, String> {
        let request = compose(
            Request { method: "GET".into(), url: url.to_owned(), headers: Vec::new() },
            Bytes::new(),
        )?;
        let answered = async {
            let answer = self.client.request(request).await.map_err(|error| with_causes(&error))?;
            if answer.status() != StatusCode::OK {
                return Err(format!("answered {}", answer.status()));
            }
            let body = Limited::new(answer.into_body(), most).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(|error| error.to_string())
        };
        let late = || format!("no answer within {} ms", self.timeout.as_millis());
        tokio::time::timeout(self.timeout, answered).await.unwrap_or_else(|_elapsed| Err(late()))
    }

    /// Sends `body`, which is shared and not copied, with the head that the component made. Never
    /// fails: the exchange says what went wrong.
    pub async fn send(&self, head: Request, body: Bytes) -> Exchange {
        let mut request = match compose(head, body) {
            Ok(request) => request,
            Err(problem) => return Exchange::not_sent(problem),
        };
        let deadline = Instant::now() + self.timeout;
        if let Some(authorization) = &self.authorization
            && let Err(problem) = authorization.show(&mut request).await
        {
            return Exchange::not_sent(problem);
        }
        match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(answer)) => Exchange::answered(read(answer, deadline).await),
            Ok(Err(error)) => unanswered(&error),
            Err(_elapsed) => {
                Exchange::unanswered(format!("no answer within {} ms", self.timeout.as_millis()))
            }
        }
    }
}

impl Transport for HttpClient {
    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn send(&self, head: Request, body: Bytes) -> Pending<'_, Exchange> {
        Box::pin(HttpClient::send(self, head, body))
    }
}

fn compose(head: Request, body: Bytes) -> Result<http::Request<Full<Bytes>>, String> {
    let method = Method::from_bytes(head.method.as_bytes()).map_err(|error| format!("method: {error}"))?;
    let uri: Uri = head.url.parse().map_err(|error| format!("URL {}: {error}", head.url))?;
    let mut request = http::Request::new(Full::new(body));
    *request.method_mut() = method;
    for Header { name, value } in head.headers {
        // The value may be a secret, so an error names the field only.
        let field =
            HeaderName::from_bytes(name.as_bytes()).map_err(|error| format!("header {name}: {error}"))?;
        let value = HeaderValue::try_from(value).map_err(|error| format!("header {name}: {error}"))?;
        request.headers_mut().append(field, value);
    }
    *request.uri_mut() = match request.headers().get(HOST) {
        Some(host) => under_host(uri, host),
        None => uri,
    };
    Ok(request)
}

/// Writes the authority of `uri` as the signed host has it (lower case, no default port), because
/// HTTP/2 sends the authority in place of the host. One that means another address stays: it says
/// where to connect.
fn under_host(uri: Uri, host: &HeaderValue) -> Uri {
    let mut parts = uri.clone().into_parts();
    let Some(authority) = &parts.authority else { return uri };
    let default_port = if parts.scheme == Some(Scheme::HTTPS) { ":443" } else { ":80" };
    let written = authority.as_str();
    let bare = written.strip_suffix(default_port).unwrap_or(written);
    let Some(host) = host.to_str().ok().filter(|host| host.eq_ignore_ascii_case(bare)) else { return uri };
    let Ok(host) = host.parse::<Authority>() else { return uri };
    parts.authority = Some(host);
    Uri::from_parts(parts).unwrap_or(uri)
}

/// Reads what the contract wants of an answer. A body that breaks off does not undo the status.
async fn read(answer: http::Response<Incoming>, deadline: Instant) -> Response {
    let (head, mut incoming) = answer.into_parts();
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    while body.len() < BODY_LIMIT {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, incoming.frame()).await else { break };
        if let Some(data) = frame.data_ref() {
            let wanted = data.len().min(BODY_LIMIT - body.len());
            body.extend(data.iter().take(wanted));
        }
        if let Ok(fields) = frame.into_trailers() {
            trailers = fields;
        }
    }
    let headers = head.headers.iter().chain(&trailers).filter(|(name, _)| is_judged(name));
    let headers = headers.map(|(name, value)| Header {
        name: name.as_str().to_owned(),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    });
    Response { status: head.status.as_u16(), headers: headers.collect(), body }
}

fn is_judged(name: &HeaderName) -> bool {
    let is_one_of = |prefix| name.as_str().starts_with(prefix);
    [RETRY_AFTER, DATE, CONTENT_TYPE].contains(name) || is_one_of("x-") || is_one_of("grpc-")
}

/// Why there is no answer, and what helps. Without a connection nothing was written.
fn unanswered(error: &hyper_util::client::legacy::Error) -> Exchange {
    let mut reason = with_causes(error);
    if let Some(remedy) = tls_remedy(error) {
        reason.push_str("; ");
        reason.push_str(remedy);
    }
    if error.is_connect() { Exchange::not_sent(reason) } else { Exchange::unanswered(reason) }
}

#[cfg(test)]
mod tests;
