//! System calls that fail in the process itself, and a disk that is full.

use super::rig::{ENVIRONMENT, configuration, deliver_rest, nowhere, receiver, times};
use amp_stand_in::Script;
use anyhow::{Context as _, ensure};
use preamp_tests::disks::MemoryDisk;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorder::Senders;
use preamp_tests::running::Running;
use std::path::Path;
use std::time::Duration;

/// Runs under load with a fault, then without it, and checks that nothing was lost.
async fn run_with(inject: &str, prometheus: &Prometheus, folder: &Path) -> anyhow::Result<()> {
    let queue = folder.join("queue");
    let started =
        Running::start_injected(&configuration(&nowhere()?, &queue, ""), inject, &ENVIRONMENT, folder);
    // A fault at the first calls is a reason not to start at all, which is to be said.
    let Ok(running) = started else { return Ok(()) };
    let senders = Senders::start(2, 10, Duration::from_millis(1));
    senders.send_to(Some(running.http));
    tokio::time::sleep(Duration::from_millis(400)).await;
    senders.send_to(None);
    running.kill();
    let records = senders.stop()?;
    let stand_in = receiver(prometheus, Script::default()).await?;
    deliver_rest(&configuration(&stand_in.url(), &queue, ""), folder)?;
    records.check(prometheus.address())?;
    ensure!(records.acknowledged() > 0, "nothing was acknowledged");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_cost_nothing_that_was_acknowledged() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let most = times("PREAMP_FAULTS", 2);
    for nth in 1..=most {
        // Spread over what is called within a run.
        let when = nth * nth + 3;
        for inject in [
            format!("fdatasync:error=EIO:when={when}"),
            format!("pwrite64:error=EIO:when={when}"),
            format!("pwrite64:error=ENOSPC:when={when}..{}", when + 20),
        ] {
            let folder = folder.path().join(inject.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
            std::fs::create_dir_all(&folder)?;
            let prometheus = Prometheus::start(&folder)?;
            run_with(&inject, &prometheus, &folder).await.context(inject)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_of_8_mib_that_is_full_asks_senders_to_wait_and_drains() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let queue = folder.path().join("small");
    let _small = MemoryDisk::mount(&queue, 8)?;
    let prometheus = Prometheus::start(folder.path())?;
    let mut running = Running::start(&configuration(&nowhere()?, &queue, ""), &ENVIRONMENT, folder.path())?;
    let senders = Senders::start(4, 250, Duration::ZERO);
    senders.send_to(Some(running.http));
    running.wait_for("the disk to be full", |log| log.contains("No space left on device").then_some(()))?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let full = running.self_metrics()?;
    ensure!(full.contains("preamp_points_queued"), "{full}");
    let counted =
        |line: &&str| line.starts_with("preamp_queue_full_total") && line.contains("limit=\"disk\"");
    ensure!(
        full.lines().any(|line| counted(&line) && !line.ends_with(" 0")),
        "a full disk is a limit: {full}"
    );
    let said = running.said();
    let line = said.lines().find(|line| line.contains("the disk of the queue is full")).context("no line")?;
    for part in ["directory=", "free_bytes=", "payloads=", "points=", "remedy=", "max_queue_bytes"] {
        ensure!(line.contains(part), "{line}");
    }
    // The receiver comes back, and nobody makes room but what is delivered.
    let stand_in = receiver(&prometheus, Script::default()).await?;
    running.reload(&configuration(&stand_in.url(), &queue, ""))?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let records = senders.stop()?;
    running.wait_for_empty_queue()?;
    ensure!(running.terminate()?.success(), "{}", running.said());
    let stored = records.check(prometheus.address())?;
    println!("{} samples acknowledged, {stored} stored", records.acknowledged());
    let report = stand_in.report();
    ensure!(report.refused() == 0, "{report:?}\npreamp said:\n{}", running.said());
    Ok(())
}
