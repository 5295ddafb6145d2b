//! What others ask of the process itself: its metrics and its health. They are answered until its end.

use super::health::{self, Health};
use super::running::Tasks;
use super::sockets::ProbeSockets;
use super::{StartError, metrics_server};
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::receiver::listener::Incoming;
use crate::tls;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

/// The servers of both.
pub(super) struct Probes {
    pub(super) metrics: Option<SocketAddr>,
    pub(super) health: Option<SocketAddr>,
    pub(super) state: Arc<Health>,
    waiting: Option<TcpListener>,
    stop: CancellationToken,
    tasks: Tasks,
}

impl Probes {
    /// Answers at once that the process starts.
    ///
    /// # Errors
    ///
    /// When the TLS of the health server cannot be used.
    pub(super) fn start(settings: &Settings, sockets: ProbeSockets) -> Result<Self, StartError> {
        let address = |socket: &TcpListener| socket.local_addr().ok();
        let mut probes = Probes {
            metrics: sockets.metrics.as_ref().and_then(address),
            health: sockets.health.as_ref().and_then(address),
            state: Health::new(),
            waiting: sockets.metrics,
            stop: CancellationToken::new(),
            tasks: Tasks::new(),
        };
        if let (Some(socket), Some(settings)) = (sockets.health, &settings.health) {
            let setting = || format!("extensions.{}", settings.id);
            let tls = settings.tls.as_ref().map(|tls| tls::server(tls, &["h2", "http/1.1"])).transpose();
            let tls = tls.map_err(|error| StartError::Tls { setting: setting(), error })?;
            let incoming = Incoming::new(Arc::new(socket), tls).map_err(StartError::Socket)?;
            let server = axum::serve(incoming, health::router(settings, &probes.state));
            let server = server.with_graceful_shutdown(probes.stop.clone().cancelled_owned());
            probes.add("the health server", server.into_future());
        }
        Ok(probes)
    }

    /// Answers from now on that the process is ready, and with its metrics.
    pub(super) fn ready(&mut self, metrics: &Arc<Metrics>) {
        self.state.ready(metrics);
        if let Some(socket) = self.waiting.take() {
            let routes = health::management(&self.state);
            let server = metrics_server::serve(socket, routes, metrics.clone(), self.stop.clone());
            self.add("/metrics", server);
        }
    }

    /// Waits until one of them ends that should not have.
    pub(super) async fn next_ended(&mut self) -> Option<Result<Result<(), String>, JoinError>> {
        self.tasks.join_next().await
    }

    /// Answers no more.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        self.tasks.shutdown().await;
    }

    fn add(&mut self, name: &'static str, server: impl Future<Output = io::Result<()>> + Send + 'static) {
        self.tasks.spawn(async move { server.await.map_err(|error| format!("{name} failed: {error}")) });
    }
}
