//! The receivers of a service: their sockets, their TLS and their tasks.

use super::StartError;
use super::running::{Tasks, finish};
use super::sockets::ReceiverSockets;
use crate::config::{Listener, OtlpReceiver, Serving};
use crate::intake::Intake;
use crate::metrics::ConnectionMetrics;
use crate::receiver::grpc::GrpcReceiver;
use crate::receiver::http::HttpReceiver;
use crate::server::{Protocols, Server, ServersTls};
use crate::tls;
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The TLS of the receivers, from their files.
pub(super) struct ReceiversTls {
    grpc: Option<ServersTls>,
    http: Option<ServersTls>,
}

impl ReceiversTls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When one of them cannot be used.
    pub(super) fn read(receiver: &OtlpReceiver) -> Result<Self, StartError> {
        let read = |name: &str, listener: &Option<Listener>, protocols| {
            let tls = listener.as_ref().and_then(|listener| listener.tls.as_ref());
            let setting = || format!("receivers.{}.protocols.{name}", receiver.id);
            tls.map(|tls| tls::server(tls, protocols))
                .transpose()
                .map_err(|error| StartError::Tls { setting: setting(), error })
        };
        Ok(Self {
            grpc: read("grpc", &receiver.grpc, &["h2"])?,
            http: read("http", &receiver.http, &["h2", "http/1.1"])?,
        })
    }
}

/// What receivers share with all others that use the connections of this process.
#[derive(Clone)]
pub(super) struct Shared {
    /// Where requests go.
    pub(super) intake: Arc<Intake>,
    /// Counts connections.
    pub(super) connections: ConnectionMetrics,
    /// For how many connections the limit of open files leaves room.
    pub(super) room: usize,
}

/// Receivers at work.
pub(super) struct Receivers {
    pub(super) sockets: ReceiverSockets,
    stop: CancellationToken,
    tasks: Tasks,
    /// Those of earlier configurations, which finish the requests they have.
    ending: Tasks,
}

impl Receivers {
    /// Starts to receive.
    pub(super) fn start(
        settings: &OtlpReceiver,
        sockets: ReceiverSockets,
        tls: ReceiversTls,
        shared: &Shared,
    ) -> Self {
        let stop = CancellationToken::new();
        let mut receivers = Receivers { sockets, stop, tasks: Tasks::new(), ending: Tasks::new() };
        receivers.serve(settings, tls, shared);
        receivers
    }

    /// Goes on with other settings. Requests under way are answered by those who took them.
    pub(super) fn exchange(
        &mut self,
        settings: &OtlpReceiver,
        sockets: ReceiverSockets,
        tls: ReceiversTls,
        shared: &Shared,
    ) {
        let next = Receivers::start(settings, sockets, tls, shared);
        let mut last = std::mem::replace(self, next);
        last.stop.cancel();
        self.ending = std::mem::take(&mut last.ending);
        let mut tasks = std::mem::take(&mut last.tasks);
        self.ending.spawn(async move {
            while let Some(ended) = tasks.join_next().await {
                ended.map_err(|panic| panic.to_string())??;
            }
            Ok(())
        });
    }

    /// Waits until one of them ends that should not have.
    pub(super) async fn next_ended(&mut self) -> Option<Result<Result<(), String>, tokio::task::JoinError>> {
        self.tasks.join_next().await
    }

    /// Takes no more requests, and waits for those under way. Returns whether all ended in time.
    pub(super) async fn stop(&mut self, deadline: Instant) -> bool {
        self.stop.cancel();
        // Whoever connects from now on is to hear so, and not to wait for ever.
        self.sockets = ReceiverSockets::default();
        let done = finish(&mut self.tasks, deadline).await;
        finish(&mut self.ending, deadline).await && done
    }

    fn serve(&mut self, settings: &OtlpReceiver, tls: ReceiversTls, shared: &Shared) {
        let Shared { intake, connections, room } = shared;
        // Whoever takes all places of one port leaves those of the other alone.
        let most = room / settings.grpc.iter().chain(&settings.http).count().max(1);
        let server = |socket: &Arc<TcpListener>, listener: &Listener, tls, protocols, name| {
            let mut serving = listener.serving.clone();
            if serving.max_connections > most {
                serving.max_connections = most;
                say_limit(&settings.id, name, &listener.serving, most);
            }
            let (socket, metrics) = (Arc::clone(socket), connections.listener(name));
            Server { socket, tls, serving, protocols, metrics }
        };
        let (grpc, http) = (self.sockets.grpc.clone(), self.sockets.http.clone());
        if let (Some(socket), Some(listener)) = (&grpc, &settings.grpc) {
            let server = server(socket, listener, tls.grpc, Protocols::Http2, "grpc");
            let limit = request_bytes_max(listener);
            let receiver = GrpcReceiver::new(Arc::clone(intake), limit, listener.serving.read_timeout);
            let receiver = Arc::new(receiver);
            let handler = move |request| {
                let receiver = Arc::clone(&receiver);
                async move { receiver.handle(request).await }
            };
            self.add(server.serve(handler, self.stop.clone()));
        }
        if let (Some(socket), Some(listener)) = (&http, &settings.http) {
            let server = server(socket, listener, tls.http, Protocols::Both, "http");
            let limit = request_bytes_max(listener);
            let (path, time) = (listener.metrics_path.clone(), listener.serving.read_timeout);
            let receiver = Arc::new(HttpReceiver::new(Arc::clone(intake), path, limit, time));
            let handler = move |request| {
                let receiver = Arc::clone(&receiver);
                async move { receiver.handle(request).await }
            };
            self.add(server.serve(handler, self.stop.clone()));
        }
    }

    fn add(&mut self, server: impl Future<Output = io::Result<()>> + Send + 'static) {
        self.tasks.spawn(async { server.await.map_err(|error| format!("a receiver failed: {error}")) });
    }
}

/// Says that there is not room for as many connections as there may be.
fn say_limit(id: &str, name: &str, serving: &Serving, most: usize) {
    let configured = serving.max_connections;
    let setting = format!("receivers.{id}.protocols.{name}.max_connections");
    if configured == Serving::default().max_connections {
        tracing::info!(setting, most, "the limit of open files leaves room for fewer connections");
    } else {
        tracing::warn!(
            setting,
            configured,
            most,
            "the limit of open files leaves room for fewer connections: raise it (systemd: LimitNOFILE, shell: ulimit -n)"
        );
    }
}

fn request_bytes_max(listener: &Listener) -> usize {
    usize::try_from(listener.max_request_bytes).unwrap_or(usize::MAX)
}
