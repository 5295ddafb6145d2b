//! The whole flow of one configuration, put together: `preamp run`, the demo and the tests all use
//! this and nothing else.

mod fit;
mod health;
mod metrics_server;
mod probes;
mod receivers;
mod reload;
mod running;
mod sockets;
mod state;

pub use reload::Next;
pub use running::{Running, Stopped};
pub use sockets::Addresses;
pub use state::RestoreError;

use crate::credentials::{Aws, CredentialsSource, SigningKeys};
use crate::delivery::{self, Delivery, HttpClient, Pauses};
use crate::intake::{Intake, Patience, Room};
use crate::metrics::{ConnectionMetrics, Metrics};
use crate::nats;
use crate::processors::Processors;
use crate::receiver::senders::SendersError;
use crate::receiver_clock::ReceiverClock;
use crate::server::Descriptors;
use crate::tls::TlsError;
use fit::Fitted;
use preamp_base::Clock;
use preamp_base::memory::{Budget, Shares};
use preamp_config::{Directory, ExporterSettings, Nats, Settings, SigV4, Storage};
use preamp_queue::durable::{self, DurableQueue, Folder, FolderError};
use preamp_queue::{JetStreamQueue, MemoryQueue, Queue, jetstream};
use preamp_wasm::{CallError, Component, ExporterPool, InUse, OpenError, PoolLimits};
use probes::Probes;
use receivers::{PreparedReceivers, Receivers, Shared};
use sockets::Sockets;
use state::Saver;
use std::sync::Arc;

/// What a service gets from outside beside its settings.
pub struct Parts {
    /// What translates, signs and judges.
    pub component: Component,
    /// How much memory the process may use.
    pub budget: Budget,
    /// How much the component may use, if that is not its share of the memory.
    pub limits: Option<PoolLimits>,
    /// Where credentials come from, if requests are signed and it is not where the configuration says.
    pub credentials: Option<Arc<dyn CredentialsSource>>,
    /// What time it is.
    pub clock: Clock,
    /// How long delivery waits when repeating alone cannot help.
    pub pauses: Pauses,
}

