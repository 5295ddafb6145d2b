//! OTLP/JSON over HTTP: taken and answered as protobuf is, but the answers are JSON too.

use crate::receivers::client::Answer;
use crate::receivers::rig::{PATIENCE, REQUEST_BYTES_MAX, Rig};
use crate::receivers::samples;
use amp_stand_in::{Fault, Options, Script};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use preamp_tests::otlp_json::{Style, encode};
use preamp_tests::payloads;
use prost::Message as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tonic::Code;

/// A protobuf payload in JSON.
fn in_json(payload: &[u8]) -> Vec<u8> {
    let request = ExportMetricsServiceRequest::decode(payload).expect("a request");
    encode(&request, Style::Specification)
}

impl Rig {
    async fn export_json(&self, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.http.send("POST", "/v1/metrics", &headers, body.into()).await
    }
}

impl Answer {
    /// Status and body, which must be JSON.
    fn json(&self) -> (u16, Value) {
        assert_eq!(self.field("content-type"), "application/json", "{self:?}");
        (self.status, serde_json::from_slice(&self.body).expect("JSON"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_payloads_are_taken_in_every_encoding_and_spelling() {
    let rig = Rig::start().await;
    let payload = in_json(&payloads::requests(50));
    let packed = [
        ("identity", payload.clone()),
        ("gzip", samples::gzip(&payload)),
        ("deflate", samples::zlib(&payload)),
        ("zstd", samples::zstd(&payload)),
    ];
    for (encoding, body) in packed {
        let answer = rig.export_json(&[("content-encoding", encoding)], body).await;
        assert_eq!(answer.json(), (200, json!({})), "{encoding}");
        rig.took(50);
    }
    for content_type in
        ["application/json; charset=utf-8", "application/json;charset=utf-8", "Application/JSON"]
    {
        let headers = [("content-type", content_type)];
        let answer = rig.http.send("POST", "/v1/metrics", &headers, payload.clone().into()).await;
        assert_eq!(answer.json(), (200, json!({})), "{content_type}");
        rig.took(50);
    }
    assert_eq!(rig.export_json(&[], "{}").await.json(), (200, json!({})));
    rig.still_accepts("JSON").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_cannot_be_translated_are_reported_in_json() {
    let rig = Rig::start().await;
    let (status, body) = rig.export_json(&[], in_json(&samples::one_good_two_bad())).await.json();
    rig.took(1);
    let partial = &body["partialSuccess"];
    // 64-bit integers are strings in the JSON mapping of protobuf.
    assert_eq!((status, &partial["rejectedDataPoints"]), (200, &json!("2")), "{body}");
    let message = partial["errorMessage"].as_str().expect("a text");
    assert!(message.contains("delta-temporality") && message.contains("shop.sold"), "{message}");
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_are_no_metrics_are_refused_for_good_with_their_place() {
    let rig = Rig::start().await;
    let mut cut = in_json(&payloads::requests(10));
    cut.truncate(cut.len() - 5);
    let nested = "[".repeat(REQUEST_BYTES_MAX - 10);
    let cases = [
        ("nothing", Vec::new(), "not an OTLP metrics request: expected an object at byte 0"),
        ("protobuf", payloads::requests(1), "not an OTLP metrics request: "),
        ("cut", cut, "resourceMetrics[0].scopeMetrics[0]: expected , or } at byte "),
        ("nesting", nested.into_bytes(), "not an OTLP metrics request: "),
        (
            "a wrong type",
            br#"{"resourceMetrics":[{},{"scopeMetrics":true}]}"#.to_vec(),
            "resourceMetrics[1].scopeMetrics: expected an array at byte 39",
        ),
        ("traces", br#"{"resourceSpans":[{}]}"#.to_vec(), "these are traces"),
        ("logs", br#"{"resourceLogs":[{}]}"#.to_vec(), "these are logs"),
    ];
    for (name, payload, said) in cases {
        let (status, body) = rig.export_json(&[], payload).await.json();
        assert_eq!((status, &body["code"]), (400, &json!(Code::InvalidArgument as i32)), "{name}: {body}");
        let message = body["message"].as_str().expect("a text");
        assert!(message.contains(said), "{name}: {message}");
        assert_eq!(body["details"], json!([]), "{name}: nothing says to try again");
        rig.still_accepts(name).await;
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_too_large_or_wrongly_packed_are_refused_in_json() {
    let rig = Rig::start().await;
    let oversized = in_json(&payloads::requests(500));
    assert!(oversized.len() > REQUEST_BYTES_MAX);
    let bodies = [
        ("identity", oversized.clone(), 413, Code::ResourceExhausted),
        ("gzip", samples::gzip(&oversized), 413, Code::ResourceExhausted),
        ("zstd", samples::zstd(&oversized), 413, Code::ResourceExhausted),
        ("gzip", samples::gzip_bomb(1), 413, Code::ResourceExhausted),
        ("gzip", b"{}".to_vec(), 400, Code::InvalidArgument),
        ("br", b"{}".to_vec(), 400, Code::InvalidArgument),
    ];
    for (encoding, body, expected, code) in bodies {
        let (status, body) = rig.export_json(&[("content-encoding", encoding)], body).await.json();
        assert_eq!((status, &body["code"]), (expected, &json!(code as i32)), "{encoding}: {body}");
    }
    rig.still_accepts("what was refused").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_asks_in_json_to_come_back_and_then_takes_the_payload() {
    let mut options = Options::unsigned();
    options.faults = Script::steps([Some(Fault::Hang(Duration::from_secs(2)))]);
    let rig = Rig::changed(options, |settings, _| settings.exporter.queue.max_payloads = 1).await;
    let payload = in_json(&payloads::requests(5));
    assert_eq!(rig.export_json(&[], payload.clone()).await.json(), (200, json!({})));
    let answer = rig.export_json(&[], payload.clone()).await;
    assert_eq!(answer.field("retry-after"), "1");
    let (status, body) = answer.json();
    assert_eq!((status, &body["code"]), (503, &json!(Code::Unavailable as i32)), "{body}");
    let retry_info = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"});
    assert_eq!(body["details"], json!([retry_info]));

    let started = Instant::now();
    while rig.export_json(&[], payload.clone()).await.status != 200 {
        assert!(started.elapsed() < PATIENCE, "still full");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rig.took(10);
    rig.finish().await;
}
