//! The process is killed, or stopped while the receiver is away.

use super::rig::{ENVIRONMENT, PARTITIONS, audit, configuration, nowhere, receiver, settled, times};
use amp_stand_in::{Fault, Script};
use anyhow::{Context as _, ensure};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorder::Senders;
use preamp_tests::running::{Running, preamp};
use std::num::NonZeroU64;
use std::time::Duration;

const SENDERS: usize = 4;
const SERIES: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_again_and_again_loses_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    // Some requests are stored although the answer is lost, and some are not taken at once.
    let faults = Script::every(
        NonZeroU64::new(7).context("not zero")?,
        [Fault::LoseAnswer, Fault::Unavailable, Fault::CutAfterBody],
    );
    let stand_in = receiver(&prometheus, faults).await?;
    let configuration = configuration(&stand_in.url(), &folder.path().join("queue"), "");
    let kills = times("PREAMP_KILLS", 8);
    let senders = Senders::start(SENDERS, SERIES, Duration::from_millis(3));
    let mut random = fastrand::Rng::with_seed(kills);
    for _ in 0..kills {
        let running = Running::start(&configuration, &ENVIRONMENT, folder.path())?;
        senders.send_to(Some(running.http));
        tokio::time::sleep(Duration::from_millis(random.u64(50..600))).await;
        senders.send_to(None);
        running.kill();
        audit(folder.path()).context("after a kill")?;
    }
    let mut running = Running::start(&configuration, &ENVIRONMENT, folder.path())?;
    senders.send_to(Some(running.http));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let records = senders.stop()?;
    running.wait_for_empty_queue()?;
    ensure!(running.terminate()?.success(), "{}", running.said());

    let stored = records.check(prometheus.address())?;
    let audit = audit(folder.path())?;
    let report = stand_in.report();
    println!(
        "{} kills: {} samples acknowledged, {stored} stored, {} payloads resent by senders; {audit}; {report:?}",
        kills,
        records.acknowledged(),
        records.resent()
    );
    ensure!(records.acknowledged() > kills * 100, "there was hardly any load");
    ensure!(audit["queued"] == 0 && settled(&audit, "delivered") == audit["accepted"], "{audit}");
    // What is there twice was sent twice: at most one request of each partition for each kill or fault.
    let faults: u64 = report.faults.values().sum();
    let sent_again = report.samples_stored - stored.min(report.samples_stored);
    let in_a_request = report.samples_stored.div_ceil(report.requests.max(1));
    let most = 2 * in_a_request * (kills * PARTITIONS + faults) + records.resent() * SERIES as u64;
    ensure!(sent_again <= most, "{sent_again} samples were sent again, expected at most {most}");
    Ok(())
}

/// What was taken while the receiver was away is delivered by the next process, in order.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_outlives_a_stop_in_order() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let queue = folder.path().join("queue");
    let away = configuration(&nowhere()?, &queue, "");
    let mut running = Running::start(&away, &ENVIRONMENT, folder.path())?;
    let senders = Senders::start(2, 10, Duration::from_millis(1));
    senders.send_to(Some(running.http));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let records = senders.stop()?;
    ensure!(running.terminate()?.success(), "what waits is no reason to fail: {}", running.said());
    ensure!(running.said().contains("is delivered after the next start"), "{}", running.said());
    let before = audit(folder.path())?;
    ensure!(before["queued"].as_u64() >= Some(records.acknowledged()), "{before}");

    let stand_in = receiver(&prometheus, Script::default()).await?;
    let here = configuration(&stand_in.url(), &queue, "");
    std::fs::write(folder.path().join("preamp.yaml"), here)?;
    let mut drain = preamp(&["queue", "drain"], &folder.path().join("preamp.yaml"))?;
    let drained = drain.envs(ENVIRONMENT).output()?;
    ensure!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    records.check(prometheus.address())?;
    let report = stand_in.report();
    ensure!(report.refused() == 0 && report.unverified == 0, "{report:?}");
    ensure!(audit(folder.path())?["queued"] == 0, "{}", audit(folder.path())?);
    Ok(())
}
