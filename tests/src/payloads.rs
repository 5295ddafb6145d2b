//! OTLP payloads for tests and benchmarks: realistic names and values, always the same bytes.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time at which the payloads are made and taken: 2026-01-16T00:00:00Z, in nanoseconds.
pub const NOW_NS: u64 = 1_768_521_600_000_000_000;

/// The time of a point that is neither too old nor in the future: ten seconds ago.
pub const RECENT_NS: u64 = NOW_NS - 10_000_000_000;

/// When the processes that made the payloads began to count.
pub const START_NS: u64 = NOW_NS - 600_000_000_000;

/// Points of one metric in [`requests`], and of one resource.
const POINTS_PER_METRIC: usize = 100;
const POINTS_PER_RESOURCE: usize = 1_000;

/// A payload of an HTTP service: `points` data points of 5 attributes, each a series of its own.
///
/// A resource holds two scopes and up to 1,000 points, gauges and counters in turn, so that payloads
/// of different sizes differ in nothing else.
pub fn requests(points: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 0..points.div_ceil(POINTS_PER_RESOURCE) {
        let first = index * POINTS_PER_RESOURCE;
        // Messages of a repeated field join by concatenation, so a million points need not be held at once.
        bytes.extend(payload(vec![service(index, points.min(first + POINTS_PER_RESOURCE) - first)]));
    }
    bytes
}

fn service(index: usize, points: usize) -> ResourceMetrics {
    let mut metrics = (0..points.div_ceil(POINTS_PER_METRIC)).map(|metric| {
        let count = points.min((metric + 1) * POINTS_PER_METRIC) - metric * POINTS_PER_METRIC;
        let points = (0..count).map(|point| request_point(index, metric, point)).collect();
        match metric % 2 {
            0 => counter(&format!("http.server.request.count.{metric}"), "{request}", points),
            _ => gauge(&format!("http.server.response.body.size.{metric}"), "By", points),
        }
    });
    let scopes = vec![
        scope("io.opentelemetry.contrib.http", metrics.by_ref().take(5).collect()),
        scope("io.opentelemetry.contrib.runtime", metrics.collect()),
    ];
    resource(
        vec![
            text("service.name", "checkout"),
            text("service.namespace", "shop"),
            text("service.instance.id", &format!("checkout-7c9d8f6b5-{index:05}")),
            text("service.version", "2.14.3"),
            text("deployment.environment.name", "production"),
            text("cloud.region", "eu-west-1"),
            text("k8s.pod.name", &format!("checkout-7c9d8f6b5-{index:05}")),
            text("host.name", &format!("ip-10-0-{}-{}.ec2.internal", index / 250 % 250, index % 250)),
        ],
        scopes.into_iter().filter(|scope| !scope.metrics.is_empty()).collect(),
    )
}

fn request_point(resource: usize, metric: usize, point: usize) -> NumberDataPoint {
    const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
    const STATUS: [i64; 5] = [200, 201, 304, 404, 503];
    let attributes = vec![
        text("http.request.method", METHODS[point % METHODS.len()]),
        text("http.route", &format!("/api/v1/orders/{{order_id}}/items/{}", point / METHODS.len())),
        integer("http.response.status_code", STATUS[(point + resource) % STATUS.len()]),
        text("server.address", "checkout.shop.svc.cluster.local"),
        text("network.protocol.version", if point.is_multiple_of(3) { "2" } else { "1.1" }),
    ];
    let seed = scramble((resource * POINTS_PER_RESOURCE + metric * POINTS_PER_METRIC + point) as u64);
    double_point(attributes, (seed % 10_000_000) as f64 / 1_000.0)
}

