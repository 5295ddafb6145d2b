//! The payloads that every form of the exporter must treat alike: the usual, the odd and the broken.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint,
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, Summary, SummaryDataPoint,
    exemplar, exponential_histogram_data_point::Buckets,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::payloads::{
    NOW_NS, RECENT_NS, START_NS, attribute, counter, double_point, gauge, integer, integer_point, latencies,
    metric, metrics, payload, requests, scope, sum, text,
};

/// A payload and what it stands for.
pub struct Case {
    /// Unique, and fit for a file name.
    pub name: &'static str,
    /// The payload, as a sender would post it.
    pub payload: Vec<u8>,
}

/// All payloads. Their names are unique, and they are the same each time.
pub fn cases() -> Vec<Case> {
    let usual = usual();
    let odd = odd();
    let broken = broken(&requests(10));
    let all = usual.into_iter().chain(odd).chain(broken);
    all.map(|(name, payload)| Case { name, payload }).collect()
}

fn usual() -> Vec<(&'static str, Vec<u8>)> {
    use AggregationTemporality::{Cumulative, Delta, Unspecified};
    let one = || vec![integer_point(vec![text("queue", "orders")], 7)];
    vec![
        ("requests-1", requests(1)),
        ("requests-100", requests(100)),
        ("requests-several-resources", requests(2_345)),
        ("requests-several-batches", requests(20_000)),
        ("latencies", latencies(25)),
        ("gauge-values", metrics(vec![gauge("room.temperature", "Cel", special_values())])),
        ("counter", metrics(vec![counter("orders.placed", "{order}", one())])),
        ("up-down-counter", metrics(vec![sum("queue.length", "{message}", one(), Cumulative, false)])),
        ("delta-sum", metrics(vec![sum("orders.placed", "1", one(), Delta, true)])),
        ("unspecified-sum", metrics(vec![sum("orders.placed", "1", one(), Unspecified, true)])),
        ("histogram-forms", metrics(histograms())),
        ("exponential-histogram", metrics(vec![exponential_histogram()])),
        ("summary", metrics(vec![summary()])),
        ("exemplars", metrics(vec![counter("orders.placed", "1", vec![point_with_exemplar()])])),
    ]
}

fn odd() -> Vec<(&'static str, Vec<u8>)> {
    let one = || vec![double_point(vec![], 1.0)];
    let bare = |metrics| ResourceMetrics { scope_metrics: vec![scope("", metrics)], ..Default::default() };
    vec![
        ("empty", Vec::new()),
        ("empty-resource", payload(vec![ResourceMetrics::default()])),
        ("empty-metric", metrics(vec![Metric::default(), gauge("no.points", "", vec![])])),
        ("no-resource", payload(vec![bare(vec![gauge("lonely", "", one())])])),
        ("nameless-metric", metrics(vec![gauge("", "1", one()), gauge("named", "1", one())])),
        ("names-and-units", metrics(names_and_units())),
        ("attribute-types", metrics(vec![gauge("typed", "", vec![double_point(every_type(), 1.0)])])),
        ("colliding-labels", metrics(vec![gauge("collides", "", vec![double_point(colliding(), 1.0)])])),
        ("long-texts", metrics(vec![gauge("long", "", vec![double_point(long_texts(), 1.0)])])),
        ("ages", metrics(vec![gauge("aged", "s", ages())])),
        ("stale", metrics(vec![gauge("stale", "", vec![without_value()])])),
        ("repeated-series", metrics(vec![gauge("twice", "", repeated())])),
        ("wide-point", metrics(vec![gauge("wide", "", vec![double_point(wide(), 1.0)])])),
    ]
}

