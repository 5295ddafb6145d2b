//! A process that is killed again and again does not fill the disk.

use super::rig::{ENVIRONMENT, audit, configuration, deliver_rest, nowhere, receiver, times};
use amp_stand_in::Script;
use anyhow::{Context as _, ensure};
use preamp_tests::disks::disk_usage;
use preamp_tests::payloads::of_now;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::running::{Running, post};

/// The limit of the queue.
const MAX_QUEUE_BYTES: u64 = 32 << 20;

/// The segment that is written to, the room for a full disk, and blocks that are not full.
const FIXED: u64 = 4 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_do_not_fill_the_disk() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let queue = folder.path().join("queue");
    let configured =
        |endpoint: &str| configuration(endpoint, &queue, &format!("max_queue_bytes: {MAX_QUEUE_BYTES}"));
    let away = configured(&nowhere()?);
    let (mut waiting, mut most) = (0, 0);
    for kill in 0..times("PREAMP_CRASHES", 100) {
        let running = Running::start(&away, &ENVIRONMENT, folder.path())?;
        let payload = of_now(1 + kill as usize % 3, kill as i64);
        post(running.http, &payload)?;
        waiting += payload.len() as u64;
        running.kill();
        let used = disk_usage(&queue)?;
        most = used.max(most);
        ensure!(used <= MAX_QUEUE_BYTES, "kill {kill}: {used} bytes, more than the limit of the queue");
        ensure!(used <= 2 * waiting + FIXED, "kill {kill}: {used} bytes for {waiting} bytes of payloads");
    }
    println!("{most} bytes on the disk at most, for {waiting} bytes of payloads");
    audit(folder.path()).context("after the last kill")?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = receiver(&prometheus, Script::default()).await?;
    deliver_rest(&configured(&stand_in.url()), folder.path())?;
    let used = disk_usage(&queue)?;
    ensure!(used <= FIXED, "{used} bytes for nothing");
    Ok(())
}
