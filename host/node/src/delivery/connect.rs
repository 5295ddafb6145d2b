//! Connections to the receiver: through a proxy or not, with TLS or not.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tower_service::Service;

use super::route::{Proxies, Route};
use crate::tls::{self, FromFiles, TlsError};
use preamp_config::ClientSettings;

/// Connections whose other side is gone are found after this long.
const KEEPALIVE: Duration = Duration::from_secs(50);

/// A connection through the proxy failed.
#[derive(Debug, thiserror::Error)]
#[error("through the proxy")]
struct ThroughProxy(#[source] Box<dyn Error + Send + Sync>);

/// Connects, each time with the TLS files as they are then.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Arc<FromFiles<ClientConfig>>,
    server_name: Option<ServerName<'static>>,
    offers_http2: bool,
    proxies: Arc<Proxies>,
}

impl Connector {
    /// Connects as configured.
    ///
    /// # Errors
    /// When the TLS settings cannot be used.
    pub(super) fn new(settings: &ClientSettings) -> Result<Self, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        // Lets the connector of HTTPS hand URLs with that scheme to it.
        tcp.enforce_http(false);
        let server_name = settings.tls.server_name.clone().map(ServerName::try_from).transpose();
        let server_name = server_name.map_err(|error| {
            rustls::Error::General(format!("tls.server_name_override is no name of a host: {error}"))
        })?;
        Ok(Self {
            tcp,
            tls: Arc::new(tls::client(&settings.tls)?),
            server_name,
            offers_http2: settings.connections.offers_http2,
            proxies: Arc::new(Proxies::new(settings.proxy_url.as_ref().map(|url| url.expose()))),
        })
    }

    /// The way to a receiver.
    pub(super) fn route(&self, receiver: &Uri) -> Route {
        self.proxies.route(receiver)
    }

    fn with_tls<T>(&self, below: T) -> HttpsConnector<T> {
        let config = ClientConfig::clone(&self.tls.current());
        let mut builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        if let Some(name) = &self.server_name {
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name.clone()));
        }
        let builder = builder.enable_http1();
        if self.offers_http2 {
            builder.enable_http2().wrap_connector(below)
        } else {
            builder.wrap_connector(below)
        }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, receiver: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.on_the_way_to(&receiver) else {
            return Box::pin(self.with_tls(self.tcp.clone()).call(receiver));
        };
        if proxy.uri().scheme_str() != Some("http") {
            let scheme = proxy.uri().scheme_str().unwrap_or_default();
            let problem =
                format!("the proxy of the environment speaks {scheme}; preamp knows those of http only");
            return Box::pin(std::future::ready(Err(problem.into())));
        }
        let tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
        let tunnel = match proxy.basic_auth() {
            Some(password) => tunnel.with_auth(password.clone()),
            None => tunnel,
        };
        let connecting = self.with_tls(tunnel).call(receiver);
        Box::pin(async { connecting.await.map_err(|error| ThroughProxy(error).into()) })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