fn broken(sound: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let truncated = sound[..sound.len() - 7].to_vec();
    let mut trailing = sound.to_vec();
    trailing.extend([0xff, 0xff, 0xff]);
    let mut unknown = sound.to_vec();
    // Field 1000, a string: what a later version of OTLP may add must not harm.
    unknown.extend([0xc2, 0x3e, 0x03, b'n', b'e', b'w']);
    let mut not_utf8 =
        metrics(vec![gauge("utf8.broken", "", vec![double_point(vec![text("k", "XXXX")], 1.0)])]);
    if let Some(at) = not_utf8.windows(4).position(|window| window == b"XXXX") {
        not_utf8[at] = 0xff;
    }
    vec![
        ("truncated", truncated),
        ("trailing-garbage", trailing),
        ("unknown-field", unknown),
        ("not-utf8", not_utf8),
        ("not-protobuf", b"{\"resourceMetrics\":[]}".to_vec()),
        ("overlong-varint", [0x0a].into_iter().chain([0x80; 12]).collect()),
        ("length-beyond-end", vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("deeply-nested", metrics(vec![gauge("deep", "", vec![double_point(vec![nested(200)], 1.0)])])),
        ("traces", traces()),
        ("logs", logs()),
    ]
}

fn special_values() -> Vec<NumberDataPoint> {
    let values =
        [0.0, -0.0, 1.0, -1.5, 1e-310, 1e300, 0.1, f64::MAX, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let doubles =
        values.iter().enumerate().map(|(at, value)| double_point(vec![integer("at", at as i64)], *value));
    let integers =
        [i64::MIN, -1, 0, i64::MAX].map(|value| integer_point(vec![integer("value", value)], value));
    doubles.chain(integers).collect()
}

fn histograms() -> Vec<Metric> {
    let with = |name, counts: &[u64], bounds: &[f64], sum| {
        let point = HistogramDataPoint {
            attributes: vec![text("path", "/")],
            start_time_unix_nano: START_NS,
            time_unix_nano: RECENT_NS,
            count: counts.iter().sum(),
            sum,
            bucket_counts: counts.to_vec(),
            explicit_bounds: bounds.to_vec(),
            min: Some(0.5),
            max: Some(9.5),
            ..Default::default()
        };
        cumulative_histogram(name, vec![point])
    };
    vec![
        with("usual", &[1, 2, 3, 4], &[0.5, 1.0, 10.0], Some(12.5)),
        with("without.sum", &[1, 2], &[0.0], None),
        with("without.buckets", &[], &[], Some(3.0)),
        with("one.bucket", &[5], &[], Some(3.0)),
        with("too.few.counts", &[1, 2], &[1.0, 2.0, 3.0], Some(3.0)),
        with("bounds.out.of.order", &[1, 1, 1], &[2.0, 1.0], Some(3.0)),
    ]
}

fn cumulative_histogram(name: &str, data_points: Vec<HistogramDataPoint>) -> Metric {
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    metric(name, "s", Data::Histogram(Histogram { data_points, aggregation_temporality }))
}

fn exponential_histogram() -> Metric {
    let point = ExponentialHistogramDataPoint {
        start_time_unix_nano: START_NS,
        time_unix_nano: RECENT_NS,
        count: 10,
        sum: Some(20.0),
        scale: 2,
        zero_count: 1,
        positive: Some(Buckets { offset: -1, bucket_counts: vec![4, 5] }),
        ..Default::default()
    };
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    metric(
        "exponential",
        "s",
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality,
        }),
    )
}

fn summary() -> Metric {
    let quantiles = [(0.5, 1.0), (0.99, 4.0)].map(|(quantile, value)| ValueAtQuantile { quantile, value });
    let point = SummaryDataPoint {
        start_time_unix_nano: START_NS,
        time_unix_nano: RECENT_NS,
        count: 3,
        sum: 6.0,
        quantile_values: quantiles.to_vec(),
        ..Default::default()
    };
    metric("summarised", "s", Data::Summary(Summary { data_points: vec![point] }))
}

fn point_with_exemplar() -> NumberDataPoint {
    let exemplar = Exemplar {
        filtered_attributes: vec![text("customer", "42")],
        time_unix_nano: RECENT_NS,
        span_id: vec![1; 8],
        trace_id: vec![2; 16],
        value: Some(exemplar::Value::AsDouble(1.0)),
    };
    NumberDataPoint { exemplars: vec![exemplar], ..integer_point(vec![], 1) }
}

fn names_and_units() -> Vec<Metric> {
    let point = || vec![double_point(vec![], 1.0)];
    let gauges = [
        ("http.server.requests", "By/s"),
        ("0.starts.with.digit", ""),
        ("cpu.utilization", "1"),
        ("already_seconds", "s"),
        ("weird--name...with   spaces", "{thing}"),
        ("größe", "m"),
        ("disk.io_total", "By"),
        ("colon:name", "ms"),
        ("___", "KiBy"),
    ];
    let gauges = gauges.map(|(name, unit)| gauge(name, unit, point()));
    let counters = [("requests_total", "1"), ("bytes", "By"), ("ratio", "1")];
    gauges.into_iter().chain(counters.map(|(name, unit)| counter(name, unit, point()))).collect()
}

