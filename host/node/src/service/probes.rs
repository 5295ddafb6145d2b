//! What others ask of the process itself: its metrics and its health. They are answered until its end.

use super::health::{self, Health};
use super::running::Tasks;
use super::sockets::ProbeSockets;
use super::{StartError, metrics_server};
use crate::node::Node;
use crate::server::{Names, Protocols, RequestBody, Server, ServersTls};
use crate::tls;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use http::{Request, Response, StatusCode};
use preamp_config::{MetricNames, Serving, Settings};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

/// The servers of both.
pub(super) struct Probes {
    pub(super) metrics: Option<SocketAddr>,
    pub(super) health: Option<SocketAddr>,
    pub(super) state: Arc<Health>,
    waiting: Option<(TcpListener, Serving)>,
    names: MetricNames,
    node: Arc<Node>,
    /// The most connections of each.
    most: usize,
    stop: CancellationToken,
    tasks: Tasks,
}

impl Probes {
    /// Answers at once that the process starts. Each server has so many connections at most.
    ///
    /// # Errors
    ///
    /// When the TLS of the health server cannot be used.
    pub(super) fn start(
        settings: &Settings,
        sockets: ProbeSockets,
        node: &Arc<Node>,
        most: usize,
    ) -> Result<Self, StartError> {
        let address = |socket: &TcpListener| socket.local_addr().ok();
        let mut probes = Probes {
            metrics: sockets.metrics.as_ref().and_then(address),
            health: sockets.health.as_ref().and_then(address),
            state: Health::new(node.clone()),
            waiting: sockets.metrics.map(|socket| (socket, of_metrics(settings))),
            names: settings.telemetry.metric_names,
            node: node.clone(),
            most,
            stop: CancellationToken::new(),
            tasks: Tasks::new(),
        };
        if let (Some(socket), Some(settings)) = (sockets.health, &settings.health) {
            let setting = || format!("extensions.{}", settings.id);
            let tls = settings.tls.as_ref().map(|tls| tls::server(tls, &["h2", "http/1.1"])).transpose();
            let tls = tls.map_err(|error| StartError::Tls { setting: setting(), error })?;
            let router = health::router(settings, &probes.state);
            probes.serve("health", socket, tls, settings.serving.clone(), router);
        }
        Ok(probes)
    }

    /// Answers from now on that the process is ready, and with its metrics.
    pub(super) fn ready(&mut self) {
        self.state.ready();
        if let Some((socket, serving)) = self.waiting.take() {
            let router =
                metrics_server::router(self.node.clone(), self.names).merge(health::management(&self.state));
            self.serve("metrics", socket, None, serving, router);
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

    fn serve(
        &mut self,
        name: &'static str,
        socket: TcpListener,
        tls: Option<ServersTls>,
        serving: Serving,
        router: Router,
    ) {
        let serving = Serving { max_connections: serving.max_connections.min(self.most), ..serving };
        let (socket, metrics) = (Arc::new(socket), self.node.metrics().connections.listener(name));
        let server = Server { socket, tls, serving, protocols: Protocols::Both, metrics };
        let names = Arc::new(server.names());
        let handler = move |request| answer(router.clone(), Arc::clone(&names), request);
        let server = server.serve(handler, self.stop.clone());
        self.tasks.spawn(async move {
            server.await.map_err(|error| format!("the server of {name} failed: {error}"))
        });
    }
}

/// What the server of `/metrics` may take.
fn of_metrics(settings: &Settings) -> Serving {
    Serving { hosts: settings.telemetry.metrics_hosts.clone(), ..Serving::default() }
}

async fn answer(mut router: Router, names: Arc<Names>, request: Request<RequestBody>) -> Response<Body> {
    if let Err(message) = names.check(request.uri(), request.headers()) {
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    match router.call(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
