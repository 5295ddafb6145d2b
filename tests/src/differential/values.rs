//! Random texts, numbers, times and attribute values: the usual, the odd, and what breaks things.

use fastrand::Rng;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

use super::options::{RESERVED_VALUE, pick};
use crate::payloads::{RECENT_NS, START_NS};

/// How deep arrays and maps nest: far below the depth at which Preamp refuses them.
const DEPTH_MAX: u32 = 4;

const NAMES: [&str; 41] = [
    "requests",
    "http.server.duration",
    "a.total.b",
    "total",
    "ratio",
    "x",
    "x",
    "x.y",
    "日本",
    "日本.x",
    "",
    "_",
    "___",
    "__x__y",
    "x:y",
    ":",
    "123x",
    "1",
    ".a.",
    "a__b.c",
    "requests_per_second",
    "x.ratio.y",
    "subtotal",
    "foo.seconds",
    "kilometers",
    "x_total",
    "bytes.total",
    "per_second",
    "é",
    "a b\tc",
    "x_sum",
    "x_count",
    "x_bucket",
    "x.ratio",
    "日total",
    "étotal",
    "a_",
    "a.per_second_",
    "total.",
    "TOTAL",
    "_total",
];

const UNITS: [&str; 48] = [
    "",
    "",
    "",
    "1",
    "1",
    " 1",
    "s",
    "s",
    "ms",
    "By",
    "By/s",
    "1/s",
    "{req}/s",
    "s/{thing}",
    "/s",
    " s ",
    "foo!",
    "foo!/s",
    "%",
    "min",
    "By/min",
    "m/s/h",
    "/",
    "//",
    "_",
    "__",
    "a_",
    "_/s_",
    "{",
    "}",
    "°C",
    "total",
    "ratio",
    "per",
    "per_/s",
    "d",
    "Cel",
    "KiBy/d",
    "x",
    "y",
    "/1",
    "s/1",
    "\u{a0}s",
    "\u{2003}m",
    "\u{b}s\u{85}",
    "s/\u{b}h",
    "a__b/c__d",
    "_s/h_",
];

const KEYS: [&str; 44] = [
    "a",
    "a",
    "b",
    "b",
    "a.b",
    "a_b",
    "a-b",
    "_foo",
    "__foo",
    "___",
    "____",
    "1x",
    "-x",
    "é",
    "éa",
    "a..b",
    "a__b",
    "__foo__",
    "__a..b__",
    "__replica__",
    "job",
    "instance",
    "le",
    "quantile",
    "__name__",
    "otel_scope_name",
    "otel_scope_version",
    "otel_scope_x",
    "http.method",
    "key_1x",
    "key_foo",
    "trace_id",
    "span_id",
    "name",
    "version",
    "schema_url",
    "日本",
    "host.name",
    "x",
    "x.y",
    "service.name",
    "A",
    "B.",
    "cluster",
];

const DOUBLES: [f64; 30] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    1.5,
    0.5,
    0.99,
    2.0,
    5.0,
    10.0,
    1e6,
    1e-5,
    1e-6,
    1e-7,
    9.99e-7,
    1e20,
    1e21,
    1e22,
    -1e21,
    123456789.125,
    5e-324,
    f64::MAX,
    f64::MIN_POSITIVE,
    1e-300,
    1e100,
    9007199254740993.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// The characters of texts made at random: each stands for a class that some rule treats alone.
const CHARACTERS: [char; 24] = [
    'a',
    'b',
    'T',
    '1',
    '0',
    '_',
    '_',
    '.',
    ':',
    '-',
    '/',
    ' ',
    'é',
    '日',
    '\u{0}',
    '"',
    '\\',
    '\n',
    '\u{2028}',
    '\u{1f600}',
    '<',
    '&',
    ';',
    '\u{7f}',
];

fn soup(rng: &mut Rng) -> String {
    (0..rng.usize(..=8)).map(|_| pick(rng, &CHARACTERS)).collect()
}

/// The name of a metric.
pub fn name(rng: &mut Rng) -> String {
    if rng.u8(..5) == 0 { soup(rng) } else { pick(rng, &NAMES).to_owned() }
}

/// The unit of a metric.
pub fn unit(rng: &mut Rng) -> String {
    if rng.u8(..8) == 0 { soup(rng) } else { pick(rng, &UNITS).to_owned() }
}

/// A text that is no name.
pub fn text(rng: &mut Rng) -> String {
    match rng.u8(..8) {
        0 => String::new(),
        1 => soup(rng),
        2 => "long ".repeat(rng.usize(..60)),
        3 => "é".repeat(rng.usize(..70)),
        _ => pick(rng, &["v", "v", "w", "GET", "a;b", "checkout"]).to_owned(),
    }
}

