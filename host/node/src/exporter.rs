//! One destination, and everything that belongs to it.

use crate::credentials::SigningKeys;
use crate::delivery::{Delivery, DeliveryContext, Remains, Transport};
use crate::intake::{AckPolicy, Intake, PayloadOutcome};
use crate::losses::LossLog;
use crate::metrics::{Metrics, Transport as Arrival};
use crate::node::Node;
use crate::processors::Processors;
use crate::receiver_clock::ReceiverClock;
use crate::state::{RestoreError, Saver};
use bytes::Bytes;
use preamp_config::{Batching, Retry};
use preamp_contract::{Encoding, Limits};
use preamp_queue::Queue;
use preamp_wasm::{ActiveExporter, CallError, ExporterPool};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What an exporter is made of.
pub struct ExporterOptions {
    /// Its id, which is a label of its metrics.
    pub id: String,
    /// The id of the receiver that payloads come from, which is a label of its metrics.
    pub receiver: String,
    /// Where batches wait.
    pub queue: Arc<dyn Queue>,
    /// Where they go.
    pub destination: Destination,
    /// What is done with payloads before they are translated.
    pub processors: Processors,
    /// What senders are kept waiting for.
    pub ack_policy: AckPolicy,
    /// The file that keeps the totals of delta metrics from one process to the next.
    pub state_file: Option<PathBuf>,
    /// The log of what ends other than delivered.
    pub losses: LossLog,
}

impl ExporterOptions {
    /// An exporter without processors, that keeps nobody waiting and nothing in a file.
    #[must_use]
    pub fn new(id: &str, queue: Arc<dyn Queue>, destination: Destination) -> Self {
        ExporterOptions {
            id: id.to_owned(),
            receiver: "embedded".to_owned(),
            queue,
            destination,
            processors: Processors::default(),
            ack_policy: AckPolicy::default(),
            state_file: None,
            losses: LossLog::default(),
        }
    }
}

/// A receiver and how it is reached: what may change while an exporter is at work.
pub struct Destination {
    /// The component, opened with the exporter's configuration.
    pub pool: ExporterPool,
    /// The URL that requests are sent to.
    pub endpoint: String,
    /// How requests are sent.
    pub transport: Arc<dyn Transport>,
    /// What requests are signed with; `None` sends them unsigned.
    pub keys: Option<SigningKeys>,
    /// How failed attempts are repeated.
    pub retry: Retry,
    /// Whether to wait for fuller requests.
    pub batching: Option<Batching>,
    /// The most requests in flight.
    pub in_flight: u32,
}

/// An exporter at work: its instances, queue, delivery, keys, the receiver's clock, metrics and ledger. Exporters of one
/// [`Node`] share nothing else than what that has. Dropping one stops it at once and loses what a queue in memory holds;
/// [`drain`](Self::drain) does not.
pub struct Exporter {
    node: Arc<Node>,
    active: Arc<ActiveExporter>,
    queue: Arc<dyn Queue>,
    clock: Arc<ReceiverClock>,
    metrics: Arc<Metrics>,
    intake: Arc<Intake>,
    keys: Option<SigningKeys>,
    delivery: Delivery,
    saver: Option<Saver>,
}

impl Exporter {
    /// Starts an exporter of a node: it takes payloads and delivers. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the state file cannot be used.
    pub async fn start(node: &Arc<Node>, options: ExporterOptions) -> Result<Exporter, RestoreError> {
        let ExporterOptions { id, receiver, queue, destination, processors, ack_policy, state_file, losses } =
            options;
        let active = Arc::new(ActiveExporter::new(destination.pool.clone()));
        let saver = match &state_file {
            Some(path) if destination.pool.is_stateful() => Some(Saver::start(&active, path).await?),
            _ => None,
        };
        let pool = active.clone();
        let stats = move || pool.stats();
        let metrics = Arc::new(Metrics::with_losses(&receiver, &id, queue.clone(), stats, losses));
        let clock = Arc::new(ReceiverClock::new(node.clock.clone()));
        let intake = Intake::new(
            active.clone(),
            queue.clone(),
            clock.clone(),
            metrics.clone(),
            processors,
            node.requests.clone(),
        );
        let keys = destination.keys.clone();
        let delivery = deliver(node, &queue, &clock, &metrics, destination);
        node.add(&metrics);
        let intake = Arc::new(intake.with_ack_policy(ack_policy));
        Ok(Exporter { node: node.clone(), active, queue, clock, metrics, intake, keys, delivery, saver })
    }

    /// Takes one OTLP payload. After [`PayloadOutcome::Accepted`] or [`PayloadOutcome::Partial`], what was accepted is
    /// as safe as the queue makes it.
    pub async fn submit(&self, payload: Bytes, encoding: Encoding) -> PayloadOutcome {
        let mut reservation = self.intake.requests().reserve();
        if let Err(full) = reservation.grow(payload.len()) {
            return PayloadOutcome::Busy(full.to_string());
        }
        self.intake.submit(payload, reservation, encoding, Arrival::Embedded).await
    }

    /// Where receivers hand in payloads.
    #[must_use]
    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// What it says about itself, the ledger of its points included.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What the receiver takes, by the configuration in use.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.active.current().limits().clone()
    }

    /// What requests are signed with.
    #[must_use]
    pub fn keys(&self) -> Option<&SigningKeys> {
        self.keys.as_ref()
    }

    /// Goes on with another destination for the same queue, in order. A request in flight is waited for, for at most
    /// `patience`.
    ///
    /// # Errors
    ///
    /// When the component fails; the exporter is the same as before, but may accept nothing any more.
    pub async fn exchange(&mut self, destination: Destination, patience: Duration) -> Result<(), CallError> {
        if let Err(reason) = self.active.exchange(&destination.pool).await? {
            tracing::warn!(reason, "the totals of delta metrics begin anew");
        }
        self.delivery.hand_over(patience).await;
        self.keys.clone_from(&destination.keys);
        // The queue knows what the delivery before broke off, which may have arrived.
        self.delivery = deliver(&self.node, &self.queue, &self.clock, &self.metrics, destination);
        Ok(())
    }

    /// Saves the totals of delta metrics for the last time. Payloads are no longer accepted if there are any.
    ///
    /// # Errors
    ///
    /// When they cannot be saved.
    pub async fn close(&mut self) -> Result<(), RestoreError> {
        match self.saver.take() {
            Some(saver) => saver.finish().await,
            None => Ok(()),
        }
    }

    /// Takes no more payloads, delivers what is queued for at most `within`, and returns what is left.
    pub async fn drain(&self, within: Duration) -> Remains {
        self.delivery.drain(within).await
    }
}

fn deliver(
    node: &Node,
    queue: &Arc<dyn Queue>,
    clock: &Arc<ReceiverClock>,
    metrics: &Arc<Metrics>,
    destination: Destination,
) -> Delivery {
    let Destination { pool, endpoint, transport, keys, retry, batching, in_flight } = destination;
    Delivery::start(DeliveryContext {
        exporters: pool,
        in_flight,
        queue: queue.clone(),
        endpoint,
        client: transport,
        keys,
        clock: clock.clone(),
        retry,
        batching,
        pauses: node.pauses,
        metrics: metrics.clone(),
    })
}
