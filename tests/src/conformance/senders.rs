//! Payloads as senders make them: encoded, packed, unreadable, too large, and nothing in them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Delta;
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Histogram};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::json;

use super::Case;
use super::recorder::{JSON, PROTOBUF, Recorder, stored};
use crate::otlp_json::{self, Style};
use crate::payloads::{self, RECENT_NS, integer_point, metric, metrics, power, requests, sum};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [taken(), refused(), in_part()].into_iter().flatten().collect()
}

fn taken() -> Vec<Case> {
    vec![
        Case::new("protobuf, not packed", json!({}), |recorder| packed(recorder, PROTOBUF, "")),
        Case::new("protobuf, identity", json!({}), |recorder| packed(recorder, PROTOBUF, "identity")),
        Case::new("protobuf, gzip", json!({}), |recorder| packed(recorder, PROTOBUF, "gzip")),
        Case::new("protobuf, deflate", json!({}), |recorder| packed(recorder, PROTOBUF, "deflate")),
        Case::new("protobuf, zstd", json!({}), |recorder| packed(recorder, PROTOBUF, "zstd")),
        Case::new("JSON, not packed", json!({}), |recorder| packed(recorder, JSON, "")),
        Case::new("JSON, gzip", json!({}), |recorder| packed(recorder, JSON, "gzip")),
        Case::new("JSON, deflate", json!({}), |recorder| packed(recorder, JSON, "deflate")),
        Case::new("JSON, zstd", json!({}), |recorder| packed(recorder, JSON, "zstd")),
        Case::new("a head with parameters, in capitals", json!({}), |recorder| {
            recorder.pass(&gzip(&requests(1))?, "Application/X-Protobuf; a=b", "GZIP");
            recorder.bring_to_its_end(&[stored()])?.is(200, 1, 0, 0)
        }),
        Case::new("gzip in two members", json!({}), |recorder| {
            let (first, second) = (gzip(&requests(1))?, gzip(&payloads::latencies(1))?);
            recorder.pass(&[first, second].concat(), PROTOBUF, "gzip");
            recorder.bring_to_its_end(&[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("nothing in a payload of protobuf", json!({}), |recorder| {
            recorder.deliver(b"", &[])?.is(200, 0, 0, 0)
        }),
        Case::new("nothing in a payload of JSON", json!({}), |recorder| {
            recorder.pass(br#"{"resourceMetrics":[]}"#, JSON, "");
            recorder.bring_to_its_end(&[])?.is(200, 0, 0, 0)
        }),
    ]
}

/// Two payloads in one form. The second one needs no key.
fn packed(recorder: &mut Recorder, content_type: &str, content_encoding: &str) -> anyhow::Result<()> {
    for points in [2, 3] {
        let body = match content_type {
            JSON => in_json(&requests(points))?,
            _ => requests(points),
        };
        recorder.pass(&pack(&body, content_encoding)?, content_type, content_encoding);
        recorder.bring_to_its_end(&[stored()])?.is(200, points as u64, 0, 0)?;
    }
    Ok(())
}

fn pack(body: &[u8], content_encoding: &str) -> anyhow::Result<Vec<u8>> {
    Ok(match content_encoding {
        "gzip" => gzip(body)?,
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(body)?;
            encoder.finish()?
        }
        "zstd" => zstd::encode_all(body, 3)?,
        _ => body.to_vec(),
    })
}

/// Packed with gzip.
pub(super) fn gzip(body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body)?;
    Ok(encoder.finish()?)
}

fn in_json(payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    Ok(otlp_json::encode(&ExportMetricsServiceRequest::decode(payload)?, Style::Specification))
}

/// What no socket can send again with success. Zstandard that is damaged is not among it: what is wrong with that is said by
/// a library, and the core as a library has another one than the component.
fn refused() -> Vec<Case> {
    let small = || json!({"max_payload_bytes": 1_000});
    vec![
        Case::new("protobuf that is none", json!({}), |recorder| {
            refuse(recorder, 400, b"\xff\xff\xff", PROTOBUF, "")
        }),
        Case::new("protobuf, cut off", json!({}), |recorder| {
            let body = requests(1);
            refuse(recorder, 400, &body[..body.len() - 5], PROTOBUF, "")
        }),
        Case::new("JSON that is none", json!({}), |recorder| refuse(recorder, 400, b"{", JSON, "")),
        Case::new("JSON with a field of another type", json!({}), |recorder| {
            refuse(recorder, 400, br#"{"resourceMetrics":[{"scopeMetrics":7}]}"#, JSON, "")
        }),
        Case::new("gzip that is none", json!({}), |recorder| {
            refuse(recorder, 400, b"no gzip at all", PROTOBUF, "gzip")
        }),
        Case::new("gzip, cut off, with JSON in it", json!({}), |recorder| {
            let body = gzip(&in_json(&requests(1))?)?;
            refuse(recorder, 400, &body[..body.len() - 20], JSON, "gzip")
        }),
        Case::new("deflate that is none", json!({}), |recorder| {
            refuse(recorder, 400, b"no zlib", PROTOBUF, "deflate")
        }),
        Case::new("packed in a way that nobody takes", json!({}), |recorder| {
            refuse(recorder, 400, &requests(1), PROTOBUF, "br")
        }),
        Case::new("neither protobuf nor JSON", json!({}), |recorder| {
            refuse(recorder, 415, b"up 1", "text/plain; charset=utf-8", "")
        }),
        Case::new("no Content-Type", json!({}), |recorder| refuse(recorder, 415, &requests(1), "", "")),
        Case::new("traces in place of metrics", json!({}), |recorder| {
            refuse(recorder, 400, &traces(), PROTOBUF, "")
        }),
        Case::new("larger than allowed", small(), |recorder| {
            refuse(recorder, 413, &requests(20), PROTOBUF, "")
        }),
        Case::new("larger than allowed once it is unpacked, with JSON in it", small(), |recorder| {
            refuse(recorder, 413, &gzip(&in_json(&requests(20))?)?, JSON, "gzip")
        }),
        Case::new("a few bytes that would become series of many megabytes", json!({}), |recorder| {
            refuse(recorder, 413, &gzip(&expanding())?, PROTOBUF, "gzip")
        }),
    ]
}

fn refuse(
    recorder: &mut Recorder,
    status: u16,
    payload: &[u8],
    content_type: &str,
    content_encoding: &str,
) -> anyhow::Result<()> {
    recorder.pass(payload, content_type, content_encoding);
    recorder.bring_to_its_end(&[])?.is(status, 0, 0, 0)
}

fn traces() -> Vec<u8> {
    let span =
        Span { name: "GET /".to_owned(), trace_id: vec![1; 16], span_id: vec![2; 8], ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// A histogram of many buckets with a long label, which would stand in each of them.
fn expanding() -> Vec<u8> {
    let bounds: Vec<f64> = (0..2_000).map(f64::from).collect();
    let point = HistogramDataPoint {
        attributes: vec![payloads::text("path", &"a".repeat(20_000))],
        time_unix_nano: RECENT_NS,
        bucket_counts: vec![0; bounds.len() + 1],
        explicit_bounds: bounds,
        ..Default::default()
    };
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    let histogram = Histogram { data_points: vec![point], aggregation_temporality };
    metrics(vec![metric("latency", "s", Data::Histogram(histogram))])
}

/// Points that are not taken, beside others that are.
fn in_part() -> Vec<Case> {
    const NOW_MS: i64 = (payloads::NOW_NS / 1_000_000) as i64;
    fn of_two_times() -> Vec<u8> {
        power([("now".to_owned(), NOW_MS - 1_000), ("old".to_owned(), NOW_MS - 7_200_000)])
    }
    vec![
        Case::new("a point that is too old, in protobuf", json!({}), |recorder| {
            recorder.deliver(&of_two_times(), &[stored()])?.is(200, 1, 1, 0)
        }),
        Case::new("a point that is too old, in JSON", json!({}), |recorder| {
            recorder.pass(&in_json(&of_two_times())?, JSON, "");
            recorder.bring_to_its_end(&[stored()])?.is(200, 1, 1, 0)
        }),
        Case::new("nothing but deltas, which are not taken", json!({}), |recorder| {
            let deltas = metrics(vec![sum("orders", "", vec![integer_point(vec![], 7)], Delta, true)]);
            recorder.deliver(&deltas, &[])?.is(200, 0, 1, 0)
        }),
    ]
}
