//! Delta metrics that are added up: the totals outlive instances, traps and processes.

use amp_stand_in::{Options, StandIn};
use bytes::Bytes;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, NumberDataPoint, number_data_point::Value,
};
use preamp_contract::{Acceptance, Encoding};
use preamp_tests::built::load;
use preamp_tests::children::{Background, address_after, built, program, wait_for};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads::{self, NOW_NS, text};
use preamp_wasm::{CallError, ExporterPool, PoolLimits};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const SECOND: u64 = 1_000_000_000;

fn open(limits: PoolLimits) -> ExporterPool {
    let component = load().expect("run `./build.sh host` first");
    let configuration = r#"{"endpoint": "http://localhost/", "delta": "accumulate"}"#;
    ExporterPool::open(&component, configuration, limits).expect("a valid configuration")
}

/// A payload with one delta of 1 for each of some counters, over the second before `time`.
fn deltas(time: u64, counters: std::ops::Range<usize>) -> Bytes {
    let point = |number: usize| NumberDataPoint {
        attributes: vec![text("number", &number.to_string())],
        start_time_unix_nano: time - SECOND,
        time_unix_nano: time,
        value: Some(Value::AsInt(1)),
        ..Default::default()
    };
    let points = counters.map(point).collect();
    let sum = payloads::sum("orders", "", points, AggregationTemporality::Delta, true);
    Bytes::from(payloads::metrics(vec![sum]))
}

/// What becomes of the deltas of a second.
async fn accept(exporters: &ExporterPool, second: u64, counters: std::ops::Range<usize>) -> Acceptance {
    let now = NOW_NS + second * SECOND;
    let accepted = exporters.accept(deltas(now, counters), Encoding::Protobuf, now).await;
    let acceptance = accepted.expect("no trap").expect("no refusal");
    assert_eq!(acceptance.rejections, []);
    acceptance
}

