//! What became of payloads that were to be shown by the exporters `debug` and `logging`. None of it is in a ledger.

use super::ByLabel;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counts payloads by exporter.
#[derive(Clone, Debug, Default)]
pub struct DebugMetrics {
    shown: ByLabel,
    dropped: ByLabel,
}

/// Those of one exporter.
#[derive(Clone, Debug)]
pub(crate) struct DebugCounts {
    shown: Counter,
    dropped: Counter,
    /// How many were dropped before this exporter was started.
    dropped_before: u64,
}

impl DebugMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("preamp_debug");
        registry.register(
            "shown_payloads",
            "Payloads that the exporters debug and logging have shown",
            metrics.shown.clone(),
        );
        registry.register(
            "dropped_payloads",
            "Payloads that the exporters debug and logging did not show, since the output is read too slowly; they are \
             delivered all the same",
            metrics.dropped.clone(),
        );
        metrics
    }

    /// The counts of an exporter.
    pub(crate) fn of(&self, exporter: &str) -> DebugCounts {
        let counter = |family: &ByLabel| {
            Counter::clone(&family.get_or_create_owned(&[("exporter", exporter.to_owned())]))
        };
        let (shown, dropped) = (counter(&self.shown), counter(&self.dropped));
        let dropped_before = dropped.get();
        DebugCounts { shown, dropped, dropped_before }
    }
}

impl DebugCounts {
    pub(crate) fn shown(&self) {
        self.shown.inc();
    }

    pub(crate) fn dropped(&self) {
        self.dropped.inc();
    }

    /// How many were ever dropped.
    #[cfg(test)]
    pub(crate) fn dropped_in_all(&self) -> u64 {
        self.dropped.get()
    }

    /// How many were dropped since the exporter was started.
    pub(crate) fn dropped_so_far(&self) -> u64 {
        self.dropped.get() - self.dropped_before
    }
}
