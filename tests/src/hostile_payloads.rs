//! Payloads that are meant to do harm: each small, or well-formed, or both.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, NumberDataPoint, ScopeMetrics, Summary,
    SummaryDataPoint,
};
use preamp_core::types::Encoding;
use prost::Message as _;
use serde_json::json;

use crate::adversarial::{colliding_texts, families};
use crate::any_sender::Anything;
use crate::payloads::{self, double_point, gauge, metric, metrics, payload, resource, scope, text};

/// The metric of all payloads that grow.
pub const GROWING: &str = "shop.harm";

/// The label that makes them grow.
pub const LABEL: &str = "ballast";

fn now_ns() -> u64 {
    payloads::now_ms().unsigned_abs() * 1_000_000
}

fn ballast(bytes: usize) -> String {
    "b".repeat(bytes)
}

/// Points of now, without a label of their own but a number.
fn points(count: usize) -> Vec<NumberDataPoint> {
    let point = |number: usize| double_point(vec![text("n", &number.to_string())], 1.0);
    (0..count).map(|number| NumberDataPoint { time_unix_nano: now_ns(), ..point(number) }).collect()
}

/// A histogram of so many buckets with a label of so many bytes, which stands in the series of each bucket.
#[must_use]
pub fn histogram(buckets: usize, label: usize) -> Vec<u8> {
    let point = HistogramDataPoint {
        attributes: vec![text(LABEL, &ballast(label))],
        time_unix_nano: now_ns(),
        count: buckets as u64,
        sum: Some(1.0),
        bucket_counts: vec![1; buckets],
        explicit_bounds: (1..buckets).map(|bound| bound as f64).collect(),
        ..Default::default()
    };
    let histogram = Histogram {
        data_points: vec![point],
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
    };
    metrics(vec![metric(GROWING, "", Data::Histogram(histogram))])
}

/// The same in JSON.
#[must_use]
pub fn histogram_json(buckets: usize, label: usize) -> Vec<u8> {
    let point = json!({
        "attributes": [{"key": LABEL, "value": {"stringValue": ballast(label)}}],
        "timeUnixNano": now_ns().to_string(),
        "count": buckets.to_string(),
        "sum": 1.0,
        "bucketCounts": vec!["1"; buckets],
        "explicitBounds": (1..buckets).collect::<Vec<_>>(),
    });
    let metric = json!({"name": GROWING, "histogram": {"aggregationTemporality": 2, "dataPoints": [point]}});
    json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string().into_bytes()
}

/// A summary of so many quantiles, with a label of so many bytes.
#[must_use]
pub fn summary(quantiles: usize, label: usize) -> Vec<u8> {
    let quantile = |number: usize| ValueAtQuantile { quantile: number as f64 / quantiles as f64, value: 1.0 };
    let point = SummaryDataPoint {
        attributes: vec![text(LABEL, &ballast(label))],
        time_unix_nano: now_ns(),
        count: 1,
        sum: 1.0,
        quantile_values: (0..quantiles).map(quantile).collect(),
        ..Default::default()
    };
    metrics(vec![metric(GROWING, "", Data::Summary(Summary { data_points: vec![point] }))])
}

/// So many points of a resource with an attribute of so many bytes, which stands in each series if
/// `resource_to_telemetry_conversion` is on.
#[must_use]
pub fn of_resource(count: usize, attribute: usize) -> Vec<u8> {
    let attributes = vec![text("service.name", "harm"), text(LABEL, &ballast(attribute))];
    payload(vec![resource(attributes, vec![scope("harm", vec![gauge(GROWING, "", points(count))])])])
}

/// So many points of a scope with an attribute of so many bytes, which stands in each series.
#[must_use]
pub fn of_scope(count: usize, attribute: usize) -> Vec<u8> {
    let scope = InstrumentationScope {
        name: "harm".to_owned(),
        attributes: vec![text(LABEL, &ballast(attribute))],
        ..Default::default()
    };
    let metrics = vec![gauge(GROWING, "", points(count))];
    let scope = ScopeMetrics { scope: Some(scope), metrics, ..Default::default() };
    payload(vec![resource(payloads::shop(), vec![scope])])
}

/// So many points of a metric whose name has so many bytes.
#[must_use]
pub fn of_name(count: usize, name: usize) -> Vec<u8> {
    metrics(vec![gauge(&ballast(name), "", points(count))])
}

