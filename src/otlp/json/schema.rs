//! The messages of an OTLP metrics request: what JSON calls their fields, and what protobuf does.
//! (opentelemetry-proto, `metrics/v1/metrics.proto`, `common/v1/common.proto`,
//! `resource/v1/resource.proto`.)
//!
//! A field that does not stand here is ignored, as one that a later version of OTLP adds.

use crate::otlp::metric::BEFORE_SCOPES;

/// A message, by its fields.
#[derive(Debug)]
pub struct Message(pub &'static [Field]);

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON, lowerCamelCase.
    pub name: &'static str,
    /// Its number in protobuf.
    pub number: u32,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is a list.
    pub repeated: bool,
}

/// What a field holds, or each item of one that is a list.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `string`.
    Text,
    /// `bytes` that JSON writes in hexadecimal digits: the ids of traces and spans.
    Hex,
    /// `bytes` that JSON writes in base64: all others.
    Base64,
    /// A scalar that is no text.
    Scalar(Scalar),
    /// A message.
    Message(&'static Message),
    /// The content of a request of another signal, which is named.
    OtherSignal(&'static str),
    /// What older versions of OTLP had here, and what to say of it. It may be empty.
    Removed(&'static str),
}

/// A type of scalars that are no text, named as protobuf names it.
#[derive(Clone, Copy, Debug)]
pub enum Scalar {
    /// `bool`.
    Bool,
    /// An enum with these names of its values, from 0.
    Enum(&'static [&'static str]),
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `int64`.
    Int64,
    /// `sint32`.
    Sint32,
    /// `fixed64`.
    Fixed64,
    /// `sfixed64`.
    Sfixed64,
    /// `double`.
    Double,
}

const fn one(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, repeated: false }
}

const fn list(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, repeated: true }
}

const TIME: Kind = Kind::Scalar(Scalar::Fixed64);
const COUNT: Kind = Kind::Scalar(Scalar::Fixed64);
const DOUBLE: Kind = Kind::Scalar(Scalar::Double);
const UINT32: Kind = Kind::Scalar(Scalar::Uint32);
const SINT32: Kind = Kind::Scalar(Scalar::Sint32);

