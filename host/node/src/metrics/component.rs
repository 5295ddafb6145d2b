//! The instances of the component.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use preamp_wasm::PoolStats;

/// Asks the pool of instances at each scrape, so that no count is kept twice.
pub(super) struct ComponentCollector<F>(pub(super) F);

impl<F> fmt::Debug for ComponentCollector<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentCollector").finish_non_exhaustive()
    }
}

impl<F: Fn() -> PoolStats + Send + Sync + 'static> Collector for ComponentCollector<F> {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let PoolStats { instances, created, calls, traps, recycled } = (self.0)();
        let (name, help) = ("preamp_component_instances", "Instances of the component, busy or idle");
        ConstGauge::new(instances).encode(encoder.encode_descriptor(
            name,
            help,
            None,
            MetricType::Gauge,
        )?)?;
        for (name, help, value) in [
            ("preamp_component_instances_created", "Instances made since the start", created),
            (
                "preamp_component_instances_recycled",
                "Instances replaced because their memory had grown",
                recycled,
            ),
            ("preamp_component_calls", "Calls of the component", calls),
            ("preamp_component_traps", "Calls that ended in a trap; each costs its payload only", traps),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        Ok(())
    }
}