/// Everything that grows out of proportion: at these sizes to some 300 MB each, out of 150 KB.
#[must_use]
pub fn growing() -> Vec<Anything> {
    vec![
        Anything::protobuf("buckets", histogram(3_000, 100_000)),
        Anything::json("buckets in JSON", histogram_json(3_000, 100_000)),
        Anything::protobuf("quantiles", summary(3_000, 100_000)),
        Anything::protobuf("a resource", of_resource(3_000, 100_000)),
        Anything::protobuf("a scope", of_scope(3_000, 100_000)),
        Anything::protobuf("a name", of_name(3_000, 100_000)),
    ]
}

/// A length-delimited field of protobuf.
#[must_use]
pub fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut field = announced(number, content.len() as u64);
    field.extend_from_slice(content);
    field
}

/// The head of a field that says it has so many bytes.
fn announced(number: u32, length: u64) -> Vec<u8> {
    let mut head = Vec::new();
    prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut head);
    prost::encoding::encode_varint(length, &mut head);
    head
}

/// A payload of one gauge of one point that has this attribute value, encoded by hand.
fn with_value(value: &[u8]) -> Vec<u8> {
    let attribute = [field(1, b"deep"), field(2, value)].concat();
    let point = [double_point(vec![], 1.0).encode_to_vec(), field(7, &attribute)].concat();
    let metric = [field(1, b"shop.depth"), field(5, &field(1, &point))].concat();
    field(1, &field(2, &field(2, &metric)))
}

/// Groups (a form of protobuf that nobody uses) opened so many times and never closed.
#[must_use]
pub fn groups(levels: usize) -> Vec<u8> {
    // Field 1,000 begins a group: (1000 << 3) | 3.
    [0xc3, 0x3e].repeat(levels)
}

/// Arrays in arrays, so many levels deep, encoded from the inside out.
#[must_use]
pub fn arrays(levels: usize) -> Vec<u8> {
    let mut reversed = Vec::new();
    for _ in 0..levels {
        // ArrayValue.values, in AnyValue.array_value.
        for number in [1, 5] {
            let head = announced(number, reversed.len() as u64);
            reversed.extend(head.iter().rev());
        }
    }
    reversed.reverse();
    with_value(&reversed)
}

/// A value in a list in a list, and so on, in JSON.
#[must_use]
pub fn deep_json(levels: usize) -> Vec<u8> {
    let mut text = String::from(r#"{"resourceMetrics":"#);
    text.push_str(&"[".repeat(levels));
    text.into_bytes()
}

/// A number of so many digits in JSON.
#[must_use]
pub fn digits(count: usize) -> Vec<u8> {
    let point = format!(r#"{{"timeUnixNano":"1","asDouble":{}}}"#, "9".repeat(count));
    let metric = format!(r#"{{"name":"digits","gauge":{{"dataPoints":[{point}]}}}}"#);
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metric}]}}]}}]}}"#).into_bytes()
}

/// Fields that say they have more bytes than there are, up to more than any number holds.
#[must_use]
pub fn lies() -> Vec<Vec<u8>> {
    let lengths = [
        1,
        (1 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
        (1 << 32) + 5,
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
    ];
    let lie = |length| [announced(1, length), announced(2, length), announced(2, length)].concat();
    let mut lies: Vec<_> = lengths.into_iter().map(lie).collect();
    // A varint that does not end.
    lies.push(vec![0xff; 64]);
    lies
}

/// A good payload of so many points, cut off at a place between 0 and 1.
#[must_use]
pub fn truncated(count: usize, place: f64) -> Vec<u8> {
    let mut payload = payloads::of_now(count, 1);
    payload.truncate((payload.len() as f64 * place) as usize);
    payload
}

/// Zeros, packed: `members` times 16 MiB.
#[must_use]
pub fn gzip_bomb(members: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let written = encoder.write_all(&vec![0; 16 << 20]);
    // Writing into memory does not fail; were it to, the bomb would be a dud, and its test fail.
    written.and_then(|()| encoder.finish()).unwrap_or_default().repeat(members)
}

/// The same in the format of zlib: so many pieces of 16 MiB, without an end.
#[must_use]
pub fn zlib_bomb(pieces: usize) -> Vec<u8> {
    let mut piece = Vec::with_capacity(1 << 20);
    let mut deflate = flate2::Compress::new(flate2::Compression::fast(), false);
    let packed = deflate.compress_vec(&vec![0; 16 << 20], &mut piece, flate2::FlushCompress::Full);
    // Memory does not fail; were it to, the bomb would be a dud, and its test fail.
    if packed.is_err() {
        return Vec::new();
    }
    [&[0x78, 0x01][..], &piece.repeat(pieces)].concat()
}

/// The same with zstd: frames of 16 MiB.
#[must_use]
pub fn zstd_bomb(frames: usize) -> Vec<u8> {
    zstd::encode_all(&*vec![0; 16 << 20], 1).unwrap_or_default().repeat(frames)
}

/// So many members of gzip that hold nothing.
#[must_use]
pub fn empty_gzip_members(count: usize) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.finish().unwrap_or_default().repeat(count)
}

