//! The whole flow of one configuration, put together: `preamp run`, the demo and the tests all use
//! this and nothing else.

mod fit;
mod health;
mod metrics_server;
mod probes;
mod push;
mod receivers;
mod reload;
mod running;
mod sockets;

pub use crate::state::RestoreError;
pub use reload::Next;
pub use running::{Running, Stopped};
pub use sockets::Addresses;

use crate::credentials::{CredentialsSource, SigningKeys};
use crate::debug::DebugExporters;
use crate::delivery::HttpClient;
use crate::exporter::{Destination, Exporter, ExporterOptions};
use crate::intake::AckPolicy;
use crate::losses::{LimitKey, LossLog};
use crate::node::{Node, NodeOptions};
use crate::processors::Processors;
use crate::receiver::senders::SendersError;
use crate::server::Descriptors;
use crate::tls::TlsError;
use fit::Fitted;
use preamp_base::memory::Shares;
#[cfg(feature = "nats")]
use preamp_config::Nats;
use preamp_config::{Directory, ExporterSettings, LogFormat, Settings, Storage};
use preamp_queue::durable::{self, DurableQueue, Folder, FolderError};
use preamp_queue::{AppendError, MemoryQueue, Queue};
#[cfg(feature = "nats")]
use preamp_queue::{JetStreamQueue, jetstream};
use preamp_wasm::{CallError, Component, ExporterPool, OpenError, PoolLimits};
use probes::Probes;
use push::Pushes;
use receivers::{PreparedReceivers, Receivers, Surroundings};
use sockets::Sockets;
use std::sync::Arc;

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
    /// The program was built without a part that the settings ask for.
    #[cfg(not(feature = "aws"))]
    #[error("this program was built without {what}: build `preamp-host` with the feature `{feature}`")]
    NotBuilt {
        /// The part.
        what: &'static str,
        /// The feature that adds it.
        feature: &'static str,
    },
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
    #[cfg(feature = "nats")]
    #[error(transparent)]
    Servers(#[from] crate::nats::ConnectError),
    /// The program was built without shared queues.
    #[cfg(not(feature = "nats"))]
    #[error("this program was built without shared queues: build `preamp-host` with the feature `nats`")]
    NotBuilt,
    /// The stream cannot be used.
    #[cfg(feature = "nats")]
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
    pub async fn start(settings: &Settings, options: NodeOptions) -> Result<Running, StartError> {
        let fitted = Fitted::new(settings, options.memory);
        fitted.log();
        let Fitted { settings, shares, .. } = &fitted;
        let sockets = Sockets::bind(settings).await?;
        let descriptors = Descriptors::of_this_process(u64::from(settings.exporter.queue.consumers));
        let node = Node::within(options, shares);
        let probes = Probes::start(settings, sockets.probes, &node, descriptors.probes)?;
        let prepared = Prepared::made(settings, &node.component, node.limits.clone()).await?;
        let config = &settings.exporter;
        let queue = open_queue(config, shares)
            .await
            .map_err(|error| StartError::Queue { exporter: config.id.clone(), error })?;
        let preamp_config::Queue { on_overflow, waits_for_result, .. } = config.queue;
        let keys = signing_keys(&node, settings)?;
        let options = ExporterOptions {
            id: config.id.clone(),
            receiver: settings.receiver.id.clone(),
            queue,
            destination: destination(settings, prepared.exporters, prepared.client, keys),
            processors: Processors::start(&settings.processors),
            ack_policy: AckPolicy { on_overflow, wait_for_delivery: waits_for_result },
            state_file: config.state_file.clone(),
            losses: loss_log(config),
        };
        let exporter = Exporter::start(&node, options).await?;
        exporter.intake().show_by(debug_exporters(&node, &settings.debug, settings.telemetry.log_format));
        let around = Surroundings { intake: exporter.intake().clone(), node, room: descriptors.receivers };
        let receivers = Receivers::start(&settings.receiver, sockets.receivers, prepared.receivers, &around);
        let pushes = Pushes::start(&settings.telemetry, &around.node, exporter.intake())?;
        Ok(Running::new(settings.clone(), exporter, around, receivers, probes, pushes))
    }
}

/// A log of losses in the words of the file.
fn loss_log(config: &ExporterSettings) -> LossLog {
    let key = |limit: &str| config.queue.key_of_limit(limit);
    let keys = AppendError::LIMITS.into_iter().filter_map(|limit| {
        let (key, value) = key(limit)?;
        Some((limit, LimitKey { key: config.key_names.key(key), value }))
    });
    LossLog::new(config.key_names.clone(), keys.collect())
}

/// The exporters that show what comes in, if there are any.
fn debug_exporters(
    node: &Node,
    settings: &[preamp_config::DebugExporter],
    format: LogFormat,
) -> Option<DebugExporters> {
    (!settings.is_empty()).then(|| DebugExporters::start(settings, format, &node.metrics().debug))
}

/// What requests are signed with, if they are.
fn signing_keys(node: &Node, settings: &Settings) -> Result<Option<SigningKeys>, StartError> {
    let Some(scope) = &settings.exporter.sigv4 else { return Ok(None) };
    let source: Box<dyn CredentialsSource> = match &node.credentials {
        Some(source) => Box::new(source.clone()),
        #[cfg(feature = "aws")]
        None => Box::new(crate::credentials::Aws::new(scope)),
        #[cfg(not(feature = "aws"))]
        None => return Err(StartError::NotBuilt { what: "AWS credentials", feature: "aws" }),
    };
    Ok(Some(SigningKeys::new(source, scope.region.clone(), scope.service.clone())))
}

/// The destination that the settings name.
fn destination(
    settings: &Settings,
    pool: ExporterPool,
    client: HttpClient,
    keys: Option<SigningKeys>,
) -> Destination {
    let exporter = &settings.exporter;
    Destination {
        pool,
        endpoint: exporter.endpoint.clone(),
        transport: Arc::new(client),
        keys,
        retry: exporter.retry.clone(),
        batching: settings.processors.batch,
        in_flight: exporter.queue.consumers,
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
#[cfg(feature = "nats")]
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
        #[cfg(feature = "nats")]
        Storage::Nats(nats) => {
            let (client, options) = (crate::nats::connect(nats).await?, stream_options(exporter, nats));
            Ok(Arc::new(JetStreamQueue::open(client, &options).await?))
        }
        #[cfg(not(feature = "nats"))]
        Storage::Nats(_) => Err(QueueError::NotBuilt),
    }
}

fn open_directory(directory: &Directory, options: &durable::Options) -> Result<DurableQueue, QueueError> {
    let (queue, found) = DurableQueue::open(Arc::new(Folder::reserve(directory)?), options)?;
    let durable::Opened { batches, points, was_closed, damaged_bytes, damaged_points } = found;
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
        let exporter = settings.exporter.id.clone();
        let making = tokio::task::spawn_blocking(move || Prepared::new(&settings, &component, limits));
        let prepared = making.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let receiver = prepared.exporters.limits();
        tracing::info!(
            exporter,
            profile = %receiver.profile,
            why = %receiver.profile_reason,
            "the profile of the receiver"
        );
        Ok(prepared)
    }
}
