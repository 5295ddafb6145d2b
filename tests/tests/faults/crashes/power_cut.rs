//! Power cuts: the queue is on a file system of its own in an image, which is copied while the process stands still.
//! What was not synchronized is not in the copy.

use super::rig::{ENVIRONMENT, audit, configuration, deliver_rest, nowhere, receiver, times};
use amp_stand_in::Script;
use anyhow::ensure;
use preamp_tests::images::Mounted;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorder::{Records, Senders};
use preamp_tests::running::Running;
use std::path::Path;
use std::time::Duration;

/// Cuts the power under load, and returns what was acknowledged until then. What is left is mounted at `left`.
async fn cut(folder: &Path, is_synchronizing: bool, lasts: Duration) -> anyhow::Result<(Records, Mounted)> {
    let (image, copy) = (folder.join("image"), folder.join("copy"));
    let mounted = Mounted::make(&image, folder.join("mounted"))?;
    let configuration = configuration(&nowhere()?, &mounted.0, "");
    let running = match is_synchronizing {
        true => Running::start(&configuration, &ENVIRONMENT, folder)?,
        false => Running::start_injected(&configuration, "fsync,fdatasync:retval=0", &ENVIRONMENT, folder)?,
    };
    let senders = Senders::start(4, 25, Duration::from_millis(2));
    senders.send_to(Some(running.http));
    tokio::time::sleep(lasts).await;
    running.freeze()?;
    senders.send_to(None);
    std::fs::copy(&image, &copy)?;
    running.kill();
    let records = senders.stop()?;
    drop(mounted);
    Ok((records, Mounted::mount(&copy, folder.join("left"))?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_that_was_acknowledged() -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..times("PREAMP_POWER_CUTS", 2) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let prometheus = Prometheus::start(folder.path())?;
        let lasts = Duration::from_millis(random.u64(300..900));
        let (records, left) = cut(folder.path(), true, lasts).await?;
        let stand_in = receiver(&prometheus, Script::default()).await?;
        let audit = deliver_rest(&configuration(&stand_in.url(), &left.0, ""), folder.path())?;
        let stored = records.check(prometheus.address())?;
        println!("{} samples acknowledged, {stored} stored; {audit}", records.acknowledged());
        ensure!(records.acknowledged() > 100, "there was hardly any load");
    }
    Ok(())
}

/// Without this, the test of power cuts might see nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_synchronizing_a_power_cut_is_seen_to_lose_something() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (records, left) = cut(folder.path(), false, Duration::from_millis(600)).await?;
    // It may be that nothing at all is left of the queue, its directory included.
    std::fs::write(folder.path().join("preamp.yaml"), configuration(&nowhere()?, &left.0, ""))?;
    let queued = audit(folder.path()).map_or(0, |audit| audit["queued"].as_u64().unwrap_or_default());
    ensure!(records.acknowledged() > 100, "there was hardly any load");
    ensure!(queued < records.acknowledged(), "{queued} of {} are there", records.acknowledged());
    Ok(())
}