/// A histogram payload of an HTTP service: `points` data points of 5 attributes and 12 buckets, which
/// makes 14 series of each.
pub fn latencies(points: usize) -> Vec<u8> {
    const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let points = (0..points)
        .map(|point| {
            let counts: Vec<u64> =
                (0..=BOUNDS.len()).map(|bucket| scramble((point * 100 + bucket) as u64) % 1_000).collect();
            HistogramDataPoint {
                attributes: request_point(0, 0, point).attributes,
                start_time_unix_nano: START_NS,
                time_unix_nano: RECENT_NS,
                count: counts.iter().sum(),
                sum: Some(point as f64 * 0.75),
                bucket_counts: counts,
                explicit_bounds: BOUNDS.to_vec(),
                ..Default::default()
            }
        })
        .collect();
    let histogram =
        Histogram { data_points: points, aggregation_temporality: AggregationTemporality::Cumulative as i32 };
    let metric = metric("http.server.request.duration", "s", Data::Histogram(histogram));
    payload(vec![resource(shop(), vec![scope("io.opentelemetry.contrib.http", vec![metric])])])
}

/// An exponential histogram payload of an HTTP service: `points` data points of 5 attributes and 48
/// buckets, about a quarter of them empty, which makes one native histogram of each.
pub fn distributions(points: usize) -> Vec<u8> {
    const BUCKETS: usize = 48;
    let points = (0..points)
        .map(|point| {
            let bucket_counts: Vec<u64> = (0..BUCKETS)
                .map(|bucket| scramble((point * 100 + bucket) as u64) % 400)
                .map(|count| count.saturating_sub(100))
                .collect();
            let zero_count = point as u64 % 3;
            ExponentialHistogramDataPoint {
                attributes: request_point(0, 0, point).attributes,
                start_time_unix_nano: START_NS,
                time_unix_nano: RECENT_NS,
                count: bucket_counts.iter().sum::<u64>() + zero_count,
                sum: Some(point as f64 * 0.75),
                scale: 3,
                zero_count,
                positive: Some(Buckets { offset: -40, bucket_counts }),
                ..Default::default()
            }
        })
        .collect();
    let histogram = ExponentialHistogram {
        data_points: points,
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
    };
    let metric = metric("http.server.request.duration", "s", Data::ExponentialHistogram(histogram));
    payload(vec![resource(shop(), vec![scope("io.opentelemetry.contrib.http", vec![metric])])])
}

/// A summary payload of an HTTP service: `points` data points of 5 attributes and 4 quantiles, which
/// makes 6 series of each.
pub fn quantiles(points: usize) -> Vec<u8> {
    let data_points = (0..points)
        .map(|point| {
            let quantile = |quantile| {
                let value = (scramble(point as u64) % 10_000) as f64 / 1_000.0 * (1.0 + quantile);
                ValueAtQuantile { quantile, value }
            };
            SummaryDataPoint {
                attributes: request_point(0, 0, point).attributes,
                start_time_unix_nano: START_NS,
                time_unix_nano: RECENT_NS,
                count: scramble(point as u64) % 1_000,
                sum: point as f64 * 0.75,
                quantile_values: [0.5, 0.9, 0.99, 1.0].map(quantile).to_vec(),
                ..Default::default()
            }
        })
        .collect();
    let metric = metric("http.server.request.duration", "s", Data::Summary(Summary { data_points }));
    payload(vec![resource(shop(), vec![scope("io.opentelemetry.contrib.http", vec![metric])])])
}

/// The attributes of a resource that becomes `job="shop/checkout"` and `instance="pod-1"`.
pub fn shop() -> Vec<KeyValue> {
    vec![
        text("service.name", "checkout"),
        text("service.namespace", "shop"),
        text("service.instance.id", "pod-1"),
        text("deployment.environment.name", "production"),
    ]
}

/// This moment, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}

/// A payload of one gauge with so many series, as of this moment: for receivers that refuse what is old.
pub fn of_now(series: usize, value: i64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let points = (0..series).map(|number| NumberDataPoint {
        time_unix_nano: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        ..integer_point(vec![text("phase", &number.to_string())], value)
    });
    metrics(vec![gauge("power", "W", points.collect())])
}

