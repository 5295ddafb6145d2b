//! The filter in a real Envoy.

mod grpc;
mod load;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use amp_stand_in::{Fault, StandIn};
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use preamp_core::types::Encoding;
use preamp_tests::bounded_memory::bounded;
use preamp_tests::children::wait_for;
use preamp_tests::envoy::{self, Changes, Envoy};
use preamp_tests::loopback::exchange_1_1;
use preamp_tests::payloads;
use preamp_tests::sockets::{Payload, Socket as _};
use serde_json::json;
use tokio::net::TcpListener;

use super::scenarios::{CREDENTIALS, REGION, Scenario, options, packed, stored};

/// The most that the filter may weigh, in bytes.
const SIZE_MAX: usize = 545_000;

/// The most memory that an instance of the filter may have, in pages of 64 KiB.
const PAGES_MAX: u64 = 8 << 10;

/// All that the filter asks of Envoy. It calls a third of it; the rest comes with the crate `proxy-wasm`. Nothing among it
/// has what is in the environment, files or keys.
const IMPORTS: [&str; 34] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

fn few() -> Changes<'static> {
    Changes { exporter: json!({"target_info": {"enabled": false}}), ..Changes::few(REGION, &CREDENTIALS) }
}

async fn start(stand_in: &StandIn, folder: &Path) -> anyhow::Result<Envoy> {
    Envoy::start(stand_in.address(), &few(), folder).await
}

/// A payload that must be taken whole.
fn deliver(envoy: &mut Envoy, body: &[u8]) -> anyhow::Result<()> {
    let answer = envoy.deliver(Payload::protobuf(body))?;
    ensure!(answer.status == 200 && answer.rejected()? == 0, "{answer:?}\n{}", envoy.said());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn lives_through_the_scenarios() -> anyhow::Result<()> {
    for scenario in [Scenario::Senders, Scenario::Faults, Scenario::Downgrade] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(scenario.receiver()).await?;
        let mut changes = few();
        for (key, value) in scenario.options().as_object().into_iter().flatten() {
            changes.exporter[key] = value.clone();
        }
        let mut envoy = Envoy::start(stand_in.address(), &changes, folder.path()).await?;
        scenario.play(&mut envoy, &stand_in).map_err(|error| {
            error.context(format!("{scenario:?}: {:?}\n{}", stand_in.report(), envoy.said()))
        })?;
        let report = stand_in.report();
        println!("{scenario:?}: {} of {} signatures verified", report.verified, report.requests);
    }
    Ok(())
}

/// Envoy signs, by the clock of its machine, which nothing in the filter can correct: the sender keeps its payload, and
/// somebody is told.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn a_wrong_clock_loses_nothing_and_is_told() -> anyhow::Result<()> {
    for scenario in [Scenario::ClockAhead, Scenario::ClockBehind] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(scenario.receiver()).await?;
        let mut envoy = start(&stand_in, folder.path()).await?;
        let answer = envoy.deliver(Payload::protobuf(&payloads::of_now(2, 1)))?;
        ensure!(answer.status == 503 && answer.retry_after, "{answer:?}\n{}", envoy.said());
        ensure!(envoy.said().contains("InvalidSignatureException: Signature "), "{}", envoy.said());
        ensure!(stand_in.report().samples_stored == 0);
    }
    Ok(())
}

#[test]
#[ignore = "`./build.sh soak sockets`, which builds the filter"]
fn the_filter_is_small_and_asks_for_little() -> anyhow::Result<()> {
    let bytes = std::fs::read(envoy::filter()?)?;
    println!("the filter has {} bytes", bytes.len());
    ensure!(bytes.len() <= SIZE_MAX, "the filter has {} bytes, more than {SIZE_MAX}", bytes.len());
    let module = wasmtime::Module::new(&wasmtime::Engine::default(), &bytes)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut imports: Vec<_> = module.imports().map(|import| (import.module(), import.name())).collect();
    imports.sort_unstable();
    ensure!(imports == IMPORTS.map(|name| ("env", name)), "{imports:?}");
    let memory = module.exports().find_map(|export| export.ty().memory().cloned()).context("no memory")?;
    ensure!(memory.maximum() == Some(PAGES_MAX), "{memory:?}");
    Ok(())
}

