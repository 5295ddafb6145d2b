//! What the process says about itself on `/metrics`.
//!
//! Names are those people have dashboards for: the Collector's where the meaning is the same
//! (`otelcol_…`), Prometheus' for remote write (`prometheus_remote_storage_…`), and our own
//! (`preamp_…`) for what neither has. Counters end in `_total`, but for the Collector's (see `exposition`).

mod component;
mod connections;
mod debug;
mod delivery;
mod exposition;
mod latest;
mod ledger;
#[cfg(feature = "receivers")]
pub(crate) mod otlp;
mod process;
mod push;
mod queue;
mod receiver;
mod reload;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use component::ComponentCollector;
pub use connections::ConnectionMetrics;
#[cfg(feature = "receivers")]
pub use connections::ListenerMetrics;
pub(crate) use debug::DebugCounts;
pub use debug::DebugMetrics;
pub use delivery::{Attempt, Content, DeliveryMetrics};
pub use exposition::Format;
#[cfg(feature = "receivers")]
pub(crate) use latest::now;
pub use latest::{Events, LastAttempt, Latest};
pub use ledger::{Ledger, Snapshot};
use process::ProcessCollector;
pub(crate) use process::process_memory;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
pub use push::PushMetrics;
pub use receiver::{ReceiverMetrics, RequestOutcome, Transport};
pub use reload::ReloadMetrics;

use crate::losses::LossLog;
use preamp_config::MetricNames;
use preamp_queue::Queue;
use preamp_wasm::PoolStats;

/// Counters by one label.
type ByLabel = Family<[(&'static str, String); 1], Counter>;

/// The metrics of the process itself.
pub struct NodeMetrics {
    registry: Registry,
    /// Connections to its ports.
    pub connections: ConnectionMetrics,
    /// How often the configuration was read again.
    pub reloads: ReloadMetrics,
    /// What the exporters `debug` and `logging` showed.
    pub debug: DebugMetrics,
    /// How often these metrics were pushed.
    pub pushes: PushMetrics,
}

impl NodeMetrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessCollector { started: Instant::now() }));
        let reloads = ReloadMetrics::register(&mut registry);
        let connections = ConnectionMetrics::default();
        connections.register(&mut registry);
        let debug = DebugMetrics::register(&mut registry);
        let pushes = PushMetrics::register(&mut registry);
        NodeMetrics { registry, connections, reloads, debug, pushes }
    }
}

impl fmt::Debug for NodeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeMetrics").finish_non_exhaustive()
    }
}

/// One page of all these.
pub(crate) fn encode(
    node: &NodeMetrics,
    exporters: &[Arc<Metrics>],
    format: Format,
    names: MetricNames,
) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode_registry(&mut page, &node.registry);
    for exporter in exporters {
        let _ = text::encode_registry(&mut page, &exporter.registry);
    }
    let _ = text::encode_eof(&mut page);
    exposition::rewritten(&page, format, names)
}

/// The metrics of one exporter, of the receiver before it and the queue between them.
pub struct Metrics {
    registry: Registry,
    /// What became of the points.
    pub ledger: Arc<Ledger>,
    /// What came in.
    pub receiver: ReceiverMetrics,
    /// What went out.
    pub delivery: DeliveryMetrics,
    /// The log of what ends other than delivered.
    pub losses: LossLog,
    /// What happened last.
    pub latest: Arc<Latest>,
}

impl Metrics {
    /// Metrics of a receiver and an exporter, by their ids in the configuration, of `queue`, and of
    /// the component's instances, about which `pool` is asked.
    #[must_use]
    pub fn new(
        receiver: &str,
        exporter: &str,
        queue: Arc<dyn Queue>,
        pool: impl Fn() -> PoolStats + Send + Sync + 'static,
    ) -> Self {
        Self::with_losses(receiver, exporter, queue, pool, LossLog::default())
    }

    /// The same with a log of losses that knows the user's file.
    #[must_use]
    pub fn with_losses(
        receiver: &str,
        exporter: &str,
        queue: Arc<dyn Queue>,
        pool: impl Fn() -> PoolStats + Send + Sync + 'static,
        losses: LossLog,
    ) -> Self {
        let mut registry = Registry::default();
        let ledger = Arc::new(Ledger::new(Arc::clone(&queue)));
        let receiver = ReceiverMetrics::register(&mut registry, receiver);
        let latest = Arc::<Latest>::default();
        let delivery = DeliveryMetrics::register(&mut registry, exporter, latest.clone());
        registry.register_collector(Box::new(ComponentCollector(pool)));
        queue::register(&mut registry, exporter, queue);
        registry.register_collector(Box::new(Arc::clone(&ledger)));
        Self { registry, ledger, receiver, delivery, losses, latest }
    }
}

impl Metrics {
    /// One page of these alone in OpenMetrics, in which all counters end in `_total`.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Adds to the counter of `family` whose only label is `name`=`value`.
fn add(family: &ByLabel, name: &'static str, value: &str, amount: u64) {
    family.get_or_create_owned(&[(name, value.to_owned())]).inc_by(amount);
}

#[cfg(test)]
mod tests;