/// So many frames of zstd that hold nothing.
#[must_use]
pub fn empty_zstd_frames(count: usize) -> Vec<u8> {
    zstd::encode_all(&b""[..], 1).unwrap_or_default().repeat(count)
}

/// A gauge of points whose only attribute has a text of one and the same hash.
#[must_use]
pub fn colliding(count: usize) -> Vec<u8> {
    let point = |value: [u8; 16]| NumberDataPoint {
        time_unix_nano: now_ns(),
        ..double_point(vec![text("k", &String::from_utf8_lossy(&value))], 1.0)
    };
    metrics(vec![gauge("shop.collisions", "", colliding_texts().take(count).map(point).collect())])
}

/// So many payloads of all kinds and sizes, the same for the same seed: they amplify, collide, nest, lie, are huge, cut
/// off, or bombs.
#[must_use]
pub fn random(seed: u64, count: usize) -> Vec<Anything> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| one_of_all(&mut random)).collect()
}

fn one_of_all(random: &mut fastrand::Rng) -> Anything {
    let (many, large) = (random.usize(100..5_000), random.usize(1_000..200_000));
    match random.u8(0..26) {
        0 => Anything::protobuf("buckets", histogram(many, large)),
        1 => Anything::json("buckets in JSON", histogram_json(many, large)),
        2 => Anything::protobuf("quantiles", summary(many, large)),
        3 => Anything::protobuf("a resource", of_resource(many, large)),
        4 => Anything::protobuf("a scope", of_scope(many, large)),
        5 => Anything::protobuf("a name", of_name(many, large)),
        6 => Anything::protobuf("collisions", colliding(random.usize(100..20_000))),
        7 => Anything::protobuf("groups", groups(random.usize(1_000..2_000_000))),
        8 => Anything::protobuf("arrays", arrays(random.usize(1_000..300_000))),
        9 => Anything::json("levels of JSON", deep_json(random.usize(1_000..1_000_000))),
        10 => Anything::json("digits", digits(random.usize(1_000..1_000_000))),
        11 => Anything::protobuf("a lie", random.choice(lies()).unwrap_or_default()),
        12 => Anything::protobuf("cut off", truncated(random.usize(1..1_000), random.f64())),
        13 => Anything::packed("a bomb", "gzip", gzip_bomb(random.usize(1..64))),
        14 => Anything::packed("a bomb", "zstd", zstd_bomb(random.usize(1..64))),
        15 => Anything::packed("a bomb", "deflate", zlib_bomb(random.usize(1..64))),
        16 => Anything::packed("nothing, often", "gzip", empty_gzip_members(random.usize(1..100_000))),
        17 => Anything::protobuf("noise", (0..large).map(|_| random.u8(..)).collect::<Vec<_>>()),
        18 => Anything::protobuf("huge", payloads::requests(random.usize(1_000..20_000))),
        19..=24 => adversarial(random),
        _ => damaged(random),
    }
}

/// A good payload with some bytes of others.
fn damaged(random: &mut fastrand::Rng) -> Anything {
    let mut payload = payloads::of_now(random.usize(1..2_000), 1);
    for _ in 0..random.usize(1..50) {
        let at = random.usize(0..payload.len());
        payload[at] = random.u8(..);
    }
    Anything::protobuf("damaged", payload)
}

/// One that is made to cost too much.
fn adversarial(random: &mut fastrand::Rng) -> Anything {
    let bytes = random.usize(10_000..1_000_000);
    let Some(family) = random.choice(families()) else { return damaged(random) };
    match family.encoding {
        Encoding::Json => Anything::json(family.name, (family.make)(bytes)),
        Encoding::Protobuf => Anything::protobuf(family.name, (family.make)(bytes)),
    }
}