/// Envoy takes bodies of 1 MiB unless it is told otherwise, in more than one place.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn large_payloads_pass_and_larger_ones_are_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let mut envoy = start(&stand_in, folder.path()).await?;
    let large = payloads::of_sender(1, 100_000, payloads::now_ms(), 1);
    ensure!(large.len() > 3 << 20, "{}", large.len());
    for content_encoding in ["", "gzip", "zstd"] {
        let body = packed(content_encoding, &large)?;
        let answer = envoy.deliver(Payload { body: &body, content_encoding, ..Payload::protobuf(b"") })?;
        ensure!(
            answer.status == 200 && answer.rejected()? == 0,
            "{content_encoding}: {answer:?}\n{}",
            envoy.said()
        );
    }
    let report = stand_in.report();
    ensure!(report.samples_stored == 100_000 && report.samples_repeated == 200_000, "{report:?}");
    ensure!(report.unverified == 0 && report.verified == report.requests, "{report:?}");
    // A request that Envoy refuses before it was read may end without an answer.
    let headers = [("host", "envoy"), ("content-type", "application/x-protobuf")];
    let larger = exchange_1_1(envoy.http, "POST", "/v1/metrics", &headers, &vec![0; 17 << 20]);
    ensure!(larger.as_ref().is_none_or(|reply| reply.status == 413), "{larger:?}");
    deliver(&mut envoy, &payloads::of_now(1, 2))
}

/// Filters in front that unpack end a body with trailers. Damaged bodies must not be taken for short ones.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn damaged_bodies_are_never_taken() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let mut envoy = start(&stand_in, folder.path()).await?;
    let payload = payloads::of_now(500, 1);
    for content_encoding in ["gzip", "zstd"] {
        let whole = packed(content_encoding, &payload)?;
        for cut in [0, 1, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            let answer =
                envoy.deliver(Payload { body: &whole[..cut], content_encoding, ..Payload::protobuf(b"") })?;
            ensure!(answer.status == 400, "{content_encoding} cut to {cut} of {}: {answer:?}", whole.len());
        }
    }
    ensure!(stand_in.report().requests == 0, "{:?}", stand_in.report());
    Ok(())
}

/// Others in the chain of filters have what is not for this one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn nothing_but_metrics_is_taken() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let envoy = start(&stand_in, folder.path()).await?;
    let headers = [("host", "envoy"), ("content-type", "application/x-protobuf")];
    for (method, path, headers, status) in [
        ("POST", "/v1/traces", &headers[..], 404),
        ("GET", "/v1/metrics", &headers, 405),
        ("POST", "/v1/metrics", &headers[..1], 415),
        ("POST", "/v1/metrics?a=b", &headers, 200),
    ] {
        let reply = exchange_1_1(envoy.http, method, path, headers, b"").context("no answer")?;
        ensure!(reply.status == status, "{method} {path}: {reply:?}");
    }
    Ok(())
}

/// A payload that is too much for an instance ends it; Envoy makes another one. Whoever was on the way is told to send
/// again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn an_instance_that_fails_costs_nobody_a_payload() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let limited = folder.path().join("limited.wasm");
    std::fs::write(&limited, bounded(&std::fs::read(envoy::filter()?)?, 128)?)?;
    let texts = vec![("stream_idle_timeout: 15s", "stream_idle_timeout: 2s".to_owned())];
    let changes = Changes { filter: Some(limited), texts, ..few() };
    let mut envoy = Envoy::start(stand_in.address(), &changes, folder.path()).await?;
    deliver(&mut envoy, &payloads::of_now(1, 1))?;

    stand_in.inject(Fault::Hang(Duration::from_secs(4)));
    let (http, waiting) = (envoy.http, payloads::of_now(1, 2));
    let headers = [("host", "envoy"), ("content-type", "application/x-protobuf")];
    let body = waiting.clone();
    let neighbour = std::thread::spawn(move || exchange_1_1(http, "POST", "/v1/metrics", &headers, &body));
    wait_for("the neighbour's request", || Ok((stand_in.report().requests > 1).then_some(())))?;
    let answer = envoy.deliver(Payload::protobuf(&payloads::requests(60_000)))?;
    ensure!(answer.status == 503, "{answer:?}\n{}", envoy.said());
    let neighbour = neighbour.join().ok().flatten().context("no answer")?;
    ensure!([503, 504].contains(&neighbour.status), "{neighbour:?}");

    let failed = Instant::now();
    for body in [waiting, payloads::of_now(1, 3)] {
        wait_for("another instance", || {
            Ok((envoy.deliver(Payload::protobuf(&body))?.status == 200).then_some(()))
        })?;
    }
    ensure!(failed.elapsed() < Duration::from_secs(2), "{:?}", failed.elapsed());
    ensure!(stored(&stand_in) == [1.0, 2.0, 3.0], "{:?}", stored(&stand_in));
    Ok(())
}

