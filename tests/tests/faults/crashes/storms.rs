//! A receiver that throttles, breaks off, hangs, takes ever other sizes, and refuses some series for good: in the dialect of
//! Prometheus, which takes all of a request or nothing, and in that of Cortex, which takes the good part.

use super::rig::{ENVIRONMENT, audit, configuration, receiver, settled, times};
use amp_stand_in::{Fault, Limits, Options, Report, Script, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::payloads::{now_ms, power};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql;
use preamp_tests::running::{Running, post, printed};
use serde_json::Value;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

const GOOD: usize = 40;
const BAD: usize = 3;

/// What the receiver takes of a request, in bytes before compression, one after the other. A single series fits into each.
const SIZES: [usize; 4] = [1_000_000, 3_000, 700, 6_000];

/// Answers that say that nothing was stored.
const PLAIN: [Fault; 3] = [Fault::IngestionRate(0), Fault::RateExceeded, Fault::IngestionRate(1)];

/// Answers, or none, that leave open what was stored.
const UNCLEAR: [Fault; 5] = [
    Fault::Unavailable,
    Fault::LoseAnswer,
    Fault::CutAfterBody,
    Fault::CutBeforeBody,
    Fault::Hang(Duration::from_secs(1)),
];

fn every_seventh(faults: &[Fault]) -> anyhow::Result<Script> {
    Ok(Script::every(NonZeroU64::new(7).context("not zero")?, faults.iter().copied()))
}

/// Sends good series and bad ones together, again and again, through the storm. Returns how often.
async fn send_through(running: &Running, stand_in: &StandIn) -> anyhow::Result<u64> {
    let rounds = times("PREAMP_STORM_ROUNDS", 25);
    let begin = now_ms();
    post(running.http, &power((0..BAD).map(|bad| (format!("bad{bad}"), begin))))?;
    // What comes before it is out of order from now on.
    running.wait_until_delivered()?;
    for round in 0..rounds {
        stand_in.limit_bodies(SIZES[round as usize / 4 % SIZES.len()]);
        let good = (0..GOOD).map(|good| (format!("good{good}"), begin + 1 + round as i64));
        let bad = (0..BAD).map(|bad| (format!("bad{bad}"), begin - 60_000 + round as i64));
        post(running.http, &power(good.chain(bad)))?;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    // It takes as long as it takes, as long as something goes.
    let mut left = f64::INFINITY;
    while let Err(in_vain) = running.wait_for_empty_queue() {
        let queued = running.queued()?;
        ensure!(queued < left, in_vain);
        left = queued;
    }
    Ok(rounds)
}

/// What a storm came to.
struct Storm {
    rounds: u64,
    /// Points of good series that were sent through it, and of bad ones.
    good: u64,
    bad: u64,
    report: Report,
    /// What the audit says.
    state: Value,
}

async fn storm(configuration: &str, stand_in: &StandIn, folder: &Path) -> anyhow::Result<Storm> {
    let mut running = Running::start(configuration, &ENVIRONMENT, folder)?;
    let rounds = send_through(&running, stand_in).await?;
    ensure!(running.terminate()?.success(), "{}", running.said());
    let (report, state) = (stand_in.report(), audit(folder)?);
    println!("{rounds} rounds: {state}; {report:?}");
    Ok(Storm { rounds, good: rounds * GOOD as u64, bad: rounds * BAD as u64, report, state })
}

/// How many samples of a phase are stored.
fn stored(prometheus: &Prometheus, phase: &str) -> anyhow::Result<f64> {
    let query = format!("sum(count_over_time(power_watts{{phase=~\"{phase}.*\"}}[1d]))");
    Ok(promql::query_at(prometheus.address(), &query, now_ms() + 60_000)?.values().sum())
}

fn command(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    printed(arguments, &ENVIRONMENT, &folder.join("preamp.yaml"))
}

/// The most requests that it takes to find the bad series of each round, whatever is in each request.
fn most_requests(rounds: u64, faults: u64) -> u64 {
    let depth = ((GOOD + BAD) / BAD).ilog2() as u64 + 1;
    // Each 413 makes two requests of one.
    3 * rounds * (2 * BAD as u64 * depth + 1) + faults
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_bad_series_are_quarantined_and_a_replay_brings_them_back() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = receiver(&prometheus, every_seventh(&PLAIN)?).await?;
    let queue = folder.path().join("queue");
    let here = configuration(&stand_in.url(), &queue, "");
    let Storm { rounds, good, bad, report, state } = storm(&here, &stand_in, folder.path()).await?;
    ensure!(settled(&state, "delivered") == good + BAD as u64, "{state}");
    ensure!(settled(&state, "quarantined") == bad && state["in_quarantine"] == bad, "{state}");
    ensure!(stored(&prometheus, "good")? == good as f64 && stored(&prometheus, "bad")? == BAD as f64);
    let list = command(folder.path(), &["quarantine", "list", "--json"])?;
    for line in list.lines() {
        let kept: Value = serde_json::from_str(line)?;
        ensure!(kept["series"] == 1 && kept["reason"] == "out-of-order", "{kept}");
    }
    let shown = command(folder.path(), &["quarantine", "show"])?;
    ensure!(shown.contains("bad0") && !shown.contains("good"), "{shown}");
    ensure!(report.answers.contains_key(&413) && report.answers.contains_key(&429), "{report:?}");
    let most = most_requests(rounds, report.faults.values().sum());
    ensure!(report.requests <= most, "{} requests, expected at most {most}", report.requests);

    // To a receiver that has nothing of them yet they are as good as others.
    let elsewhere = tempfile::tempdir()?;
    let prometheus = Prometheus::start(elsewhere.path())?;
    let stand_in = receiver(&prometheus, Script::default()).await?;
    std::fs::write(folder.path().join("preamp.yaml"), configuration(&stand_in.url(), &queue, ""))?;
    command(folder.path(), &["quarantine", "replay"])?;
    command(folder.path(), &["queue", "drain"])?;
    ensure!(command(folder.path(), &["quarantine", "list", "--json"])?.is_empty());
    ensure!(stored(&prometheus, "bad")? == bad as f64, "{} stored", stored(&prometheus, "bad")?);
    let state = audit(folder.path())?;
    ensure!(state["queued"] == 0 && state["in_quarantine"] == 0, "{state}");
    Ok(())
}

/// Where an attempt before may have been stored, what is out of order counts as delivered: nobody can tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_that_leaves_open_what_was_stored_costs_no_good_series() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = receiver(&prometheus, every_seventh(&[&PLAIN[..], &UNCLEAR].concat())?).await?;
    let configuration = configuration(&stand_in.url(), &folder.path().join("queue"), "timeout: 300ms");
    let Storm { good, bad, report, state, .. } = storm(&configuration, &stand_in, folder.path()).await?;
    ensure!(stored(&prometheus, "good")? == good as f64, "{state}");
    let (delivered, quarantined) = (settled(&state, "delivered"), settled(&state, "quarantined"));
    ensure!(delivered + quarantined == good + bad + BAD as u64 && state["queued"] == 0, "{state}");
    ensure!(quarantined <= bad && state["in_quarantine"] == quarantined, "{state}");
    if quarantined > 0 {
        let shown = command(folder.path(), &["quarantine", "show"])?;
        ensure!(!shown.contains("good"), "{shown}");
    }
    ensure!(report.faults.len() == PLAIN.len() - 1 + UNCLEAR.len(), "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_takes_the_good_part_has_it_after_the_storm() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let limits = Limits { out_of_order_window: Duration::ZERO, ..Limits::default() };
    let faults = every_seventh(&[&PLAIN[..], &UNCLEAR].concat())?;
    let stand_in = StandIn::start(Options { limits, faults, ..Options::unsigned() }).await?;
    let configuration = configuration(&stand_in.url(), &folder.path().join("queue"), "timeout: 300ms");
    let configuration = configuration.replace("profile: prometheus", "profile: aps");
    let Storm { rounds, good, bad, state, .. } = storm(&configuration, &stand_in, folder.path()).await?;
    let series = stand_in.series();
    for (labels, samples) in &series {
        if labels.iter().any(|(name, value)| name == "__name__" && value != "power_watts") {
            continue;
        }
        let is_good = labels.iter().any(|(name, value)| name == "phase" && value.starts_with("good"));
        let expected = if is_good { rounds as usize } else { 1 };
        ensure!(samples.len() == expected, "{} samples of {labels:?}, expected {expected}", samples.len());
    }
    ensure!(series.len() > GOOD + BAD, "{} series", series.len());
    let (delivered, in_part) = (settled(&state, "delivered"), settled(&state, "partly_rejected"));
    ensure!(delivered + in_part == good + bad + BAD as u64 && state["queued"] == 0, "{state}");
    ensure!(in_part > 0 && state["in_quarantine"] == 0, "{state}");
    Ok(())
}