fn every_type() -> Vec<KeyValue> {
    let inner = vec![text("inner", "value"), integer("number", 1)];
    let array = [Value::StringValue("a".to_owned()), Value::IntValue(2), Value::BoolValue(true)]
        .map(|value| AnyValue { value: Some(value) });
    vec![
        attribute("bool", Value::BoolValue(true)),
        integer("int", -9),
        attribute("double", Value::DoubleValue(0.1)),
        attribute("whole", Value::DoubleValue(3.0)),
        attribute("huge", Value::DoubleValue(1e21)),
        attribute("nan", Value::DoubleValue(f64::NAN)),
        attribute("bytes", Value::BytesValue(vec![0, 1, 254, 255])),
        attribute("array", Value::ArrayValue(ArrayValue { values: array.to_vec() })),
        attribute("map", Value::KvlistValue(KeyValueList { values: inner })),
        text("text", "quotes \" and \\ and\nnewlines"),
        KeyValue { key: "none".to_owned(), ..Default::default() },
    ]
}

fn colliding() -> Vec<KeyValue> {
    let pairs = [
        ("a.b", "dot"),
        ("a_b", "underscore"),
        ("a-b", "dash"),
        ("job", "mine"),
        ("instance", "mine"),
        ("le", "1"),
        ("__name__", "mine"),
        ("__reserved__", "x"),
        ("otel_scope_name", "mine"),
        ("9lives", "cat"),
        ("_x", "y"),
        ("empty", ""),
        ("", "no key"),
        ("schlüssel", "wert"),
        ("twice", "1"),
        ("twice", "2"),
    ];
    pairs.map(|(key, value)| text(key, value)).to_vec()
}

fn long_texts() -> Vec<KeyValue> {
    vec![
        text("value", &"long ".repeat(2_000)),
        text(&"key.".repeat(300), "x"),
        text("emoji", "🦀".repeat(40).as_str()),
    ]
}

fn ages() -> Vec<NumberDataPoint> {
    const MINUTE: u64 = 60_000_000_000;
    let times = [0, 1, NOW_NS - 61 * MINUTE, NOW_NS - 59 * MINUTE, NOW_NS, NOW_NS + 5 * MINUTE, u64::MAX];
    let aged = |(at, time): (usize, u64)| NumberDataPoint {
        time_unix_nano: time,
        ..double_point(vec![integer("at", at as i64)], 1.0)
    };
    times.into_iter().enumerate().map(aged).collect()
}

fn without_value() -> NumberDataPoint {
    NumberDataPoint {
        flags: DataPointFlags::NoRecordedValueMask as u32,
        value: None,
        ..double_point(vec![text("gone", "yes")], 0.0)
    }
}

/// One series at three times, the newest first.
fn repeated() -> Vec<NumberDataPoint> {
    let at = |seconds: u64| NumberDataPoint {
        time_unix_nano: RECENT_NS - seconds * 1_000_000_000,
        ..double_point(vec![text("series", "same")], seconds as f64)
    };
    vec![at(0), at(20), at(10)]
}

/// More labels than any receiver takes, not in order.
fn wide() -> Vec<KeyValue> {
    (0..200).map(|number| text(&format!("label.{}", number * 77 % 200), "x")).collect()
}

fn nested(depth: usize) -> KeyValue {
    let mut inner = AnyValue { value: Some(Value::StringValue("bottom".to_owned())) };
    for _ in 0..depth {
        inner = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![inner] })) };
    }
    KeyValue { key: "nested".to_owned(), value: Some(inner), ..Default::default() }
}

fn traces() -> Vec<u8> {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /".to_owned(),
        start_time_unix_nano: START_NS,
        end_time_unix_nano: RECENT_NS,
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn logs() -> Vec<u8> {
    let body = Some(AnyValue { value: Some(Value::StringValue("a line".to_owned())) });
    let record = LogRecord { time_unix_nano: RECENT_NS, body, ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}