/// What is wrong in the configuration of the filter is told at once, all of it, and Envoy does not start.
#[test]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
fn a_wrong_configuration_is_refused_at_the_start() -> anyhow::Result<()> {
    let refused = |changes: Changes<'_>, expected: &[&str]| -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let said = envoy::refused(&changes, folder.path())?;
        for part in expected {
            ensure!(said.contains(part), "{part}: {said}");
        }
        Ok(())
    };
    let exporter = json!({"sigv4": {"region": REGION, "service": "aps"}, "delta": "accumulate"});
    let texts = vec![
        ("\"cluster\": ", "\"clutser\": ".to_owned()),
        ("\"patience_ms\": 4000", "\"patience_ms\": \"soon\"".to_owned()),
    ];
    let expected = [
        "\"clutser\" is no key",
        "cluster: the name",
        "patience_ms: must be",
        "exporter.sigv4: ",
        "exporter.delta: ",
    ];
    refused(Changes { exporter, texts, ..few() }, &expected)?;
    let exporter = json!({"max_labels_per_series": -1, "nonsense": 1});
    refused(Changes { exporter, ..few() }, &["exporter.max_labels_per_series: ", "exporter.nonsense: "])
}

/// A cluster that Envoy does not know is told in the log, and counted; the sender keeps its payload.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn a_cluster_that_is_not_there_is_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let texts = vec![
        ("\"cluster\": \"workspace\"", "\"cluster\": \"worksplace\"".to_owned()),
        ("\"patience_ms\": 4000", "\"patience_ms\": 100".to_owned()),
    ];
    let mut envoy = Envoy::start(stand_in.address(), &Changes { texts, ..few() }, folder.path()).await?;
    for _ in 0..3 {
        let answer = envoy.deliver(Payload::protobuf(&payloads::of_now(1, 1)))?;
        ensure!(answer.status == 503 && answer.retry_after, "{answer:?}");
    }
    let said = envoy.said();
    let lines = said.lines().filter(|line| line.contains("does not send to the cluster worksplace")).count();
    ensure!(lines == 1, "{said}");
    ensure!(envoy.counter("preamp_requests_unanswered_total")? >= 3, "{}", envoy.page("/stats/prometheus")?);
    ensure!(envoy.counter("preamp_payloads_unsettled_total")? == 3);
    Ok(())
}

/// Without credentials, Envoy sends without a signature, and the answer of the receiver is what is told.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn credentials_that_are_missing_are_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let changes = Changes { environment: &[], ..few() };
    let mut envoy = Envoy::start(stand_in.address(), &changes, folder.path()).await?;
    let answer = envoy.deliver(Payload::protobuf(&payloads::of_now(1, 1)))?;
    ensure!(answer.status == 503 && answer.retry_after, "{answer:?}\n{}", envoy.said());
    ensure!(envoy.said().contains("Missing Authentication Token"), "{}", envoy.said());
    ensure!(stand_in.report().samples_stored == 0);
    Ok(())
}

