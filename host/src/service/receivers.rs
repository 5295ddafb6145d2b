//! The receivers of a service: their sockets, their TLS and their tasks.

use super::StartError;
use super::running::{Tasks, finish};
use super::sockets::ReceiverSockets;
use crate::config::{Listener, OtlpReceiver};
use crate::intake::Intake;
use crate::receiver::grpc::GrpcReceiver;
use crate::receiver::http::HttpReceiver;
use crate::receiver::listener::{Incoming, ReceiverTls};
use crate::tls;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The TLS of the receivers, from their files.
pub(super) struct ReceiversTls {
    grpc: Option<ReceiverTls>,
    http: Option<ReceiverTls>,
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
        intake: &Arc<Intake>,
    ) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        let mut receivers = Receivers { sockets, stop, tasks: Tasks::new(), ending: Tasks::new() };
        receivers.serve(settings, tls, intake).map_err(StartError::Socket)?;
        Ok(receivers)
    }

    /// Goes on with other settings. Requests under way are answered by those who took them.
    pub(super) fn exchange(
        &mut self,
        settings: &OtlpReceiver,
        sockets: ReceiverSockets,
        tls: ReceiversTls,
        intake: &Arc<Intake>,
    ) -> Result<(), StartError> {
        let next = Receivers::start(settings, sockets, tls, intake)?;
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
        Ok(())
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

    fn serve(
        &mut self,
        settings: &OtlpReceiver,
        tls: ReceiversTls,
        intake: &Arc<Intake>,
    ) -> std::io::Result<()> {
        if let (Some(socket), Some(listener)) = (&self.sockets.grpc, &settings.grpc) {
            let incoming = Incoming::new(socket.clone(), tls.grpc)?;
            let receiver =
                GrpcReceiver { intake: intake.clone(), request_bytes_max: request_bytes_max(listener) };
            self.add(receiver.serve(incoming, self.stop.clone()));
        }
        if let (Some(socket), Some(listener)) = (&self.sockets.http, &settings.http) {
            let incoming = Incoming::new(socket.clone(), tls.http)?;
            let receiver = HttpReceiver {
                intake: intake.clone(),
                metrics_path: listener.metrics_path.clone(),
                request_bytes_max: request_bytes_max(listener),
            };
            self.add(receiver.serve(incoming, self.stop.clone()));
        }
        Ok(())
    }

    fn add<E: Display>(&mut self, task: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.tasks.spawn(async { task.await.map_err(|error| format!("a receiver failed: {error}")) });
    }
}

fn request_bytes_max(listener: &Listener) -> usize {
    usize::try_from(listener.max_request_bytes).unwrap_or(usize::MAX)
}
