//! Series that the receiver refuses for good: exactly they are quarantined, and can be looked at, replayed and removed.

use amp_stand_in::{Options, StandIn, Storage};
use anyhow::{Context as _, ensure};
use preamp_tests::payloads::{now_ms, power};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql;
use preamp_tests::running::{PIPELINE, Running, post, printed};
use serde_json::Value;
use std::path::Path;

const GOOD: usize = 40;
const BAD: usize = 3;

/// After a time-out on a busy machine a refusal would mean that the series were stored, and nothing be quarantined.
fn configuration(endpoint: &str, queue: &Path, more: &str) -> String {
    format!(
        "{PIPELINE}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    profile: prometheus
    timeout: 60s
    wal: {{directory: {}}}
    {more}
",
        queue.display()
    )
}

fn command(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    printed(arguments, &[], &folder.join("preamp.yaml"))
}

fn listed(folder: &Path) -> anyhow::Result<Vec<Value>> {
    let lines = command(folder, &["quarantine", "list", "--json"])?;
    lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn audit(folder: &Path) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&command(folder, &["audit", "--json"])?)?)
}

/// A receiver that takes nothing of a request with a bad series is asked no more often than it takes to find them.
#[tokio::test(flavor = "multi_thread")]
async fn a_few_bad_series_are_found_with_few_requests() -> anyhow::Result<()> {
    const SERIES: usize = 64;
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    let stand_in = StandIn::start(Options { storage, ..Options::unsigned() }).await?;
    let queue = folder.path().join("queue");
    let keys = "remote_write_queue: {num_consumers: 1}\n    target_info: {enabled: false}";
    let configuration = configuration(&stand_in.url(), &queue, keys);
    let mut running = Running::start(&configuration, &[], folder.path())?;
    let now = now_ms();
    for (round, bad) in [1, 2, 5].into_iter().enumerate() {
        let name = |number: usize| format!("round{round}-{number}");
        // Those that are bad are spread over the request.
        let is_bad = |number: usize| number.is_multiple_of(SERIES / bad) && number / (SERIES / bad) < bad;
        let first = (0..SERIES).filter(|number| is_bad(*number)).map(|number| (name(number), now));
        post(running.http, &power(first))?;
        running.wait_for_empty_queue()?;
        let before = stand_in.report().requests;
        let time = |number| if is_bad(number) { now - 60_000 } else { now };
        post(running.http, &power((0..SERIES).map(|number| (name(number), time(number)))))?;
        running.wait_for_empty_queue()?;
        let requests = stand_in.report().requests - before;
        let depth = (SERIES / bad).ilog2() as u64 + 1;
        let most = 2 * bad as u64 * depth + 1;
        ensure!(requests <= most, "{requests} requests to find {bad} of {SERIES}, expected at most {most}");
    }
    ensure!(listed(folder.path())?.len() == 1 + 2 + 5, "{:?}", listed(folder.path())?);
    let stored = promql::query_at(prometheus.address(), "count(power_watts)", now + 1)?;
    ensure!(stored.values().copied().eq([3.0 * SERIES as f64]), "{stored:?}");
    ensure!(running.terminate()?.success(), "{}", running.said());
    Ok(())
}

/// Prometheus takes nothing of a request that holds one sample out of order.
#[test]
fn exactly_the_series_that_are_refused_are_quarantined() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let configuration = configuration(&prometheus.write_url(), &folder.path().join("queue"), "");
    let (now, folder) = (now_ms(), folder.path());
    let mut running = Running::start(&configuration, &[], folder)?;
    post(running.http, &power((0..BAD).map(|bad| (format!("bad{bad}"), now))))?;
    running.wait_until_delivered()?;
    let good = (0..GOOD).map(|good| (format!("good{good}"), now));
    let bad = (0..BAD).map(|bad| (format!("bad{bad}"), now - 60_000));
    post(running.http, &power(good.chain(bad)))?;
    running.wait_for_empty_queue()?;

    let stored = promql::query_at(prometheus.address(), "count(power_watts{phase=~\"good.*\"})", now + 1)?;
    ensure!(stored.values().copied().eq([GOOD as f64]), "{stored:?}\n{}", running.self_metrics()?);
    let list = listed(folder)?;
    ensure!(list.len() == BAD && list.iter().all(|kept| kept["series"] == 1), "{list:?}");
    ensure!(list.iter().all(|kept| kept["reason"] == "out-of-order"), "{list:?}");
    let summary = command(folder, &["quarantine", "list"])?;
    let expected = [
        "3 data points in quarantine, in 3 batches",
        "quarantined out-of-order: 3 data points",
        "3 series  power_watts",
    ];
    ensure!(expected.iter().all(|words| summary.contains(words)) && summary.lines().count() < 9, "{summary}");
    let all = command(folder, &["quarantine", "list", "--all"])?;
    ensure!(
        all.lines().count() == BAD && all.lines().all(|line| line.contains(" quarantined out-of-order: ")),
        "{all}"
    );
    let shown = command(folder, &["quarantine", "show", "--reason", "out-of-order"])?;
    ensure!((0..BAD).all(|bad| shown.contains(&format!("bad{bad}"))) && !shown.contains("good"), "{shown}");
    let state = audit(folder)?;
    ensure!(state["in_quarantine"] == BAD && state["accepted"] == GOOD + 2 * BAD, "{state}");
    ensure!(running.points("quarantined")? == BAD as f64, "{}", running.self_metrics()?);

    // While the process uses the queue, nobody else may change it.
    let in_use = command(folder, &["quarantine", "purge"]).err().context("purged under a running process")?;
    let in_use = in_use.to_string();
    ensure!(in_use.contains("in use by process ") && in_use.contains(": stop preamp run first"), "{in_use}");
    let in_use =
        command(folder, &["quarantine", "replay"]).err().context("replayed under a running process")?;
    ensure!(in_use.to_string().contains(": stop preamp run first"), "{in_use}");
    ensure!(running.terminate()?.success(), "{}", running.said());

    let dry = command(folder, &["quarantine", "replay", "--dry-run"])?;
    ensure!(dry.contains("3 data points would be replayed") && listed(folder)?.len() == BAD, "{dry}");
    command(folder, &["quarantine", "replay"])?;
    ensure!(listed(folder)?.is_empty() && audit(folder)?["queued"] == BAD, "{}", audit(folder)?);
    let status = command(folder, &["queue", "status"])?;
    ensure!(status.contains("3 data points"), "{status}");
    let peeked = command(folder, &["queue", "peek", "--count", "9"])?;
    ensure!(peeked.contains("bad0"), "{peeked}");

    // They are refused again, and quarantined again.
    command(folder, &["queue", "drain"])?;
    ensure!(listed(folder)?.len() == BAD && audit(folder)?["queued"] == 0, "{}", audit(folder)?);
    command(folder, &["quarantine", "purge", "--yes", "--reason", "label-limit"])?;
    ensure!(listed(folder)?.len() == BAD, "another reason");
    let asked = command(folder, &["quarantine", "purge"]).err().context("deleted without being told to")?;
    ensure!(asked.to_string().contains("3 data points would be deleted for good: add --yes"), "{asked}");
    command(folder, &["quarantine", "purge", "--yes"])?;
    let state = audit(folder)?;
    ensure!(listed(folder)?.is_empty() && state["in_quarantine"] == 0, "{state}");
    Ok(())
}