/// A sender that goes away leaves nothing behind, and is counted.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn senders_that_go_away_and_payloads_without_room() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let texts = vec![("\"max_in_flight_bytes\": 67108864", "\"max_in_flight_bytes\": 1000".to_owned())];
    let mut envoy = Envoy::start(stand_in.address(), &Changes { texts, ..few() }, folder.path()).await?;
    let payload = payloads::of_now(20, 1);
    ensure!(payload.len() > 1000);
    stand_in.inject(Fault::Hang(Duration::from_secs(3)));
    let sender = unanswered(&envoy, &payload)?;
    wait_for("the first request", || Ok((stand_in.report().requests == 1).then_some(())))?;
    // What is on its way leaves no room for more.
    let answer = envoy.deliver(Payload::protobuf(&payload))?;
    ensure!(answer.status == 503 && answer.retry_after, "{answer:?}");
    ensure!(answer.text().contains("max_in_flight_bytes"), "{answer:?}");
    // Until its sender is gone.
    drop(sender);
    wait_for("the sender to be missed", || {
        Ok((envoy.counter("preamp_payloads_abandoned_total")? == 1).then_some(()))
    })?;
    deliver(&mut envoy, &payload)?;
    let page = envoy.page("/stats/prometheus")?;
    for (name, value) in [
        ("preamp_payloads_settled_total", 1),
        ("preamp_payloads_unsettled_total", 1),
        ("preamp_points_delivered_total", 20),
        ("preamp_requests_total", 2),
    ] {
        ensure!(envoy.counter(name)? == value, "{name} is not {value}: {page}");
    }
    Ok(())
}

/// A sender that does not wait for its answer.
fn unanswered(envoy: &Envoy, payload: &[u8]) -> anyhow::Result<std::net::TcpStream> {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(envoy.http)?;
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: envoy\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        payload.len()
    );
    stream.write_all(&[head.as_bytes(), payload].concat())?;
    Ok(stream)
}

/// Without the option that the file has, Envoy keeps bodies back; it is told.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn a_filter_without_bodies_is_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let option = "allow_on_headers_stop_iteration: true";
    let texts = vec![
        (option, option.replace("true", "false")),
        ("stream_idle_timeout: 15s", "stream_idle_timeout: 1s".to_owned()),
    ];
    let mut envoy = Envoy::start(stand_in.address(), &Changes { texts, ..few() }, folder.path()).await?;
    let answer = envoy.deliver(Payload::protobuf(&payloads::of_now(1, 1)))?;
    ensure!([408, 504].contains(&answer.status), "{answer:?}");
    wait_for("a line of the log", || Ok(envoy.said().contains(option).then_some(())))
}

/// A receiver that keeps the bodies that it is sent.
async fn keeping_receiver() -> anyhow::Result<(SocketAddr, Arc<Mutex<Vec<Bytes>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, bodies) = (listener.local_addr()?, Arc::<Mutex<Vec<Bytes>>>::default());
    let kept = Arc::clone(&bodies);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            let answer = service_fn(move |request: Request<Incoming>| {
                let kept = Arc::clone(&kept);
                async move {
                    let body = request.into_body().collect().await?.to_bytes();
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(body);
                    Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::default()))
                }
            });
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(served);
        }
    });
    Ok((address, bodies))
}

/// The bodies are those that the core makes anywhere.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn bodies_are_the_same_as_anywhere() -> anyhow::Result<()> {
    let options = json!({"endpoint": "https://example.com/", "profile": "aps", "partitions": 1});
    let mut exporter = preamp_core::Exporter::open(&options.to_string())
        .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let folder = tempfile::tempdir()?;
    let (receiver, bodies) = keeping_receiver().await?;
    let mut envoy = Envoy::start(receiver, &Changes::few(REGION, &CREDENTIALS), folder.path()).await?;
    for payload in [payloads::of_now(73, 1), payloads::of_sender(1, 20_000, payloads::now_ms(), 1)] {
        deliver(&mut envoy, &payload)?;
        let now = u64::try_from(payloads::now_ms())? * 1_000_000;
        let accepted = exporter
            .accept(&payload, Encoding::Protobuf, now)
            .map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
        let expected: Vec<_> = accepted.batches.iter().map(|batch| Bytes::from(batch.body.clone())).collect();
        let found = std::mem::take(&mut *bodies.lock().unwrap_or_else(PoisonError::into_inner));
        ensure!(!found.is_empty() && found == expected, "{} bodies, and not {}", found.len(), expected.len());
    }
    Ok(())
}
