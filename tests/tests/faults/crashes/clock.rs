//! A local clock that jumps under the running process, by libfaketime.

use super::rig::{ENVIRONMENT, audit, configuration, nowhere, receiver, settled, times};
use amp_stand_in::{Fault, Script};
use anyhow::{Context as _, ensure};
use preamp_tests::children::{fetched, program};
use preamp_tests::payloads::now_ms;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql;
use preamp_tests::recorder::Senders;
use preamp_tests::running::Running;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The wall clock of one process.
struct WallClock(PathBuf);

impl WallClock {
    /// Shows the true time.
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let clock = WallClock(folder.join("clock"));
        clock.jump("+0")?;
        Ok(clock)
    }

    /// Is off by so much from now on, in the notation of libfaketime.
    fn jump(&self, by: &str) -> anyhow::Result<()> {
        let next = self.0.with_extension("next");
        std::fs::write(&next, by)?;
        Ok(std::fs::rename(next, &self.0)?)
    }

    fn start(&self, configuration: &str, folder: &Path) -> anyhow::Result<Running> {
        let library = program("PREAMP_FAKETIME", fetched("faketime/libfaketime.so"))?;
        let file = self.0.to_str().context("a path in UTF-8")?;
        let of_clock = [
            ("LD_PRELOAD", library.to_str().context("a path in UTF-8")?),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1"),
            // As a clock that is set: only the time of the day changes.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        Running::start(configuration, &[&ENVIRONMENT[..], &of_clock].concat(), folder)
    }
}

/// Requests are signed with the time, backoff is under way, and the age of samples is looked at, all the while.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_costs_nothing_and_stops_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let every_tenth = NonZeroU64::new(10).context("not zero")?;
    let faults = Script::every(every_tenth, [Fault::Unavailable, Fault::IngestionRate(1), Fault::LoseAnswer]);
    let stand_in = receiver(&prometheus, faults).await?;
    let clock = WallClock::new(folder.path())?;
    let configuration = configuration(&stand_in.url(), &folder.path().join("queue"), "max_sample_age: 59m");
    let mut running = clock.start(&configuration, folder.path())?;
    let senders = Senders::start(3, 20, Duration::from_millis(5));
    senders.send_to(Some(running.http));
    running.wait_until_delivered_some()?;
    for round in 0..times("PREAMP_CLOCK_ROUNDS", 1) {
        for jump in ["+2h", "-2h", "+5y", "-1h", "+0"] {
            clock.jump(jump)?;
            let before = stand_in.report().samples_stored;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let stored = stand_in.report().samples_stored - before;
            println!("{jump}: {stored} samples came");
            ensure!(stored > 0, "round {round}: nothing came after {jump}: {}", running.said());
        }
    }
    let records = senders.stop()?;
    running.wait_for_empty_queue()?;
    ensure!(running.terminate()?.success(), "{}", running.said());
    records.check(prometheus.address())?;
    let audit = audit(folder.path())?;
    ensure!(audit["queued"] == 0 && settled(&audit, "delivered") == audit["accepted"], "{audit}");
    ensure!(running.said().contains("the local clock differs from the receiver's"), "the clock did not jump");
    println!("{} samples acknowledged; {audit}", records.acknowledged());
    ensure!(records.acknowledged() > 1000, "there was hardly any load");
    Ok(())
}

/// The points are too old, or of the future, by the local clock, and nothing is sent that would show it to be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_from_the_start_costs_nothing() -> anyhow::Result<()> {
    for off in ["+2h", "-20m", "+5y"] {
        let folder = tempfile::tempdir()?;
        let prometheus = Prometheus::start(folder.path())?;
        let stand_in = receiver(&prometheus, Script::default()).await?;
        let clock = WallClock::new(folder.path())?;
        clock.jump(off)?;
        let configuration =
            configuration(&stand_in.url(), &folder.path().join("queue"), "max_sample_age: 59m");
        let mut running = clock.start(&configuration, folder.path())?;
        let senders = Senders::start(2, 20, Duration::from_millis(5));
        senders.send_to(Some(running.http));
        running.wait_until_delivered_some().with_context(|| format!("{off}: {}", running.said()))?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let records = senders.stop()?;
        running.wait_for_empty_queue()?;
        ensure!(running.terminate()?.success(), "{}", running.said());
        let stored = records.check(prometheus.address())?;
        println!("{off}: {} samples acknowledged, {stored} stored", records.acknowledged());
        ensure!(stored > 0, "{off}: nothing was stored");
    }
    Ok(())
}

/// What was too old for the receiver when it came back is given up, all of it and nothing else, whatever the clock says.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_samples_may_be_old_expires_exactly_those() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = receiver(&prometheus, Script::default()).await?;
    let clock = WallClock::new(folder.path())?;
    let queue = folder.path().join("queue");
    let age = "max_sample_age: 5s";
    let here = configuration(&stand_in.url(), &queue, age);
    let mut running = clock.start(&here, folder.path())?;
    let senders = Senders::start(3, 20, Duration::from_millis(5));
    senders.send_to(Some(running.http));
    running.wait_until_delivered_some()?;
    running.reload(&configuration(&nowhere()?, &queue, age))?;
    running.wait_for("the reload", |log| log.contains("was read again").then_some(()))?;
    let away_since = now_ms();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Nothing is older than it may be; only this clock would have it so.
    clock.jump("+2h")?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let back_at = now_ms();
    running.reload(&here)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let records = senders.stop()?;
    running.wait_for_empty_queue()?;
    let done_at = now_ms();
    ensure!(running.terminate()?.success(), "{}", running.said());
    let audit = audit(folder.path())?;
    let (delivered, expired) = (settled(&audit, "delivered"), settled(&audit, "expired"));
    ensure!(audit["queued"] == 0 && delivered + expired == audit["accepted"], "{audit}");
    ensure!(audit["in_quarantine"] == expired, "what expired is kept to be looked at: {audit}");
    let all = "sum(count_over_time(load_watts[1d]))";
    let stored = promql::query_at(prometheus.address(), all, now_ms() + 1)?;
    ensure!(stored.values().copied().eq([delivered as f64]), "{stored:?} are stored: {audit}");
    // Those that were too old when the receiver was back, and no other that was not too old at the end. What waited when
    // it went away may be among them.
    let of = |from: i64, to: i64| {
        let times = records.senders.iter().flat_map(|record| record.acknowledged.keys());
        20 * times.filter(|time| (from..to).contains(*time)).count() as u64
    };
    let (least, most) = (of(away_since, back_at - 5_000), of(away_since - 1_000, done_at - 5_000));
    println!("{delivered} delivered, {expired} expired, expected {least} to {most}; {audit}");
    ensure!((least..=most).contains(&expired) && least > 0, "{expired} expired, expected {least} to {most}");
    Ok(())
}