/// A double.
pub fn double(rng: &mut Rng) -> f64 {
    let double = match rng.u8(..4) {
        0 => f64::from_bits(rng.u64(..)),
        1 => f64::from(rng.i32(..)) / 1000.0,
        _ => pick(rng, &DOUBLES),
    };
    if lies_between_two_texts(double) { 0.25 } else { double }
}

/// Whether two texts of a number are the shortest, and equally near. The libraries of Go and Rust then
/// choose different ones (docs/differences.md).
fn lies_between_two_texts(double: f64) -> bool {
    let digits = |text: String| -> String {
        text.split('e').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
    };
    let (shortest, exact) = (digits(format!("{double:e}")), digits(format!("{double:.40e}")));
    let rest = exact.get(shortest.len()..).unwrap_or_default().trim_end_matches('0');
    double.is_finite() && rest == "5"
}

/// A whole number.
pub fn integer(rng: &mut Rng) -> i64 {
    match rng.u8(..4) {
        0 => rng.i64(..),
        1 => pick(rng, &[0, -1, i64::MAX, i64::MIN, 9_007_199_254_740_993]),
        _ => rng.i64(-5..1000),
    }
}

/// A count.
pub fn count(rng: &mut Rng) -> u64 {
    match rng.u8(..12) {
        0 => rng.u64(..),
        1 => pick(rng, &[u64::MAX, 1 << 53, (1 << 53) + 1, i64::MAX as u64]),
        _ => rng.u64(..10),
    }
}

/// A time in nanoseconds.
pub fn time(rng: &mut Rng) -> u64 {
    match rng.u8(..16) {
        0 => 0,
        1 => pick(rng, &[1, 999_999, 1_000_000, 1_999_999, i64::MAX as u64, u64::MAX]),
        2 => rng.u64(..),
        3 => RECENT_NS / pick(rng, &[1_000_000_000, 1_000_000, 1_000]),
        _ => RECENT_NS + u64::from(rng.u8(..3)) * 500_000,
    }
}

/// When something began to count.
pub fn start(rng: &mut Rng) -> u64 {
    match rng.u8(..6) {
        0 => 0,
        1 => time(rng),
        _ => START_NS,
    }
}

/// Attributes: few, of any type, under hostile keys. Keys repeat only where they may.
pub fn attributes(rng: &mut Rng, most: usize) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> = Vec::new();
    for _ in 0..rng.usize(..=most) {
        let key = key(rng);
        if attributes.iter().all(|other| other.key != key) {
            let value = attribute_value(rng, &key);
            attributes.push(KeyValue { key, value, ..KeyValue::default() });
        }
    }
    attributes
}

fn key(rng: &mut Rng) -> String {
    match rng.u8(..40) {
        0 => String::new(),
        1..=5 => soup(rng),
        // Keys that make a whole point unfit for labels come, but seldom.
        _ => match pick(rng, &KEYS) {
            "____" if rng.u8(..8) > 0 => "a".to_owned(),
            key => key.to_owned(),
        },
    }
}

fn attribute_value(rng: &mut Rng, key: &str) -> Option<AnyValue> {
    if matches!(key, "le" | "quantile" | "__name__") {
        let text = format!("{RESERVED_VALUE}{}", rng.u8(..3));
        return Some(AnyValue { value: Some(Value::StringValue(text)) });
    }
    (rng.u8(..20) > 0).then(|| any_value(rng, DEPTH_MAX))
}

/// A value of any type.
pub fn any_value(rng: &mut Rng, depth: u32) -> AnyValue {
    let value = match rng.u8(..20) {
        0 => None,
        1 => Some(Value::BoolValue(rng.bool())),
        2 | 3 => Some(Value::IntValue(integer(rng))),
        4 | 5 => Some(Value::DoubleValue(double(rng))),
        6 => Some(Value::BytesValue((0..rng.usize(..6)).map(|_| rng.u8(..)).collect())),
        7 if depth > 0 => Some(Value::ArrayValue(ArrayValue {
            values: (0..rng.usize(..4)).map(|_| any_value(rng, depth - 1)).collect(),
        })),
        8 if depth > 0 => Some(Value::KvlistValue(KeyValueList { values: entries(rng, depth - 1) })),
        _ => Some(Value::StringValue(text(rng))),
    };
    AnyValue { value }
}

/// The entries of a map. Keys of a map may repeat: the last one counts.
fn entries(rng: &mut Rng, depth: u32) -> Vec<KeyValue> {
    let entry = |rng: &mut Rng| KeyValue {
        key: if rng.bool() { soup(rng) } else { pick(rng, &KEYS).to_owned() },
        value: (rng.u8(..10) > 0).then(|| any_value(rng, depth)),
        ..KeyValue::default()
    };
    (0..rng.usize(..4)).map(|_| entry(rng)).collect()
}