/// `ExportMetricsServiceRequest`, and how requests of the other signals are told.
pub static REQUEST: Message = Message(&[
    list("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS)),
    list("resourceSpans", 1, Kind::OtherSignal("traces")),
    list("resourceLogs", 1, Kind::OtherSignal("logs")),
]);

/// What is said of points as they were before OTLP 0.9.
const INT_METRIC: Kind = Kind::Removed("this is a type of OTLP before 0.9: update the sender");
const LABELS: Kind = Kind::Removed("this is OTLP before 0.9 (labels, now attributes): update the sender");

static RESOURCE_METRICS: Message = Message(&[
    one("instrumentationLibraryMetrics", 1000, Kind::Removed(BEFORE_SCOPES)),
    one("resource", 1, Kind::Message(&RESOURCE)),
    list("scopeMetrics", 2, Kind::Message(&SCOPE_METRICS)),
    one("schemaUrl", 3, Kind::Text),
]);

static RESOURCE: Message =
    Message(&[list("attributes", 1, Kind::Message(&KEY_VALUE)), one("droppedAttributesCount", 2, UINT32)]);

static SCOPE_METRICS: Message = Message(&[
    one("scope", 1, Kind::Message(&SCOPE)),
    list("metrics", 2, Kind::Message(&METRIC)),
    one("schemaUrl", 3, Kind::Text),
]);

static SCOPE: Message = Message(&[
    one("name", 1, Kind::Text),
    one("version", 2, Kind::Text),
    list("attributes", 3, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 4, UINT32),
]);

static METRIC: Message = Message(&[
    one("name", 1, Kind::Text),
    one("description", 2, Kind::Text),
    one("unit", 3, Kind::Text),
    one("intGauge", 4, INT_METRIC),
    one("intSum", 6, INT_METRIC),
    one("intHistogram", 8, INT_METRIC),
    one("gauge", 5, Kind::Message(&GAUGE)),
    one("sum", 7, Kind::Message(&SUM)),
    one("histogram", 9, Kind::Message(&HISTOGRAM)),
    one("exponentialHistogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)),
    one("summary", 11, Kind::Message(&SUMMARY)),
    list("metadata", 12, Kind::Message(&KEY_VALUE)),
]);

const TEMPORALITY: Kind = Kind::Scalar(Scalar::Enum(&[
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
]));

static GAUGE: Message = Message(&[list("dataPoints", 1, Kind::Message(&NUMBER_POINT))]);

static SUM: Message = Message(&[
    list("dataPoints", 1, Kind::Message(&NUMBER_POINT)),
    one("aggregationTemporality", 2, TEMPORALITY),
    one("isMonotonic", 3, Kind::Scalar(Scalar::Bool)),
]);

static HISTOGRAM: Message = Message(&[
    list("dataPoints", 1, Kind::Message(&HISTOGRAM_POINT)),
    one("aggregationTemporality", 2, TEMPORALITY),
]);

static EXPONENTIAL_HISTOGRAM: Message = Message(&[
    list("dataPoints", 1, Kind::Message(&EXPONENTIAL_HISTOGRAM_POINT)),
    one("aggregationTemporality", 2, TEMPORALITY),
]);

static SUMMARY: Message = Message(&[list("dataPoints", 1, Kind::Message(&SUMMARY_POINT))]);

static NUMBER_POINT: Message = Message(&[
    one("labels", 1, LABELS),
    list("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, TIME),
    one("timeUnixNano", 3, TIME),
    one("asDouble", 4, DOUBLE),
    one("asInt", 6, Kind::Scalar(Scalar::Sfixed64)),
    list("exemplars", 5, Kind::Message(&EXEMPLAR)),
    one("flags", 8, UINT32),
]);

static HISTOGRAM_POINT: Message = Message(&[
    one("labels", 1, LABELS),
    list("attributes", 9, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, TIME),
    one("timeUnixNano", 3, TIME),
    one("count", 4, COUNT),
    one("sum", 5, DOUBLE),
    list("bucketCounts", 6, COUNT),
    list("explicitBounds", 7, DOUBLE),
    list("exemplars", 8, Kind::Message(&EXEMPLAR)),
    one("flags", 10, UINT32),
    one("min", 11, DOUBLE),
    one("max", 12, DOUBLE),
]);

static EXPONENTIAL_HISTOGRAM_POINT: Message = Message(&[
    list("attributes", 1, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, TIME),
    one("timeUnixNano", 3, TIME),
    one("count", 4, COUNT),
    one("sum", 5, DOUBLE),
    one("scale", 6, SINT32),
    one("zeroCount", 7, COUNT),
    one("positive", 8, Kind::Message(&BUCKETS)),
    one("negative", 9, Kind::Message(&BUCKETS)),
    one("flags", 10, UINT32),
    list("exemplars", 11, Kind::Message(&EXEMPLAR)),
    one("min", 12, DOUBLE),
    one("max", 13, DOUBLE),
    one("zeroThreshold", 14, DOUBLE),
]);

static BUCKETS: Message =
    Message(&[one("offset", 1, SINT32), list("bucketCounts", 2, Kind::Scalar(Scalar::Uint64))]);

static SUMMARY_POINT: Message = Message(&[
    one("labels", 1, LABELS),
    list("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, TIME),
    one("timeUnixNano", 3, TIME),
    one("count", 4, COUNT),
    one("sum", 5, DOUBLE),
    list("quantileValues", 6, Kind::Message(&VALUE_AT_QUANTILE)),
    one("flags", 8, UINT32),
]);

static VALUE_AT_QUANTILE: Message = Message(&[one("quantile", 1, DOUBLE), one("value", 2, DOUBLE)]);

static EXEMPLAR: Message = Message(&[
    list("filteredAttributes", 7, Kind::Message(&KEY_VALUE)),
    one("timeUnixNano", 2, TIME),
    one("asDouble", 3, DOUBLE),
    one("asInt", 6, Kind::Scalar(Scalar::Sfixed64)),
    one("spanId", 4, Kind::Hex),
    one("traceId", 5, Kind::Hex),
]);

static KEY_VALUE: Message = Message(&[one("key", 1, Kind::Text), one("value", 2, Kind::Message(&ANY_VALUE))]);

static ANY_VALUE: Message = Message(&[
    one("stringValue", 1, Kind::Text),
    one("boolValue", 2, Kind::Scalar(Scalar::Bool)),
    one("intValue", 3, Kind::Scalar(Scalar::Int64)),
    one("doubleValue", 4, DOUBLE),
    one("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
    one("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
    one("bytesValue", 7, Kind::Base64),
]);

static ARRAY_VALUE: Message = Message(&[list("values", 1, Kind::Message(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = Message(&[list("values", 1, Kind::Message(&KEY_VALUE))]);

impl Message {
    /// The field that JSON calls by this name, in lowerCamelCase or in snake_case.
    pub fn field(&self, name: &[u8]) -> Option<&'static Field> {
        let exact = self.0.iter().find(|field| field.name.as_bytes() == name);
        exact.or_else(|| self.0.iter().find(|field| is_snake_case_of(name, field.name.as_bytes())))
    }
}

fn is_snake_case_of(key: &[u8], camel: &[u8]) -> bool {
    let mut key = key.iter();
    camel.iter().all(|letter| {
        (!letter.is_ascii_uppercase() || key.next() == Some(&b'_'))
            && key.next() == Some(&letter.to_ascii_lowercase())
    }) && key.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_both_spellings_and_no_other() {
        let number = |key: &str| NUMBER_POINT.field(key.as_bytes()).map(|field| field.number);
        assert_eq!(number("timeUnixNano"), Some(3));
        assert_eq!(number("time_unix_nano"), Some(3));
        assert_eq!(number("as_int"), Some(6));
        for other in ["timeunixnano", "TimeUnixNano", "time_unix_nano_", "time_unixNano", "time", ""] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
