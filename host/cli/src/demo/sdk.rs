//! The OpenTelemetry SDK as an application uses it: instruments, a periodic reader, OTLP over gRPC.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

/// How often the SDK exports.
const INTERVAL: Duration = Duration::from_millis(250);

/// What the SDK says it exported.
#[derive(Debug, Default)]
pub(super) struct Exported {
    /// Points whose export succeeded.
    pub(super) points: AtomicU64,
    /// Points whose export failed: the SDK does not try again.
    pub(super) failed: AtomicU64,
}

/// An SDK that exports to an OTLP/gRPC endpoint such as `http://127.0.0.1:4317`. Needs a tokio runtime.
pub(super) fn provider(
    endpoint: &str,
    exported: Arc<Exported>,
) -> Result<SdkMeterProvider, opentelemetry_otlp::ExporterBuildError> {
    let otlp = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_temporality(Temporality::Cumulative)
        .build()?;
    let reader = PeriodicReader::builder(Counting { otlp, exported }).with_interval(INTERVAL).build();
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "shop"),
            KeyValue::new("service.namespace", "preamp-demo"),
            KeyValue::new("service.instance.id", "shop-0"),
            KeyValue::new("deployment.environment.name", "demo"),
        ])
        .build();
    Ok(SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build())
}

/// Counts points on their way into the OTLP exporter, before anything of Preamp sees them.
#[derive(Debug)]
struct Counting {
    otlp: MetricExporter,
    exported: Arc<Exported>,
}

impl PushMetricExporter for Counting {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let points = points(metrics);
        let result = self.otlp.export(metrics).await;
        let counter = if result.is_ok() { &self.exported.points } else { &self.exported.failed };
        counter.fetch_add(points, Ordering::Relaxed);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.otlp.temporality()
    }
}

fn points(metrics: &ResourceMetrics) -> u64 {
    let counts =
        metrics.scope_metrics().flat_map(|scope| scope.metrics()).map(|metric| match metric.data() {
            AggregatedMetrics::F64(data) => count(data),
            AggregatedMetrics::U64(data) => count(data),
            AggregatedMetrics::I64(data) => count(data),
        });
    counts.sum::<usize>() as u64
}

fn count<T>(data: &MetricData<T>) -> usize {
    match data {
        MetricData::Gauge(gauge) => gauge.data_points().count(),
        MetricData::Sum(sum) => sum.data_points().count(),
        MetricData::Histogram(histogram) => histogram.data_points().count(),
        MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
    }
}
