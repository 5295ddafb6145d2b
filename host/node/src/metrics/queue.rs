//! What waits between acceptance and delivery.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use preamp_queue::Queue;

/// Name, help, labels and value of a gauge.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u64);

/// Asks the queue at each scrape, so that no count is kept twice.
struct QueueCollector {
    exporter: String,
    queue: Arc<dyn Queue>,
}

/// Registers the gauges of `queue`, which feeds the exporter with this id.
pub(super) fn register(registry: &mut Registry, exporter: &str, queue: Arc<dyn Queue>) {
    registry.register_collector(Box::new(QueueCollector { exporter: exporter.to_owned(), queue }));
}

impl fmt::Debug for QueueCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueCollector").field("exporter", &self.exporter).finish_non_exhaustive()
    }
}

impl Collector for QueueCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let statistics = self.queue.statistics();
        let total = statistics.total();
        let otelcol = [("exporter", self.exporter.as_str()), ("data_type", "metrics")];
        let remote = [("remote_name", self.exporter.as_str())];
        let own = &otelcol[..1];
        let partitions = statistics.partitions.len() as u64;
        let oldest = total.oldest.unwrap_or_default().as_secs();
        let gauges: [Row<'_>; 11] = [
            ("otelcol_exporter_queue_size", "Payloads waiting for delivery", &otelcol, statistics.payloads),
            (
                "otelcol_exporter_queue_capacity",
                "The most payloads waiting",
                &otelcol,
                statistics.max_payloads,
            ),
            (
                "prometheus_remote_storage_samples_pending",
                "Samples waiting for delivery",
                &remote,
                total.samples,
            ),
            ("prometheus_remote_storage_shards", "Requests in flight at most", &remote, partitions),
            ("otelcol_exporter_prometheusremotewrite_consumers", "Workers that send", own, partitions),
            ("preamp_queue_bytes", "Bytes of bodies waiting for delivery", own, total.bytes),
            ("preamp_queue_max_bytes", "The most bytes of bodies waiting", own, statistics.max_bytes),
            (
                "preamp_queue_damaged_file_bytes",
                "Bytes of files with damage in which nothing waits, kept to be looked at",
                own,
                statistics.damaged_file_bytes,
            ),
            ("preamp_queue_memory_bytes", "Bytes of memory that what waits takes", own, statistics.memory),
            (
                "preamp_queue_max_memory_bytes",
                "The most bytes of memory that what waits may take; 0 without such a limit",
                own,
                statistics.max_memory,
            ),
            ("preamp_queue_oldest_seconds", "How long the oldest batch has been waiting", own, oldest),
        ];
        for (name, help, labels, value) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