/// A payload of one gauge with so many series of one sender, at a time in milliseconds since 1970. Each sender is a
/// resource of its own, or all would write the same `target_info`.
pub fn of_sender(sender: usize, series: usize, time: i64, value: i64) -> Vec<u8> {
    let points = (0..series).map(|number| {
        let attributes = vec![text("phase", &number.to_string())];
        NumberDataPoint {
            time_unix_nano: time.unsigned_abs() * 1_000_000,
            ..integer_point(attributes, value)
        }
    });
    let load = gauge("load", "W", points.collect());
    let attributes = vec![text("service.name", "load"), text("service.instance.id", &sender.to_string())];
    payload(vec![resource(attributes, vec![scope("io.opentelemetry.contrib.shop", vec![load])])])
}

/// Points of a gauge `power`, each of a phase and at a time in milliseconds.
#[must_use]
pub fn power(points: impl IntoIterator<Item = (String, i64)>) -> Vec<u8> {
    let point = |(phase, time): (String, i64)| NumberDataPoint {
        time_unix_nano: time.unsigned_abs() * 1_000_000,
        ..integer_point(vec![text("phase", &phase)], 1)
    };
    metrics(vec![gauge("power", "W", points.into_iter().map(point).collect())])
}

/// The encoded request for some resources.
pub fn payload(resource_metrics: Vec<ResourceMetrics>) -> Vec<u8> {
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

/// The encoded request for some metrics of one scope of [`shop`].
pub fn metrics(metrics: Vec<Metric>) -> Vec<u8> {
    payload(vec![resource(shop(), vec![scope("io.opentelemetry.contrib.shop", metrics)])])
}

/// A resource and what it says.
pub fn resource(attributes: Vec<KeyValue>, scope_metrics: Vec<ScopeMetrics>) -> ResourceMetrics {
    let resource = Resource { attributes, ..Default::default() };
    ResourceMetrics { resource: Some(resource), scope_metrics, ..Default::default() }
}

/// An instrumentation scope, version 1.2.3, and its metrics.
pub fn scope(name: &str, metrics: Vec<Metric>) -> ScopeMetrics {
    let scope =
        InstrumentationScope { name: name.to_owned(), version: "1.2.3".to_owned(), ..Default::default() };
    ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }
}

/// A metric of any kind.
pub fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: format!("What {name} measures."),
        unit: unit.to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

/// A gauge.
pub fn gauge(name: &str, unit: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    metric(name, unit, Data::Gauge(Gauge { data_points }))
}

/// A cumulative, monotonic sum.
pub fn counter(name: &str, unit: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    sum(name, unit, data_points, AggregationTemporality::Cumulative, true)
}

/// A sum of any kind.
pub fn sum(
    name: &str,
    unit: &str,
    data_points: Vec<NumberDataPoint>,
    temporality: AggregationTemporality,
    is_monotonic: bool,
) -> Metric {
    let sum = Sum { data_points, aggregation_temporality: temporality as i32, is_monotonic };
    metric(name, unit, Data::Sum(sum))
}

/// A recent point with a floating-point value.
pub fn double_point(attributes: Vec<KeyValue>, value: f64) -> NumberDataPoint {
    number_point(attributes, number_data_point::Value::AsDouble(value))
}

/// A recent point with an integer value.
pub fn integer_point(attributes: Vec<KeyValue>, value: i64) -> NumberDataPoint {
    number_point(attributes, number_data_point::Value::AsInt(value))
}

fn number_point(attributes: Vec<KeyValue>, value: number_data_point::Value) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: START_NS,
        time_unix_nano: RECENT_NS,
        value: Some(value),
        ..Default::default()
    }
}

/// A string attribute.
pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// An integer attribute.
pub fn integer(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

/// An attribute of any type.
pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// Spreads small numbers over all 64 bits, so that values do not compress better than real ones.
fn scramble(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 7
}
