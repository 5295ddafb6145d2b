//! Random payloads: small, of all types, and odd wherever OTLP lets them be.

use fastrand::Rng;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, Gauge, Histogram, Metric, ResourceMetrics, ScopeMetrics, Sum, Summary,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::options::pick;
use super::{points, values};
use crate::payloads;

/// Makes a payload.
pub fn payload(rng: &mut Rng) -> ExportMetricsServiceRequest {
    let mut resource_metrics: Vec<_> = (0..few(rng, 2)).map(|_| resource_metrics_of(rng)).collect();
    if rng.u8(..8) == 0
        && let Some(first) = resource_metrics.first().cloned()
    {
        resource_metrics.push(first);
    }
    ExportMetricsServiceRequest { resource_metrics }
}

/// How many of something: mostly one, at most one more than `most`, sometimes none.
fn few(rng: &mut Rng, most: usize) -> usize {
    match rng.u8(..16) {
        0 => 0,
        1..=9 => 1,
        _ => rng.usize(1..=most + 1),
    }
}

fn resource_metrics_of(rng: &mut Rng) -> ResourceMetrics {
    let scope_metrics = (0..few(rng, 2)).map(|_| scope_metrics_of(rng)).collect();
    let resource =
        (rng.u8(..8) > 0).then(|| Resource { attributes: resource_attributes(rng), ..Resource::default() });
    ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }
}

fn resource_attributes(rng: &mut Rng) -> Vec<KeyValue> {
    let mut attributes = values::attributes(rng, 3);
    for key in ["service.name", "service.namespace", "service.instance.id"] {
        if rng.bool() && attributes.iter().all(|other| other.key != key) {
            let value = if rng.u8(..8) == 0 {
                Some(values::any_value(rng, 2))
            } else {
                payloads::text(key, pick(rng, &["shop", "", "checkout", "é/1"])).value
            };
            attributes.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
        }
    }
    attributes
}

fn scope_metrics_of(rng: &mut Rng) -> ScopeMetrics {
    let scope = (rng.u8(..4) > 0).then(|| InstrumentationScope {
        name: pick(rng, &["", "lib", "lib", "é"]).to_owned(),
        version: pick(rng, &["", "1.2", "1.2"]).to_owned(),
        attributes: scope_attributes(rng),
        ..InstrumentationScope::default()
    });
    let mut metrics: Vec<_> = (0..few(rng, 3)).map(|_| metric(rng)).collect();
    if rng.u8(..16) == 0
        && let Some(first) = metrics.first().cloned()
    {
        metrics.push(Metric { description: "What it is called too.".to_owned(), ..first });
    }
    ScopeMetrics { scope, metrics, ..ScopeMetrics::default() }
}

fn scope_attributes(rng: &mut Rng) -> Vec<KeyValue> {
    if rng.bool() { Vec::new() } else { values::attributes(rng, 3) }
}

fn metric(rng: &mut Rng) -> Metric {
    Metric {
        name: values::name(rng),
        description: pick(rng, &["", "", "What it is.", "é\n\"\\"]).to_owned(),
        unit: values::unit(rng),
        metadata: metadata(rng),
        data: (rng.u8(..20) > 0).then(|| data(rng)),
    }
}

/// What receivers of Prometheus formats note of the type that a metric had there.
fn metadata(rng: &mut Rng) -> Vec<KeyValue> {
    if rng.u8(..4) > 0 {
        return Vec::new();
    }
    let key = pick(rng, &["prometheus.type", "prometheus.type", "other"]);
    let types = ["unknown", "info", "stateset", "counter", "gauge", ""];
    vec![match rng.u8(..6) {
        0 => payloads::attribute(key, Value::IntValue(1)),
        _ => payloads::text(key, pick(rng, &types)),
    }]
}

fn data(rng: &mut Rng) -> Data {
    match rng.u8(..10) {
        0 | 1 => Data::Gauge(Gauge { data_points: some(rng, points::number) }),
        2..=4 => Data::Sum(Sum {
            data_points: some(rng, points::number),
            aggregation_temporality: temporality(rng),
            is_monotonic: rng.u8(..3) > 0,
        }),
        5 | 6 => Data::Histogram(Histogram {
            data_points: some(rng, points::histogram),
            aggregation_temporality: temporality(rng),
        }),
        7 => Data::Summary(Summary { data_points: some(rng, points::summary) }),
        _ => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: some(rng, points::exponential),
            aggregation_temporality: temporality(rng),
        }),
    }
}

fn some<P>(rng: &mut Rng, point: fn(&mut Rng) -> P) -> Vec<P> {
    points::some(rng, point)
}

/// Mostly cumulative; else delta, unspecified, or a number that no version of OTLP knows.
fn temporality(rng: &mut Rng) -> i32 {
    match rng.u8(..16) {
        0 => 1,
        1 => pick(rng, &[0, 3, -1]),
        _ => 2,
    }
}
