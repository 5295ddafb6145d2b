//! How often the configuration was read again, in the words of Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts the times that the configuration was read again.
#[derive(Debug)]
pub struct ReloadMetrics {
    reloads: Family<[(&'static str, &'static str); 1], Counter>,
    successful: Gauge,
    last_success: Gauge<f64, AtomicU64>,
}

impl ReloadMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics =
            Self { reloads: Family::default(), successful: Gauge::default(), last_success: Gauge::default() };
        // What is in use now was read at the start.
        metrics.succeeded();
        let registry = registry.sub_registry_with_prefix("preamp_config");
        registry.register("reloads", "Times the configuration was read again", metrics.reloads.clone());
        registry.register(
            "last_reload_successful",
            "1 if the configuration could be used when it was last read, else 0",
            metrics.successful.clone(),
        );
        registry.register(
            "last_reload_success_timestamp_seconds",
            "When the configuration in use was read, as seconds since the epoch",
            metrics.last_success.clone(),
        );
        metrics
    }

    /// Counts a time when it could not be used.
    pub fn failed(&self) {
        self.reloads.get_or_create_owned(&[("outcome", "failure")]).inc();
        self.successful.set(0);
    }

    /// Counts a time when it could.
    pub fn reloaded(&self) {
        self.reloads.get_or_create_owned(&[("outcome", "success")]).inc();
        self.succeeded();
    }

    fn succeeded(&self) {
        self.successful.set(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success.set(now.as_secs_f64());
    }
}