impl Parts {
    /// This component, credentials from where the configuration says, and the clock of the system.
    #[must_use]
    pub fn of_this_system(component: Component) -> Parts {
        Parts {
            component,
            budget: Budget::of_this_system(),
            limits: None,
            credentials: None,
            clock: Clock::system(),
            pauses: Pauses::default(),
        }
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
    /// It cannot be told who may send.
    #[error("{setting}: {error}")]
    Senders {
        /// The extension.
        setting: String,
        /// What is wrong.
        error: SendersError,
    },
    /// The component failed, which is a fault of this program.
    #[error(transparent)]
    Component(#[from] CallError),
    /// What an earlier process remembered cannot be used.
    #[error(transparent)]
    State(#[from] RestoreError),
    /// What the queue is kept in cannot be used.
    #[error("the queue of exporters.{exporter}: {error}")]
    Queue {
        /// The exporter's id.
        exporter: String,
        /// What is wrong.
        error: QueueError,
    },
}

/// Why what a queue is kept in cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// It cannot be written to, or is in use.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What is in it cannot be used.
    #[error(transparent)]
    Contents(#[from] durable::OpenError),
    /// The servers cannot be used.
    #[error(transparent)]
    Servers(#[from] nats::ConnectError),
    /// The stream cannot be used.
    #[error(transparent)]
    Stream(#[from] jetstream::OpenError),
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
        let fitted = Fitted::new(settings, parts.budget);
        fitted.log();
        let Fitted { settings, shares, .. } = &fitted;
        let limits = parts.limits.unwrap_or_else(|| PoolLimits::within(shares));
        let sockets = Sockets::bind(settings).await?;
        let connections = ConnectionMetrics::default();
        let descriptors = Descriptors::of_this_process(u64::from(settings.exporter.queue.consumers));
        let probes = Probes::start(settings, sockets.probes, &connections, descriptors.probes)?;
        let prepared = Prepared::made(settings, &parts.component, limits.clone()).await?;
        let exporter = &settings.exporter;
        let in_use = Arc::new(InUse::new(prepared.exporters.clone()));
        let saver = match &exporter.state_file {
            Some(path) if prepared.exporters.remembers() => Some(Saver::start(&in_use, path).await?),
            _ => None,
        };
        let queue = open_queue(exporter, shares)
            .await
            .map_err(|error| StartError::Queue { exporter: exporter.id.clone(), error })?;
        let pool = in_use.clone();
        let metrics = Metrics::new(&settings.receiver.id, &exporter.id, queue.clone(), move || pool.stats());
        let metrics = Arc::new(metrics.with_connections(&connections));
        let clock = Arc::new(ReceiverClock::new(parts.clock));
        let intake = Intake::new(
            in_use.clone(),
            queue.clone(),
            clock.clone(),
            metrics.clone(),
            Processors::start(&settings.processors),
            Room::new(shares.requests),
        );
        let preamp_config::Queue { on_overflow, waits_for_result, .. } = exporter.queue;
        let intake = intake.with_patience(Patience { on_overflow, for_result: waits_for_result });
        let base = Base {
            component: parts.component,
            budget: parts.budget,
            limits,
            credentials: parts.credentials,
            pauses: parts.pauses,
            clock,
            queue,
            metrics,
            in_use,
            shared: Shared { intake: Arc::new(intake), connections, room: descriptors.receivers },
        };
        let keys = exporter.sigv4.as_ref().map(|scope| base.keys(scope));
        let delivery = base.deliver(settings, prepared.exporters, prepared.client, keys.clone(), false);
        let receivers =
            Receivers::start(&settings.receiver, sockets.receivers, prepared.receivers, &base.shared);
        Ok(Running::new(settings.clone(), base, keys, delivery, receivers, saver, probes))
    }
}

/// How the queue of an exporter on disk is set up, in its share of the memory.
#[must_use]
pub fn queue_options(exporter: &ExporterSettings, shares: &Shares) -> durable::Options {
    let preamp_config::Queue { max_payloads, max_points, max_bytes, min_free_bytes, partitions, .. } =
        exporter.queue;
    durable::Options {
        exporter: exporter.id.clone(),
        partitions,
        max_payloads: max_payloads as u64,
        max_points,
        max_bytes,
        min_free_bytes,
        cached_bytes: shares.cache.min(max_bytes),
        index_bytes: shares.index,
    }
}

/// How the queue of an exporter in a stream is set up.
#[must_use]
pub fn stream_options(exporter: &ExporterSettings, nats: &Nats) -> jetstream::Options {
    let usual = || exporter.id.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
    jetstream::Options {
        exporter: exporter.id.clone(),
        stream: nats.stream.clone().unwrap_or_else(|| format!("preamp_{}", usual())),
        partitions: exporter.queue.partitions,
        max_bytes: exporter.queue.max_bytes,
        replicas: nats.replicas,
        lease: nats.lease_for(exporter.client.timeout),
        quarantine: nats.quarantine_directory.clone(),
    }
}

async fn open_queue(exporter: &ExporterSettings, shares: &Shares) -> Result<Arc<dyn Queue>, QueueError> {
    let options = queue_options(exporter, shares);
    match &exporter.queue.storage {
        Storage::Memory => {
            let durable::Options { partitions, max_payloads, max_points, max_bytes, .. } = options;
            // Who asks for more bodies than there is memory for gets them, and a warning.
            let memory = shares.queue.max(max_bytes);
            let queue = MemoryQueue::limited(partitions, max_payloads, max_points, max_bytes, memory);
            Ok(Arc::new(queue))
        }
        Storage::Directory(directory) => Ok(Arc::new(open_directory(directory, &options)?)),
        Storage::Nats(nats) => Ok(Arc::new(
            JetStreamQueue::open(nats::connect(nats).await?, &stream_options(exporter, nats)).await?,
        )),
    }
}

fn open_directory(directory: &Directory, options: &durable::Options) -> Result<DurableQueue, QueueError> {
    let (queue, found) = DurableQueue::open(Arc::new(Folder::reserve(directory)?), options)?;
    let durable::Found { batches, points, was_closed, damaged_bytes, damaged_points } = found;
    let directory = directory.path.display();
    if damaged_bytes > 0 || damaged_points > 0 {
        tracing::error!(%directory, damaged_bytes, damaged_points, "the queue is damaged; what is left of it is delivered");
    }
    tracing::info!(%directory, batches, points, was_closed, "the queue is kept on disk");
    Ok(queue)
}

/// What of a configuration can be made before anything is touched that is running.
pub struct Prepared {
    /// The component, opened with the exporter's configuration.
    pub exporters: ExporterPool,
    /// The client that the exporter sends with.
    pub client: HttpClient,
    receivers: PreparedReceivers,
}

impl Prepared {
    /// Makes all of it. Nobody is connected to, and nothing is listened on.
    ///
    /// # Errors
    ///
    /// When a setting cannot be used.
    pub fn new(settings: &Settings, component: &Component, limits: PoolLimits) -> Result<Self, StartError> {
        let exporter = &settings.exporter;
        Ok(Prepared {
            exporters: ExporterPool::open(component, &exporter.component_json, limits)?,
            client: HttpClient::new(&exporter.client)
                .map_err(|error| StartError::Tls { setting: format!("exporters.{}", exporter.id), error })?,
            receivers: PreparedReceivers::read(&settings.receiver)?,
        })
    }

    /// The same on a thread of its own: what the files stand on may hang.
    async fn made(
        settings: &Settings,
        component: &Component,
        limits: PoolLimits,
    ) -> Result<Self, StartError> {
        let (settings, component) = (settings.clone(), component.clone());
        let making = tokio::task::spawn_blocking(move || Prepared::new(&settings, &component, limits));
        making.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// What stays the same while the configuration changes.
struct Base {
    component: Component,
    budget: Budget,
    limits: PoolLimits,
    credentials: Option<Arc<dyn CredentialsSource>>,
    pauses: Pauses,
    clock: Arc<ReceiverClock>,
    queue: Arc<dyn Queue>,
    metrics: Arc<Metrics>,
    in_use: Arc<InUse>,
    shared: Shared,
}

impl Base {
    fn keys(&self, scope: &SigV4) -> SigningKeys {
        let source: Box<dyn CredentialsSource> = match &self.credentials {
            Some(source) => Box::new(source.clone()),
            None => Box::new(Aws::new(scope)),
        };
        SigningKeys::new(source, scope.region.clone(), scope.service.clone())
    }

    fn deliver(
        &self,
        settings: &Settings,
        exporters: ExporterPool,
        client: HttpClient,
        keys: Option<SigningKeys>,
        may_be_repeat: bool,
    ) -> Delivery {
        Delivery::start(delivery::Parts {
            exporters,
            may_be_repeat,
            in_flight: settings.exporter.queue.consumers,
            queue: self.queue.clone(),
            endpoint: settings.exporter.endpoint.clone(),
            client: Arc::new(client),
            keys,
            clock: self.clock.clone(),
            retry: settings.exporter.retry.clone(),
            max_age: settings.exporter.max_sample_age,
            batching: settings.processors.batch,
            pauses: self.pauses,
            metrics: self.metrics.clone(),
        })
    }
}