/// The values that a payload has come to.
async fn totals(exporters: &ExporterPool, acceptance: &Acceptance) -> Vec<String> {
    let mut values = Vec::new();
    for batch in &acceptance.batches {
        let text = exporters.explain(batch.clone()).await.expect("no trap").expect("readable");
        let samples = text.lines().filter(|line| line.starts_with("orders_total{"));
        values.extend(samples.filter_map(|line| line.split(' ').rev().nth(1)).map(str::to_owned));
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn all_payloads_go_to_one_instance() {
    let exporters = open(PoolLimits { parallel_calls: 4, ..PoolLimits::default() });
    for second in 1..=3 {
        let calls = (0..16).map(|caller| {
            let exporters = exporters.clone();
            tokio::spawn(async move { accept(&exporters, second, caller..caller + 1).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let acceptance = call.await.expect("no panic");
            assert_eq!(totals(&exporters, &acceptance).await, [second.to_string()]);
        }
    }
}

#[tokio::test]
async fn a_trap_costs_no_total() {
    let limit = 4 << 20;
    let plain = open(PoolLimits::default());
    let trapped = open(PoolLimits { memory_bytes_max: limit, ..PoolLimits::default() });
    for second in 1..=5 {
        let poison = Bytes::from(payloads::requests(20_000));
        let failed = trapped.accept(poison, Encoding::Protobuf, NOW_NS).await;
        assert_eq!(failed, Err(CallError::OutOfMemory { limit_bytes: limit }));
        let (after, expected) = (accept(&trapped, second, 0..5).await, accept(&plain, second, 0..5).await);
        assert_eq!(after, expected, "second {second}");
    }
    assert_eq!(trapped.stats().traps, 5);
}

#[tokio::test]
async fn replacing_a_large_instance_costs_no_total() {
    let plain = open(PoolLimits::default());
    let small = open(PoolLimits { recycle_above_bytes: 4 << 20, ..PoolLimits::default() });
    for second in 1..=4 {
        accept(&small, second, 100..15_000).await;
        let (after, expected) = (accept(&small, second, 0..5).await, accept(&plain, second, 0..5).await);
        assert_eq!(after, expected, "second {second}");
    }
    let recycled = small.stats().recycled;
    assert!((1..=4).contains(&recycled), "only for what large payloads leave behind: {recycled}");
}

#[tokio::test]
async fn another_pool_goes_on_from_a_snapshot() {
    let first = open(PoolLimits::default());
    accept(&first, 1, 0..3).await;
    let snapshot = first.close().await.expect("no trap");
    let refused = first.accept(deltas(NOW_NS, 0..1), Encoding::Protobuf, NOW_NS).await;
    assert!(matches!(refused, Err(CallError::Unavailable(_))), "accepted after the last snapshot");
    for (is_current, expected) in [(true, "2"), (false, "1")] {
        let second = open(PoolLimits::default());
        second.restore(snapshot.clone(), is_current).await.expect("no trap").expect("its own");
        let acceptance = accept(&second, 2, 0..3).await;
        assert_eq!(totals(&second, &acceptance).await, [expected; 3]);
    }
    let third = open(PoolLimits::default());
    let foreign = third.restore(b"something else".to_vec(), true).await.expect("no trap");
    assert!(foreign.is_err_and(|reason| reason.contains("no state of a preamp exporter")));
    assert_eq!(accept(&third, 1, 0..3).await.accepted_points, 3, "goes on without");
}

/// `preamp run` with a file for its state.
struct Preamp {
    process: Background,
    http: std::net::SocketAddr,
}

fn command(endpoint: &str, folder: &Path) -> anyhow::Result<Command> {
    let state = folder.join("totals");
    let file = folder.join("preamp.yaml");
    let text = format!(
        "receivers:
  otlp:
    protocols:
      http: {{endpoint: 127.0.0.1:0}}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    delta: accumulate
    delta_state_file: {}
service:
  telemetry: {{logs: {{encoding: json}}, metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}
",
        state.display()
    );
    std::fs::write(&file, text)?;
    let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
    command.args(["run", "--drain-timeout", "5", "--config"]).arg(file);
    Ok(command)
}

impl Preamp {
    fn start(endpoint: &str, folder: &Path) -> anyhow::Result<Preamp> {
        let mut process = Background::start("preamp", command(endpoint, folder)?, folder)?;
        let http = process.wait_for("ready", |log| address_after(log, r#""http":""#))?;
        Ok(Preamp { process, http })
    }

    /// Sends a delta of 1 and waits for what comes of it.
    fn count_one(&self, stand_in: &StandIn) -> anyhow::Result<f64> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let headers = [("content-type", "application/x-protobuf")];
        // The window begins a second earlier, so that of the next one must not come before that is over.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        let answer = exchange(self.http, "POST", "/v1/metrics", &headers, &deltas(time, 0..1));
        let answer = answer.ok_or_else(|| anyhow::anyhow!("no answer"))?;
        anyhow::ensure!(answer.status == 200 && !answer.body.contains("delta"), "{answer:?}");
        let time = (time / 1_000_000) as i64;
        wait_for("the total to arrive", || {
            let series = stand_in.series();
            // `target_info` has a sample of the same time, which may arrive first.
            let orders = series.iter().filter(|(labels, _)| labels.iter().any(|(_, v)| v == "orders_total"));
            let mut samples = orders.flat_map(|(_, samples)| samples);
            Ok(samples.find(|sample| sample.timestamp == time).map(|sample| sample.value))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_go_on_after_a_restart_and_begin_anew_after_a_crash() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let url = stand_in.url();
    let run = || Preamp::start(&url, folder.path());

    let mut preamp = run()?;
    assert_eq!(preamp.count_one(&stand_in)?, 1.0);
    assert_eq!(preamp.count_one(&stand_in)?, 2.0);
    assert!(preamp.process.terminate()?.success(), "{}", preamp.process.said());

    let preamp = run()?;
    assert_eq!(preamp.count_one(&stand_in)?, 3.0, "goes on after SIGTERM");
    // Dropping it kills it, without a chance to save.
    drop(preamp);

    let mut preamp = run()?;
    assert!(preamp.process.said().contains("did not stop by itself"), "{}", preamp.process.said());
    assert_eq!(preamp.count_one(&stand_in)?, 1.0, "a total that went back would count twice");
    assert!(preamp.process.terminate()?.success());
    let mut preamp = run()?;
    assert!(!preamp.process.said().contains("did not stop by itself"));
    assert_eq!(preamp.count_one(&stand_in)?, 2.0);
    assert!(preamp.process.terminate()?.success());
    assert_eq!(stand_in.report().refused(), 0);
    Ok(())
}

#[test]
fn a_state_that_cannot_be_used_stops_the_start_and_stays_as_it_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("totals");
    for (content, said) in [
        ("receivers:\n", "holds something else than a state of preamp"),
        ("preamp state 1 final\nnonsense", "is no state of a preamp exporter"),
        ("preamp state 1 final\npreamp totals\n\u{7}\0", "has format 7"),
    ] {
        std::fs::write(&state, content)?;
        let output = command("http://127.0.0.1:9/api/v1/write", folder.path())?.output()?;
        let stderr = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(said) && stderr.contains("move it away"), "{stderr}");
        assert_eq!(std::fs::read_to_string(&state)?, content);
    }
    Ok(())
}
