//! Payloads that are wrong in one way each.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Delta;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use preamp_tests::payloads::{self, NOW_NS, RECENT_NS, double_point, gauge, metrics, sum, text};
use prost::Message as _;

/// A gauge of one point, which is good, and a delta sum of two, which cannot be translated.
pub fn one_good_two_bad() -> Vec<u8> {
    let point = |value| double_point(vec![text("shelf", &format!("{value}"))], value);
    metrics(vec![
        gauge("shop.stock", "{item}", vec![point(3.0)]),
        sum("shop.sold", "{item}", vec![point(1.0), point(2.0)], Delta, true),
    ])
}

/// A good payload without its last bytes.
pub fn truncated() -> Vec<u8> {
    let mut payload = payloads::requests(10);
    payload.truncate(payload.len() - 5);
    payload
}

pub fn traces() -> Vec<u8> {
    let span = Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: "GET /orders".to_owned(),
        kind: 2,
        start_time_unix_nano: RECENT_NS,
        end_time_unix_nano: NOW_NS,
        ..Default::default()
    };
    let resource = ResourceSpans {
        scope_spans: vec![ScopeSpans { spans: vec![span], ..Default::default() }],
        ..Default::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

pub fn logs() -> Vec<u8> {
    let record = LogRecord {
        time_unix_nano: RECENT_NS,
        observed_time_unix_nano: NOW_NS,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        ..Default::default()
    };
    let resource = ResourceLogs {
        scope_logs: vec![ScopeLogs { log_records: vec![record], ..Default::default() }],
        ..Default::default()
    };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
}

/// A gauge of one point, one attribute of which is a map in a map, and so on. Written by hand, since
/// an encoder that calls itself for each level would need as deep a stack.
pub fn nested(levels: usize) -> Vec<u8> {
    // AnyValue.string_value; then AnyValue.kvlist_value.values of a KeyValue with that value.
    let mut value = field(1, b"bottom");
    for _ in 0..levels {
        let key_value = [field(1, b"k"), field(2, &value)].concat();
        value = field(6, &field(1, &key_value));
    }
    let attribute = [field(1, b"deep"), field(2, &value)].concat();
    let point = [double_point(vec![], 1.0).encode_to_vec(), field(7, &attribute)].concat();
    let metric = [field(1, b"shop.depth"), field(5, &field(1, &point))].concat();
    // ExportMetricsServiceRequest.resource_metrics.scope_metrics.metrics
    field(1, &field(2, &field(2, &metric)))
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut field);
    field.extend_from_slice(content);
    field
}

/// Zeros without end, as far as a receiver can tell: `members` gzip members of 16 MiB each.
pub fn gzip_bomb(members: usize) -> Vec<u8> {
    gzip(&vec![0; 16 << 20]).repeat(members)
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    packed(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best()), data)
}

pub fn zlib(data: &[u8]) -> Vec<u8> {
    packed(flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best()), data)
}

pub fn zstd(data: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(data, 3).expect("memory does not fail")
}

/// An encoder that gives its output back when it is finished.
trait Finish: std::io::Write {
    fn finish(self) -> std::io::Result<Vec<u8>>;
}

impl Finish for flate2::write::GzEncoder<Vec<u8>> {
    fn finish(self) -> std::io::Result<Vec<u8>> {
        flate2::write::GzEncoder::finish(self)
    }
}

impl Finish for flate2::write::ZlibEncoder<Vec<u8>> {
    fn finish(self) -> std::io::Result<Vec<u8>> {
        flate2::write::ZlibEncoder::finish(self)
    }
}

fn packed(mut encoder: impl Finish, data: &[u8]) -> Vec<u8> {
    encoder.write_all(data).and_then(|()| encoder.finish()).expect("memory does not fail")
}
