//! Power cuts: the queue is on a file system of its own in an image, which is copied while the process stands still.
//! What was not synchronized is not in the copy.

use super::rig::{ENVIRONMENT, audit, configuration, deliver_rest, nowhere, receiver, times};
use amp_stand_in::Script;
use anyhow::{Context as _, ensure};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorder::{Records, Senders};
use preamp_tests::running::Running;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("{program}: is it there?"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said} (mounting wants root)");
    Ok(())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// A file system in an image, which is mounted as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    fn make(image: &Path, at: PathBuf) -> anyhow::Result<Mounted> {
        std::fs::File::create(image)?.set_len(256 << 20)?;
        run("mkfs.ext4", &["-q", "-F", text(image)])?;
        Self::mount(image, at)
    }

    fn mount(image: &Path, at: PathBuf) -> anyhow::Result<Mounted> {
        std::fs::create_dir_all(&at)?;
        run("mount", &["-o", "loop", text(image), text(&at)])?;
        Ok(Mounted(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What still has it open ends with the test.
        let _unmounted = run("umount", &["--lazy", text(&self.0)]);
    }
}

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
