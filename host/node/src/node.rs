//! The process: what all of its exporters share.

use crate::credentials::CredentialsSource;
use crate::delivery::Pauses;
use crate::memory_budget::MemoryBudget;
use crate::metrics::{Format, Metrics, NodeMetrics, encode};
use preamp_base::Clock;
use preamp_base::memory::{MemoryLimit, Shares};
use preamp_config::MetricNames;
use preamp_wasm::{Component, ExporterPool, OpenError, PoolLimits};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What a node gets from the program that embeds it.
pub struct NodeOptions {
    /// What translates, signs and judges.
    pub component: Component,
    /// How much memory the process may use.
    pub memory: MemoryLimit,
    /// How much the component may use, if that is not its share of the memory.
    pub limits: Option<PoolLimits>,
    /// Where credentials come from, if requests are signed and it is not where the configuration says.
    pub credentials: Option<Arc<dyn CredentialsSource>>,
    /// The local time.
    pub clock: Clock,
    /// How long delivery waits when repeating alone cannot help.
    pub pauses: Pauses,
}

impl NodeOptions {
    /// This component, the memory and the clock of the system, and credentials from where the configuration says.
    #[must_use]
    pub fn of_this_system(component: Component) -> NodeOptions {
        NodeOptions {
            component,
            memory: MemoryLimit::of_this_system(),
            limits: None,
            credentials: None,
            clock: Clock::system(),
            pauses: Pauses::default(),
        }
    }
}

/// What is process-wide: the component, memory, the local clock, and the metrics of the process. It holds any number of
/// [exporters](crate::exporter::Exporter), and each of those has all that belongs to one destination.
pub struct Node {
    pub(crate) component: Component,
    #[cfg_attr(
        not(feature = "receivers"),
        expect(dead_code, reason = "what a configuration is fitted into")
    )]
    pub(crate) memory: MemoryLimit,
    pub(crate) limits: PoolLimits,
    #[cfg_attr(
        not(feature = "receivers"),
        expect(dead_code, reason = "what a configuration is signed with")
    )]
    pub(crate) credentials: Option<Arc<dyn CredentialsSource>>,
    pub(crate) clock: Clock,
    pub(crate) pauses: Pauses,
    /// The memory of all requests that are read or translated.
    pub(crate) requests: Arc<MemoryBudget>,
    metrics: NodeMetrics,
    exporters: Mutex<Vec<Weak<Metrics>>>,
}

impl Node {
    /// A node without exporters.
    #[must_use]
    pub fn new(options: NodeOptions) -> Arc<Node> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let shares = options.memory.shares(processors);
        Self::within(options, &shares)
    }

    /// The same, with the memory shared out like this.
    pub(crate) fn within(options: NodeOptions, shares: &Shares) -> Arc<Node> {
        let NodeOptions { component, memory, limits, credentials, clock, pauses } = options;
        Arc::new(Node {
            component,
            memory,
            limits: limits.unwrap_or_else(|| PoolLimits::within(shares)),
            credentials,
            clock,
            pauses,
            requests: Arc::new(MemoryBudget::new(shares.requests)),
            metrics: NodeMetrics::new(),
            exporters: Mutex::default(),
        })
    }

    /// Opens the component with the configuration of an exporter (JSON, see `describe` in the contract).
    ///
    /// # Errors
    ///
    /// All problems of the configuration at once, or that the component does not come up.
    pub fn open(&self, configuration: &str) -> Result<ExporterPool, OpenError> {
        ExporterPool::open(&self.component, configuration, self.limits.clone())
    }

    /// The metrics of the process itself.
    #[must_use]
    pub fn metrics(&self) -> &NodeMetrics {
        &self.metrics
    }

    /// The metrics of each exporter that is at work, in the order they were started.
    #[must_use]
    pub fn exporters(&self) -> Vec<Arc<Metrics>> {
        let mut exporters = self.exporters.lock().unwrap_or_else(PoisonError::into_inner);
        exporters.retain(|exporter| exporter.strong_count() > 0);
        exporters.iter().filter_map(Weak::upgrade).collect()
    }

    /// One page with the metrics of the process and of its exporters in OpenMetrics, in which all counters end in
    /// `_total`.
    #[must_use]
    pub fn encode_metrics(&self) -> String {
        let names = MetricNames { have_type_suffix: true, have_units: false };
        self.encode_metrics_as(Format::OpenMetrics, names)
    }

    /// The same in a format, and with names, of one's choice.
    #[must_use]
    pub fn encode_metrics_as(&self, format: Format, names: MetricNames) -> String {
        encode(&self.metrics, &self.exporters(), format, names)
    }

    pub(crate) fn add(&self, exporter: &Arc<Metrics>) {
        let mut exporters = self.exporters.lock().unwrap_or_else(PoisonError::into_inner);
        exporters.push(Arc::downgrade(exporter));
    }
}
