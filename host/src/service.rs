//! The whole flow of one configuration, put together: `preamp run`, the demo and the tests all use
//! this and nothing else.

mod metrics_server;
mod running;
mod sockets;
mod state;

pub use running::{Running, Stopped};
pub use sockets::Addresses;
pub use state::RestoreError;

use crate::clock::Clock;
use crate::component::{self, Component, Exporters, LoadError, OpenError, PoolLimits};
use crate::config::{self, Listener, OtlpReceiver, Settings};
use crate::credentials::{Aws, CredentialsSource, SigningKeys};
use crate::delivery::{self, Delivery, HttpClient, Pauses};
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::queue::{MemoryQueue, Queue};
use crate::receiver::grpc::GrpcReceiver;
use crate::receiver::http::HttpReceiver;
use crate::receiver::listener::{Incoming, ReceiverTls, receiver_tls};
use crate::tls::TlsError;
use sockets::Sockets;
use state::Saver;
use std::sync::Arc;

/// What a service gets from outside beside its settings.
pub struct Parts {
    /// What translates, signs and judges.
    pub component: Component,
    /// How much the component may use.
    pub limits: PoolLimits,
    /// Where credentials come from, if requests are signed and it is not where the configuration says.
    pub credentials: Option<Box<dyn CredentialsSource>>,
    /// What time it is.
    pub clock: Clock,
    /// How long delivery waits when repeating alone cannot help.
    pub pauses: Pauses,
}

impl Parts {
    /// The component built into this program, credentials from where the configuration says, and the
    /// clock of the system.
    ///
    /// # Errors
    ///
    /// When the component cannot be loaded.
    pub fn of_this_system() -> Result<Parts, LoadError> {
        Ok(Parts {
            component: component::load()?,
            limits: PoolLimits::default(),
            credentials: None,
            clock: Clock::system(),
            pauses: Pauses::default(),
        })
    }
}

/// Why a service could not be started. Nothing of it is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("{setting}: cannot listen on {endpoint}: {error}; choose another address, or stop what uses it")]
    Listen {
        /// The setting that names the address.
        setting: String,
        /// The address.
        endpoint: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The component does not take its configuration, or does not come up.
    #[error(transparent)]
    Exporter(#[from] OpenError),
    /// The TLS settings cannot be used.
    #[error("{setting}: {error}")]
    Tls {
        /// The component that has them.
        setting: String,
        /// What is wrong.
        error: TlsError,
    },
    /// A socket that was opened cannot be used.
    #[error("cannot listen: {0}")]
    Socket(std::io::Error),
    /// What an earlier process remembered cannot be used.
    #[error(transparent)]
    State(#[from] RestoreError),
}

/// How a service is started.
pub struct Service;

impl Service {
    /// Starts a service. When this returns, it accepts requests.
    ///
    /// # Errors
    ///
    /// When an address is taken, or a setting cannot be used.
    pub async fn start(settings: &Settings, parts: Parts) -> Result<Running, StartError> {
        let sockets = Sockets::bind(settings).await?;
        let tls = ReceiversTls::read(&settings.receiver)?;
        let exporter = &settings.exporter;
        let exporters = Exporters::open(&parts.component, &exporter.component_json, parts.limits)?;
        let client = HttpClient::new(&exporter.client)
            .map_err(|error| StartError::Tls { setting: format!("exporters.{}", exporter.id), error })?;
        let saver = match &exporter.state_file {
            Some(path) if exporters.remembers() => Some(Saver::start(&exporters, path).await?),
            _ => None,
        };
        let queue = queue(&exporter.queue);
        let pool = exporters.clone();
        let metrics = Metrics::new(&settings.receiver.id, &exporter.id, queue.clone(), move || pool.stats());
        let metrics = Arc::new(metrics);
        let clock = Arc::new(parts.clock);
        let keys = exporter.sigv4.as_ref().map(|scope| {
            let source = parts.credentials.unwrap_or_else(|| Box::new(Aws::new(scope)));
            SigningKeys::new(source, scope.region.clone(), scope.service.clone())
        });

        let delivery = Delivery::start(delivery::Parts {
            exporters: exporters.clone(),
            queue: queue.clone(),
            client,
            keys,
            clock: clock.clone(),
            retry: exporter.retry.clone(),
            pauses: parts.pauses,
            metrics: metrics.clone(),
        });
        let mut running = Running::new(sockets.addresses(), metrics.clone(), delivery, saver);
        let intake = Intake::new(exporters, queue, clock, metrics);
        add_servers(&mut running, settings, sockets, tls, Arc::new(intake)).map_err(StartError::Socket)?;
        Ok(running)
    }
}

fn queue(settings: &config::Queue) -> Arc<dyn Queue> {
    Arc::new(MemoryQueue::new(settings.partitions, settings.max_payloads as u64, settings.max_bytes))
}

fn add_servers(
    running: &mut Running,
    settings: &Settings,
    sockets: Sockets,
    tls: ReceiversTls,
    intake: Arc<Intake>,
) -> std::io::Result<()> {
    let receiver = &settings.receiver;
    if let (Some(socket), Some(listener)) = (sockets.grpc, &receiver.grpc) {
        let incoming = Incoming::new(socket, tls.grpc)?;
        let receiver =
            GrpcReceiver { intake: intake.clone(), request_bytes_max: request_bytes_max(listener) };
        running.add_receiver(receiver.serve(incoming, running.stop_receivers.clone()));
    }
    if let (Some(socket), Some(listener)) = (sockets.http, &receiver.http) {
        let incoming = Incoming::new(socket, tls.http)?;
        let receiver = HttpReceiver {
            intake,
            metrics_path: listener.metrics_path.clone(),
            request_bytes_max: request_bytes_max(listener),
        };
        running.add_receiver(receiver.serve(incoming, running.stop_receivers.clone()));
    }
    if let Some(socket) = sockets.metrics {
        let server = metrics_server::serve(socket, running.metrics().clone(), running.stop_metrics.clone());
        running.add_metrics_server(server);
    }
    Ok(())
}

/// The TLS of the receivers, from their files.
pub struct ReceiversTls {
    grpc: Option<ReceiverTls>,
    http: Option<ReceiverTls>,
}

impl ReceiversTls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When one of them cannot be used.
    pub fn read(receiver: &OtlpReceiver) -> Result<Self, StartError> {
        let read = |name: &str, listener: &Option<Listener>, protocols| {
            let tls = listener.as_ref().and_then(|listener| listener.tls.as_ref());
            let setting = || format!("receivers.{}.protocols.{name}", receiver.id);
            tls.map(|tls| receiver_tls(tls, protocols))
                .transpose()
                .map_err(|error| StartError::Tls { setting: setting(), error })
        };
        Ok(Self {
            grpc: read("grpc", &receiver.grpc, &["h2"])?,
            http: read("http", &receiver.http, &["h2", "http/1.1"])?,
        })
    }
}

fn request_bytes_max(listener: &Listener) -> usize {
    usize::try_from(listener.max_request_bytes).unwrap_or(usize::MAX)
}
