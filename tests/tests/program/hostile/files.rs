//! What `preamp` keeps on disk is for its user alone, whoever else is on the machine.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Delta;
use preamp_tests::children::wait_for;
use preamp_tests::payloads::{self, double_point, metrics, sum, text};
use preamp_tests::running::{Running, post};

use crate::hostile::rig::{Keys, answering};

/// A user that is neither root nor whoever runs the tests.
const NOBODY: &str = "65534";

/// A configuration that keeps on disk all there is to be kept: queue, quarantine and the totals of deltas.
fn keeping(receiver: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    let exporter = format!(
        ", wal: {{directory: '{folder}/queue'}}, delta: accumulate, delta_state_file: '{folder}/totals/state', \
         max_queue_bytes: 67108864, retry_on_failure: {{max_interval: 1s}}"
    );
    Keys { exporter: &exporter, ..Keys::default() }.text(receiver)
}

/// A receiver that refuses everything for good, so that it is kept in quarantine.
fn refusing() -> anyhow::Result<SocketAddr> {
    answering("HTTP/1.1 400 Bad Request", "out of order sample")
}

fn delta() -> Vec<u8> {
    let mut point = double_point(vec![text("shelf", "1")], 1.0);
    point.time_unix_nano = payloads::now_ms().unsigned_abs() * 1_000_000;
    point.start_time_unix_nano = point.time_unix_nano - 1_000_000_000;
    metrics(vec![sum("shop.sold", "{item}", vec![point], Delta, true)])
}

/// Everything below a folder.
fn below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(below(&path)?);
        }
        found.push(path);
    }
    Ok(found)
}

/// Runs until all sorts of files are there, and ends.
fn fill(folder: &Path, mask: Option<&str>) -> anyhow::Result<Running> {
    fs::create_dir_all(folder.join("run"))?;
    fs::create_dir_all(folder.join("totals"))?;
    let masked = |run: &Command| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {} && exec \"$0\" \"$@\"", mask.unwrap_or("022"))]);
        command.arg(run.get_program()).args(run.get_args());
        command
    };
    let text = keeping(refusing()?, folder);
    let mut preamp = Running::start_through(&text, masked, &[], &folder.join("run"))?;
    post(preamp.http, &payloads::of_now(3, 1))?;
    post(preamp.http, &delta())?;
    wait_for("something in quarantine", || Ok((preamp.points("quarantined")? > 0.0).then_some(())))?;
    preamp.terminate()?;
    Ok(preamp)
}

/// Parts of the names of what must be there, so that nothing is checked in vain.
const KINDS: [&str; 5] = ["lock", ".log", ".aside", "state", "state.lock"];

#[test]
fn files_are_for_their_owner_alone_whatever_the_umask() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for mask in ["000", "022", "077", "777"] {
        let folder = tempfile::tempdir()?;
        let preamp = fill(folder.path(), Some(mask))?;
        let mut seen = String::new();
        for part in ["queue", "totals"] {
            for path in below(&folder.path().join(part))? {
                let metadata = fs::metadata(&path)?;
                let (mode, most) = (metadata.mode() & 0o7777, if metadata.is_dir() { 0o700 } else { 0o600 });
                seen.push_str(&format!("{}\n", path.display()));
                // The least is asked for too: it must be of use to its owner, who may not be root.
                if mode != most {
                    wrong.push(format!("umask {mask}: {mode:o} {}", path.display()));
                }
            }
        }
        for kind in KINDS {
            ensure!(seen.contains(kind), "no {kind} among these:\n{seen}{}", preamp.said());
        }
    }
    ensure!(wrong.is_empty(), "{} files and folders are open to others:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// Ends when dropped.
struct Neighbour(Child);

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn another_user_cannot_hold_the_lock() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // Others get as far as the files themselves.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    fill(folder.path(), None)?;
    let all = [below(&folder.path().join("queue"))?, below(&folder.path().join("totals"))?].concat();
    let locks: Vec<_> = all.iter().filter(|path| path.to_string_lossy().ends_with("lock")).collect();
    ensure!(locks.len() >= 2, "{all:?}");
    let mut neighbours = Vec::new();
    for lock in &locks {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "flock", "-s"]).arg(lock);
        command.args(["sleep", "60"]).stderr(Stdio::null());
        neighbours.push(Neighbour(command.spawn().context("cannot run setpriv")?));
    }
    std::thread::sleep(Duration::from_millis(300));
    let holding =
        neighbours.iter_mut().filter_map(|one| one.0.try_wait().ok()).filter(Option::is_none).count();
    let started = Running::start(&keeping(refusing()?, folder.path()), &[], &folder.path().join("run"));
    ensure!(started.is_ok(), "another user holds {holding} locks: {:#}", started.err().context("no error")?);
    ensure!(holding == 0, "another user holds {holding} locks");
    Ok(())
}

#[test]
fn symlinks_in_place_of_locks_and_states_leave_what_they_lead_to_as_it_was() -> anyhow::Result<()> {
    const PRECIOUS: &str = "precious\n";
    let folder = tempfile::tempdir()?;
    fill(folder.path(), None)?;
    let all = [below(&folder.path().join("queue"))?, below(&folder.path().join("totals"))?].concat();
    let mut replaced: Vec<_> =
        all.into_iter().filter(|path| path.to_string_lossy().ends_with("lock")).collect();
    replaced.push(folder.path().join("totals/state.new"));
    let mut wrong = Vec::new();
    for (number, path) in replaced.iter().enumerate() {
        let victim = folder.path().join(format!("victim-{number}"));
        fs::write(&victim, PRECIOUS)?;
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o644))?;
        let kept = path.with_extension("kept");
        let was_there = fs::rename(path, &kept).is_ok();
        symlink(&victim, path)?;
        let text = keeping(refusing()?, folder.path());
        // It may refuse to start, as long as it says why, or put a file of its own there.
        match Running::start(&text, &[], &folder.path().join("run")) {
            Ok(mut preamp) => {
                post(preamp.http, &delta())?;
                preamp.terminate()?;
            }
            Err(error) => ensure!(format!("{error:#}").contains("is a symbolic link"), "{error:#}"),
        }
        let (content, mode) = (fs::read(&victim)?, fs::metadata(&victim)?.mode() & 0o777);
        if content != PRECIOUS.as_bytes() || mode != 0o644 {
            let bytes = content.len();
            wrong.push(format!("through {}: {bytes} bytes of something else, mode {mode:o}", path.display()));
        }
        // It may have become the state itself.
        let _removed = fs::remove_file(path);
        if was_there {
            fs::rename(&kept, path)?;
        }
    }
    ensure!(wrong.is_empty(), "{} of {} files were changed: {wrong:#?}", wrong.len(), replaced.len());
    Ok(())
}
