//! Short ways to build OTLP payloads, and to look at what became of them.

use crate::Exporter;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
pub use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
pub use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use preamp_contract::{Acceptance, Batch, BatchError, Encoding};
use prost::Message;

/// The time of all points, unless said otherwise: 2026-01-15T23:59:30Z in milliseconds.
pub const TIME: u64 = 1_768_521_570_000;
pub const NOW: u64 = TIME * 1_000_000;

pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

pub fn point(value: f64, attributes: &[KeyValue]) -> NumberDataPoint {
    point_at(TIME, value, attributes)
}

pub fn point_at(time_ms: u64, value: f64, attributes: &[KeyValue]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.to_vec(),
        time_unix_nano: time_ms * 1_000_000,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    }
}

pub fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Default::default() }
}

pub fn gauge(name: &str, points: Vec<NumberDataPoint>) -> Metric {
    metric(name, "", Data::Gauge(Gauge { data_points: points }))
}

pub fn sum(name: &str, temporality: AggregationTemporality, points: Vec<NumberDataPoint>) -> Metric {
    let sum = Sum { data_points: points, aggregation_temporality: temporality.into(), is_monotonic: true };
    metric(name, "", Data::Sum(sum))
}

pub fn histogram(name: &str, points: Vec<HistogramDataPoint>) -> Metric {
    let temporality = AggregationTemporality::Cumulative.into();
    metric(
        name,
        "s",
        Data::Histogram(Histogram { data_points: points, aggregation_temporality: temporality }),
    )
}

/// A point of an exponential histogram with buckets on both sides.
pub fn exponential_point() -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        time_unix_nano: NOW,
        start_time_unix_nano: NOW - 5_000_000_000,
        count: 13,
        sum: Some(2.5),
        scale: 1,
        zero_count: 3,
        positive: Some(Buckets { offset: 2, bucket_counts: vec![1, 0, 2, 0, 0, 0, 3] }),
        negative: Some(Buckets { offset: -3, bucket_counts: vec![4] }),
        ..Default::default()
    }
}

/// A metric named `e` with one point of an exponential histogram.
pub fn exponential(point: ExponentialHistogramDataPoint) -> Metric {
    let temporality = AggregationTemporality::Cumulative.into();
    let data = ExponentialHistogram { data_points: vec![point], aggregation_temporality: temporality };
    metric("e", "", Data::ExponentialHistogram(data))
}

/// An exemplar with a trace id, a span id and one attribute.
pub fn exemplar(value: f64, attribute: KeyValue) -> Exemplar {
    Exemplar {
        filtered_attributes: vec![attribute],
        time_unix_nano: NOW - 1_500_000,
        span_id: vec![0xab; 8],
        trace_id: vec![0x12; 16],
        value: Some(exemplar::Value::AsDouble(value)),
    }
}

pub fn resource(attributes: &[KeyValue], metrics: Vec<Metric>) -> ResourceMetrics {
    ResourceMetrics {
        resource: Some(Resource { attributes: attributes.to_vec(), ..Default::default() }),
        scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
        ..Default::default()
    }
}

pub fn encode(resource_metrics: Vec<ResourceMetrics>) -> Vec<u8> {
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

pub fn exporter(options: &str) -> Exporter {
    let comma = if options.is_empty() { "" } else { "," };
    Exporter::open(&format!(r#"{{"endpoint":"http://localhost/"{comma}{options}}}"#)).unwrap()
}

pub fn accept(exporter: &mut Exporter, payload: &[u8]) -> Acceptance {
    exporter.accept(payload, Encoding::Protobuf, NOW).unwrap()
}

/// The samples of a payload as text without the time, in the order of the text.
pub fn series(options: &str, resource_metrics: Vec<ResourceMetrics>) -> Vec<String> {
    let mut exporter = exporter(options);
    let acceptance = accept(&mut exporter, &encode(resource_metrics));
    assert_eq!(acceptance.rejections, []);
    lines(&exporter, &acceptance)
}

pub fn lines(exporter: &Exporter, acceptance: &Acceptance) -> Vec<String> {
    let lines = explained(exporter, &acceptance.batches);
    let mut lines: Vec<_> = lines.iter().map(|line| line.replace(&format!(" {TIME}"), "")).collect();
    lines.sort();
    lines
}

/// What batches hold, a line for each sample.
pub fn explained(exporter: &Exporter, batches: &[Batch]) -> Vec<String> {
    lines_of(batches, |batch| exporter.explain(batch).unwrap())
}

/// The lines of the texts that batches make.
pub fn lines_of(batches: &[Batch], text: impl Fn(&Batch) -> String) -> Vec<String> {
    batches.iter().flat_map(|batch| text(batch).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// A batch halved until only single series are left, in order; `check` looks at it and at each part.
pub fn halved_to_series(exporter: &Exporter, batch: &Batch, check: fn(&Batch)) -> Vec<Batch> {
    let mut parts = Vec::new();
    let mut stack = vec![batch.clone()];
    while let Some(batch) = stack.pop() {
        check(&batch);
        match exporter.halve(&batch) {
            Ok((first, second)) => {
                assert_eq!(first.points + second.points, batch.points);
                assert_eq!(exporter.halve(&batch).unwrap(), (first.clone(), second.clone()));
                stack.extend([second, first]);
            }
            Err(error) => {
                assert_eq!(error, BatchError::SingleSeries);
                parts.push(batch);
            }
        }
    }
    parts
}
