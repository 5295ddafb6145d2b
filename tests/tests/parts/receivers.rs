//! The receivers through real sockets: each kind of request gets the answer that the OTLP
//! specification asks for, over HTTP and over gRPC, and costs the requests after it nothing.

mod client;
mod json;
mod rig;
mod samples;
mod strangers;

use amp_stand_in::{Fault, Options, Script};
use bytes::Bytes;
use client::{METRICS_EXPORT, RpcStatus};
use preamp_tests::payloads;
use preamp_wasm::PoolLimits;
use prost::Message as _;
use rig::{PATIENCE, REQUEST_BYTES_MAX, Rig};
use std::time::{Duration, Instant};
use tonic::Code;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};

#[tokio::test(flavor = "multi_thread")]
async fn good_payloads_are_taken_in_every_encoding() {
    let rig = Rig::start().await;
    let payload = Bytes::from(payloads::requests(50));
    let packed = [
        ("identity", payload.to_vec()),
        ("gzip", samples::gzip(&payload)),
        ("deflate", samples::zlib(&payload)),
        ("zstd", samples::zstd(&payload)),
    ];
    for (encoding, body) in packed {
        let answer = rig.http.export_packed(encoding, body).await;
        assert_eq!(answer.response().partial_success, None, "{encoding}");
        rig.took(50);
    }
    assert_eq!(rig.grpc.export(payload.clone()).await.expect("plain").partial_success, None);
    for encoding in [Gzip, Zstd] {
        let answer = rig.grpc.export_packed(encoding, payload.clone()).await.expect("packed");
        assert_eq!(answer.partial_success, None, "{encoding:?}");
    }
    rig.took(150);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_without_points_is_taken() {
    let rig = Rig::start().await;
    assert_eq!(rig.http.export(Bytes::new()).await.response().partial_success, None);
    assert_eq!(rig.grpc.export(Bytes::new()).await.expect("empty").partial_success, None);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_cannot_be_translated_are_reported_and_the_others_taken() {
    let rig = Rig::start().await;
    let over_http = rig.http.export(samples::one_good_two_bad()).await.response();
    let over_grpc = rig.grpc.export(samples::one_good_two_bad()).await.expect("a success");
    rig.took(2);
    for response in [over_http, over_grpc] {
        let partial = response.partial_success.expect("a partial success");
        assert_eq!(partial.rejected_data_points, 2);
        assert!(partial.error_message.contains("delta-temporality"), "{}", partial.error_message);
        assert!(partial.error_message.contains("shop.sold"), "{}", partial.error_message);
    }
    rig.still_accepts("a partial success").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_are_no_metrics_are_refused_for_good() {
    let rig = Rig::start().await;
    let cases = [
        ("noise", b"\xff\xff\xff\xff no protobuf".to_vec(), "not an OTLP metrics request"),
        ("truncated", samples::truncated(), "not an OTLP metrics request"),
        ("traces", samples::traces(), "these are traces"),
        ("logs", samples::logs(), "these are logs"),
    ];
    for (name, payload, said) in cases {
        let answer = rig.http.export(payload.clone()).await;
        assert_eq!(answer.status, 400, "{name}");
        let (code, message) = answer.failure();
        assert_eq!(code, Code::InvalidArgument as i32, "{name}");
        assert!(message.contains(said), "{name}: {message}");

        let status = rig.grpc.export(payload).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}");
        assert!(status.message().contains(said), "{name}: {}", status.message());
        rig.still_accepts(name).await;
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_payloads_and_bombs_are_refused_for_good_and_at_once() {
    let rig = Rig::start().await;
    let oversized = payloads::requests(1_000);
    assert!(oversized.len() > REQUEST_BYTES_MAX);
    let bomb = samples::gzip_bomb(1);
    assert!(bomb.len() < REQUEST_BYTES_MAX);
    let bodies = [
        ("identity", oversized.clone()),
        ("gzip", samples::gzip(&oversized)),
        ("zstd", samples::zstd(&oversized)),
        ("gzip", bomb),
    ];
    for (encoding, body) in bodies {
        let answer = rig.http.export_packed(encoding, body).await;
        assert_eq!(answer.status, 413, "{encoding}");
        let (code, message) = answer.failure();
        assert_eq!(code, Code::ResourceExhausted as i32);
        assert!(message.contains(&format!("more than {REQUEST_BYTES_MAX} bytes")), "{message}");
    }
    for encoding in [None, Some(Gzip), Some(Zstd)] {
        let status = rig.grpc.call(METRICS_EXPORT, oversized.clone().into(), encoding).await;
        let status = status.expect_err("too large");
        // Without RetryInfo, this code is final for OTLP clients.
        assert_eq!(status.code(), Code::ResourceExhausted, "{encoding:?}: {status:?}");
        assert!(!has_retry_info(&status), "{encoding:?}");
    }
    rig.still_accepts("oversized payloads").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_within_the_limit_is_not_inflated_beyond_it() {
    // 16 GiB of zeros in 16 MiB: inflating all of it takes half a minute.
    let limit = 32 << 20;
    let rig = Rig::changed(Options::unsigned(), |settings, _| {
        for listener in [&mut settings.receiver.grpc, &mut settings.receiver.http].into_iter().flatten() {
            listener.max_request_bytes = limit;
        }
    })
    .await;
    let bomb = samples::gzip_bomb(1_024);
    assert!((bomb.len() as u64) < limit, "{}", bomb.len());
    let started = Instant::now();
    let answer = rig.http.export_packed("gzip", bomb).await;
    assert_eq!(answer.status, 413);
    let status = rig.grpc.export_packed(Gzip, vec![0; 64 << 20]).await.expect_err("too large");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    rig.still_accepts("a bomb").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_without_end_does_no_harm() {
    let rig = Rig::start().await;
    let payload = samples::nested(3_000);
    assert!(payload.len() < REQUEST_BYTES_MAX);
    assert_eq!(rig.http.export(payload.clone()).await.response().partial_success, None);
    assert_eq!(rig.grpc.export(payload).await.expect("deep").partial_success, None);
    rig.took(2);
    rig.still_accepts("deep nesting").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_packed_as_announced_are_refused_for_good() {
    let rig = Rig::start().await;
    let payload = payloads::requests(5);
    let cut = samples::gzip(&payload);
    let bodies =
        [("gzip", payload.clone()), ("zstd", payload.clone()), ("gzip", cut[..cut.len() - 4].to_vec())];
    for (encoding, body) in bodies {
        let answer = rig.http.export_packed(encoding, body).await;
        assert_eq!(answer.status, 400, "{encoding}");
        assert!(answer.failure().1.contains("Content-Encoding"), "{encoding}");
    }
    let answer = rig.http.export_packed("br", payload).await;
    assert_eq!(answer.status, 400);
    assert!(answer.failure().1.contains("use one of identity, gzip"), "{answer:?}");
    rig.still_accepts("wrongly packed bodies").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_methods_signals_and_types_are_refused_by_name() {
    let rig = Rig::start().await;
    let protobuf = [("content-type", "application/x-protobuf; charset=utf-8")];
    let send = async |method, path, headers| {
        let answer = rig.http.send(method, path, headers, payloads::requests(1).into()).await;
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned(), answer)
    };
    for path in ["/v1/traces", "/v1/logs", "/"] {
        let (status, body, _) = send("POST", path, &protobuf).await;
        assert_eq!((status, body.contains("POST them to /v1/metrics")), (404, true), "{path}: {body}");
    }
    let (status, _, answer) = send("PUT", "/v1/metrics", &protobuf).await;
    assert_eq!((status, answer.field("allow")), (405, "POST"));
    for headers in [&[][..], &[("content-type", "text/plain")]] {
        let (status, body, _) = send("POST", "/v1/metrics", headers).await;
        assert_eq!((status, body.contains("application/x-protobuf")), (415, true), "{body}");
    }
    for signal in ["trace.v1.TraceService", "logs.v1.LogsService"] {
        let method = format!("/opentelemetry.proto.collector.{signal}/Export");
        let status = rig.grpc.call(&method, samples::traces().into(), None).await.expect_err(signal);
        assert_eq!(status.code(), Code::Unimplemented, "{signal}");
        assert!(status.message().contains("only metrics"), "{status:?}");
    }
    let (status, _, _) = send("POST", "/v1/metrics", &protobuf).await;
    assert_eq!(status, 200, "parameters of the type do not matter");
    rig.took(1);
    rig.still_accepts("all of these").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_the_component_fails_on_costs_no_other() {
    let rig = Rig::changed(Options::unsigned(), |settings, parts| {
        parts.limits = Some(PoolLimits { memory_bytes_max: 4 << 20, ..PoolLimits::default() });
        for listener in [&mut settings.receiver.grpc, &mut settings.receiver.http].into_iter().flatten() {
            listener.max_request_bytes = 64 << 20;
        }
    })
    .await;
    let poison = Bytes::from(payloads::requests(20_000));
    let (answer, status, ()) = tokio::join!(
        rig.http.export(poison.clone()),
        rig.grpc.export(poison),
        rig.still_accepts("a payload that takes too much memory")
    );
    assert_eq!(answer.status, 413);
    assert!(answer.failure().1.contains("the 4 MiB of memory"), "{answer:?}");
    let status = status.expect_err("too much memory");
    assert_eq!((status.code(), has_retry_info(&status)), (Code::ResourceExhausted, false), "{status:?}");
    rig.still_accepts("traps").await;
    let page = rig.running.node().encode_metrics();
    assert!(page.contains("preamp_component_traps_total 2"), "{page}");
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_asks_clients_to_come_back_and_then_takes_them() {
    let mut options = Options::unsigned();
    options.faults = Script::steps([Some(Fault::Hang(Duration::from_secs(2)))]);
    let rig = Rig::changed(options, |settings, _| settings.exporter.queue.max_payloads = 1).await;
    assert_eq!(rig.http.export(payloads::requests(5)).await.response().partial_success, None);
    rig.took(5);

    let answer = rig.http.export(payloads::requests(5)).await;
    assert_eq!((answer.status, answer.field("retry-after")), (503, "1"));
    let (code, message) = answer.failure();
    assert_eq!(code, Code::Unavailable as i32);
    assert!(message.contains("queue full"), "{message}");
    let status = rig.grpc.export(payloads::requests(5)).await.expect_err("full");
    assert_eq!((status.code(), has_retry_info(&status)), (Code::Unavailable, true), "{status:?}");

    let started = Instant::now();
    while rig.http.export(payloads::requests(5)).await.status != 200 {
        assert!(started.elapsed() < PATIENCE, "still full");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rig.took(5);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_end_cannot_take_all_memory() {
    use tokio::io::AsyncWriteExt as _;

    // Five of them need more than the 256 MiB there are for requests.
    const SENT: usize = 60 << 20;
    let rig = Rig::changed(Options::unsigned(), |settings, _| {
        for listener in [&mut settings.receiver.grpc, &mut settings.receiver.http].into_iter().flatten() {
            listener.max_request_bytes = 64 << 20;
        }
    })
    .await;
    let address = rig.running.addresses().http.expect("OTLP/HTTP");
    let mut held = Vec::new();
    for _ in 0..5 {
        let head = format!(
            "POST /v1/metrics HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\n\
             content-length: {}\r\n\r\n",
            SENT + 1
        );
        let mut socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
        socket.write_all(head.as_bytes()).await.expect("the head");
        // The last one is cut off while it sends.
        let _sent = socket.write_all(&vec![0; SENT]).await;
        held.push(socket);
    }
    let refused = r#"otelcol_receiver_requests_total{receiver="otlp",transport="http",outcome="refused"} 1"#;
    let started = Instant::now();
    while !rig.running.node().encode_metrics().contains(refused) {
        assert!(started.elapsed() < PATIENCE, "{}", rig.running.node().encode_metrics());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    rig.still_accepts("while most room is taken").await;
    drop(held);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_when_the_service_stops_is_answered_and_delivered() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let Rig { running, stand_in, .. } = Rig::start().await;
    let address = running.addresses().http.expect("OTLP/HTTP");
    let payload = payloads::requests(5);
    let (first, second) = payload.split_at(payload.len() / 2);
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\n\r\n",
        payload.len()
    );
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
    socket.write_all(&[head.as_bytes(), first].concat()).await.expect("the first half");
    // Long enough for the server to have read the head, so that the request is under way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stopping = tokio::spawn(running.shutdown(PATIENCE));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "new connections are still taken");
    socket.write_all(second).await.expect("the second half");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let stopped = stopping.await.expect("no panic");
    assert_eq!((stopped.ledger.accepted, stopped.ledger.delivered), (5, 5));
    assert_eq!((stopped.receivers_aborted, stand_in.report().samples_stored), (false, 5));
}

fn has_retry_info(status: &tonic::Status) -> bool {
    let details = RpcStatus::decode(status.details()).expect("a google.rpc.Status").details;
    details.iter().any(|detail| detail.type_url.ends_with("google.rpc.RetryInfo") && !detail.value.is_empty())
}
