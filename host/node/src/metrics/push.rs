//! How often the metrics of the process were pushed.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counts pushes.
#[derive(Clone, Debug, Default)]
pub struct PushMetrics(Family<[(&'static str, &'static str); 1], Counter>);

impl PushMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        // Both series start at 0, so that `increase()` sees the first push.
        for outcome in [true, false] {
            metrics.of(outcome);
        }
        registry.register(
            "preamp_self_metrics_pushes",
            "Times that the metrics of the process itself were pushed",
            metrics.0.clone(),
        );
        metrics
    }

    /// Counts a push.
    pub(crate) fn pushed(&self, is_taken: bool) {
        self.of(is_taken).inc();
    }

    fn of(&self, is_taken: bool) -> Counter {
        let outcome = if is_taken { "success" } else { "failure" };
        Counter::clone(&self.0.get_or_create_owned(&[("outcome", outcome)]))
    }
}
