//! The receivers of a service: their sockets, their TLS and their tasks.

use super::StartError;
use super::running::{Tasks, finish};
use super::sockets::ReceiverSockets;
use crate::intake::Intake;
use crate::node::Node;
use crate::receiver::Entrance;
use crate::receiver::grpc::GrpcReceiver;
use crate::receiver::http::HttpReceiver;
use crate::receiver::senders::Senders;
use crate::server::{Protocols, Server, ServersTls};
use crate::tls;
use preamp_config::{Listener, OtlpReceiver, Serving};
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What receivers need of files.
pub(super) struct PreparedReceivers {
    grpc: Prepared,
    http: Prepared,
}

/// What one of them needs.
#[derive(Default)]
struct Prepared {
    tls: Option<ServersTls>,
    senders: Option<Arc<Senders>>,
}

impl PreparedReceivers {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When one of them cannot be used.
    pub(super) fn read(receiver: &OtlpReceiver) -> Result<Self, StartError> {
        Ok(Self {
            grpc: Prepared::read(receiver, "grpc", receiver.grpc.as_ref(), &["h2"])?,
            http: Prepared::read(receiver, "http", receiver.http.as_ref(), &["h2", "http/1.1"])?,
        })
    }
}

impl Prepared {
    fn read(
        receiver: &OtlpReceiver,
        name: &str,
        listener: Option<&Listener>,
        protocols: &'static [&'static str],
    ) -> Result<Self, StartError> {
        let Some(Listener { tls, senders, .. }) = listener else { return Ok(Prepared::default()) };
        let tls = tls.as_ref().map(|tls| tls::server(tls, protocols)).transpose();
        let setting = || format!("receivers.{}.protocols.{name}", receiver.id);
        let tls = tls.map_err(|error| StartError::Tls { setting: setting(), error })?;
        let read = |settings: &preamp_config::Senders| {
            let setting = format!("extensions.{}", settings.extension);
            Senders::read(settings).map_err(|error| StartError::Senders { setting, error })
        };
        Ok(Prepared { tls, senders: senders.as_ref().map(read).transpose()? })
    }
}

/// What receivers work with.
#[derive(Clone)]
pub(super) struct Surroundings {
    /// Where requests go.
    pub(super) intake: Arc<Intake>,
    /// The process, which counts their connections.
    pub(super) node: Arc<Node>,
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
        prepared: PreparedReceivers,
        around: &Surroundings,
    ) -> Self {
        let stop = CancellationToken::new();
        let mut receivers = Receivers { sockets, stop, tasks: Tasks::new(), ending: Tasks::new() };
        receivers.serve(settings, prepared, around);
        receivers
    }

    /// Goes on with other settings. Requests under way are answered by those who took them.
    pub(super) fn exchange(
        &mut self,
        settings: &OtlpReceiver,
        sockets: ReceiverSockets,
        prepared: PreparedReceivers,
        around: &Surroundings,
    ) {
        let next = Receivers::start(settings, sockets, prepared, around);
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

    fn serve(&mut self, settings: &OtlpReceiver, prepared: PreparedReceivers, around: &Surroundings) {
        let Surroundings { intake, node, room } = around;
        let most = settings.part_of_port(*room);
        let server = |socket: &Arc<TcpListener>, listener: &Listener, tls, protocols, name| {
            let mut serving = listener.serving.clone();
            if serving.max_connections > most {
                serving.max_connections = most;
                say_limit(&settings.id, name, &listener.serving, most);
            }
            let (socket, metrics) = (Arc::clone(socket), node.metrics().connections.listener(name));
            Server { socket, tls, serving, protocols, metrics }
        };
        let (grpc, http) = (self.sockets.grpc.clone(), self.sockets.http.clone());
        if let (Some(socket), Some(listener)) = (&grpc, &settings.grpc) {
            let server = server(socket, listener, prepared.grpc.tls, Protocols::Http2, "grpc");
            let receiver = Arc::new(GrpcReceiver::new(entrance(listener, prepared.grpc.senders, intake)));
            let handler = move |request| {
                let receiver = Arc::clone(&receiver);
                async move { receiver.handle(request).await }
            };
            self.add(server.serve(handler, self.stop.clone()));
        }
        if let (Some(socket), Some(listener)) = (&http, &settings.http) {
            let server = server(socket, listener, prepared.http.tls, Protocols::Both, "http");
            let entrance = entrance(listener, prepared.http.senders, intake);
            let (path, names) = (listener.metrics_path.clone(), server.names());
            let receiver = Arc::new(HttpReceiver::new(entrance, path, names));
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

/// So many connections are enough for most, whatever the default is.
const PLENTY: usize = 1_000;

/// Says that there is not room for as many connections as there may be.
fn say_limit(id: &str, name: &str, serving: &Serving, most: usize) {
    let configured = serving.max_connections;
    if configured != Serving::default().max_connections || most < PLENTY {
        tracing::warn!(
            setting = format!("receivers.{id}.protocols.{name}.max_connections"),
            configured,
            most,
            "the limit of open files leaves room for fewer connections: raise it (systemd: LimitNOFILE, shell: ulimit -n)"
        );
    }
}

/// What a receiver takes, and who may send it from now on.
fn entrance(listener: &Listener, senders: Option<Arc<Senders>>, intake: &Arc<Intake>) -> Entrance {
    senders.iter().for_each(Senders::keep_up);
    Entrance {
        intake: Arc::clone(intake),
        request_bytes_max: usize::try_from(listener.max_request_bytes).unwrap_or(usize::MAX),
        read_timeout: listener.serving.read_timeout,
        senders,
    }
}
