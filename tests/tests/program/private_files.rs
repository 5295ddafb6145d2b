//! What is kept on disk is for the user of the process alone, whatever the umask and whoever else is on the machine.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use preamp_tests::children::{Background, built, program, wait_for};
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running, post, preamp};
use tempfile::TempDir;

/// The user that is nobody, on Debian.
const NOBODY: u32 = 65534;

/// A folder that others can get into, with the program in it, which may be built where they cannot.
fn folder() -> anyhow::Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let binary = folder.path().join("preamp");
    fs::copy(program("PREAMP_BIN", built("preamp"))?, &binary)?;
    Ok((folder, binary))
}

/// A configuration that keeps a queue, and totals beside it; nothing listens where it delivers to.
fn configuration(storage: &str, directory: &Path) -> String {
    let pipeline = PIPELINE.replace("service:\n", "service:\n  extensions: [file_storage]\n");
    format!(
        "{pipeline}extensions: {{file_storage: {{directory: '{0}/kept/queue', {storage}}}}}
exporters:
  prometheusremotewrite:
    endpoint: http://127.0.0.1:9/api/v1/write
    delta: accumulate
    delta_state_file: '{0}/totals'
    sending_queue: {{storage: file_storage}}
",
        directory.display()
    )
}

/// A command as nobody.
fn as_nobody() -> Command {
    let mut command = Command::new("setpriv");
    let user = NOBODY.to_string();
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
    command
}

/// A command of `preamp` as nobody, with a umask.
fn with_umask(umask: &str, binary: &Path, run: &Command) -> Command {
    let mut command = as_nobody();
    command.args(["sh", "-c", "umask $0 && exec \"$@\"", umask]).arg(binary).args(run.get_args());
    command
}

fn mode(path: &Path) -> anyhow::Result<u32> {
    Ok(fs::metadata(path).with_context(|| path.display().to_string())?.mode() & 0o7777)
}

/// Everything below a folder, with its permissions.
fn modes_below(folder: &Path) -> anyhow::Result<Vec<(PathBuf, u32)>> {
    let mut modes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        modes.push((path.clone(), mode(&path)?));
        if path.is_dir() {
            modes.extend(modes_below(&path)?);
        }
    }
    Ok(modes)
}

/// What a command of `preamp` says that must fail, and at once.
fn refused(arguments: &[&str], file: &Path) -> anyhow::Result<String> {
    let command = preamp(arguments, file)?;
    let mut patient = Command::new("timeout");
    let output = patient.arg("20").arg(command.get_program()).args(command.get_args()).output()?;
    let said = format!("{output:?}");
    ensure!(
        output.status.code().is_some_and(|code| ![0, 124].contains(&code)),
        "{arguments:?} went on: {said}"
    );
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_umask_changes_nothing() -> anyhow::Result<()> {
    let (folder, binary) = folder()?;
    let private = ("timeout: 1s", 0o700);
    let open_to_group = ("directory_permissions: '0750'", 0o750);
    for (umask, (storage, directories)) in
        [("000", private), ("077", open_to_group), ("777", private), ("777", open_to_group)]
    {
        let kept = folder.path().join(format!("{umask}-{directories:o}"));
        fs::create_dir(&kept)?;
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o755))?;
        chown(&kept, Some(NOBODY), Some(NOBODY))?;
        let configuration = configuration(storage, &kept);
        // The second start finds what the first has made.
        for _ in 0..2 {
            let made_into = |run: &Command| with_umask(umask, &binary, run);
            let preamp = Running::start_through(&configuration, made_into, &[], folder.path())?;
            post(preamp.http, &payloads::of_now(5, 1))?;
            preamp.kill();
        }
        let modes = modes_below(&kept)?;
        let names = ["queue/prometheusremotewrite/lock", "totals", "totals.lock"];
        ensure!(names.iter().all(|name| modes.iter().any(|(path, _)| path.ends_with(name))), "{modes:?}");
        let logs = modes.iter().filter(|(path, _)| path.extension().is_some_and(|suffix| suffix == "log"));
        ensure!(logs.count() > 0, "{modes:?}");
        for (path, mode) in &modes {
            let expected = if path.is_dir() { directories } else { 0o600 };
            ensure!(*mode == expected, "umask {umask}: {} is {mode:o}", path.display());
        }
    }
    Ok(())
}

#[test]
fn another_user_cannot_hold_the_lock() -> anyhow::Result<()> {
    let (folder, _) = folder()?;
    let text = configuration("timeout: 1s", folder.path());
    let run = |folder: &Path| Running::start(&text, &[], folder);
    run(folder.path())?.terminate()?;
    let queue = folder.path().join("kept/queue/prometheusremotewrite");
    let lock = queue.join("lock");
    let hold = |lock: &Path| {
        let mut command = as_nobody();
        command.args(["flock", "--exclusive", "--close"]).arg(lock).args([
            "sh",
            "-c",
            "echo held; exec sleep 60",
        ]);
        command
    };
    let mut tried = Background::start("stranger", hold(&lock), folder.path())?;
    let said = wait_for("the stranger to be kept out", || {
        Ok(Some(tried.said()).filter(|said| said.contains("Permission denied")))
    });
    said.with_context(|| tried.said())?;
    ensure!(tried.terminate().is_err() || !tried.said().contains("held"), "{}", tried.said());

    // As an earlier version made it, under a usual umask.
    for open in [folder.path().join("kept"), folder.path().join("kept/queue"), queue.clone()] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755))?;
    }
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644))?;
    let mut holder = Background::start("holder", hold(&lock), folder.path())?;
    holder.wait_for("the stranger to hold the lock", |said| said.contains("held").then_some(()))?;
    let said = refused(&["run"], &folder.path().join("preamp.yaml"))?;
    let expected = format!("{}: is in use by process {} (", queue.display(), holder.id());
    ensure!(said.contains(&expected) && said.contains(&format!("of user {NOBODY})")), "{expected}: {said}");
    ensure!(mode(&lock)? == 0o600, "the next one cannot even open it");
    holder.terminate()?;
    run(folder.path())?.terminate()?;
    Ok(())
}

#[test]
fn what_another_has_put_in_the_way_is_named_and_left_alone() -> anyhow::Result<()> {
    let (folder, _) = folder()?;
    let text = configuration("create_directory: false", folder.path());
    let file = folder.path().join("preamp.yaml");
    fs::write(&file, &text)?;
    let start = || refused(&["run"], &file);
    let said = start()?;
    ensure!(
        said.contains("kept/queue: is not there, and `create_directory: false` forbids to make it"),
        "{said}"
    );
    let queue = folder.path().join("kept/queue/prometheusremotewrite");
    fs::create_dir_all(&queue)?;
    let segment = queue.join("0000000000000001.log");
    ensure!(Command::new("mkfifo").arg(&segment).status()?.success(), "mkfifo");
    let said = start()?;
    ensure!(said.contains("`0000000000000001.log` is a FIFO, not a file, and is left alone"), "{said}");
    // To look at it does not hang either.
    for command in [["queue", "status"], ["quarantine", "list"]] {
        let said = refused(&command, &file)?;
        ensure!(said.contains("is a FIFO"), "{said}");
    }
    fs::remove_file(&segment)?;
    let passwords = folder.path().join("passwords");
    fs::write(&passwords, "secret")?;
    std::os::unix::fs::symlink(&passwords, folder.path().join("totals.lock"))?;
    let said = start()?;
    ensure!(said.contains("`totals.lock` is a symbolic link"), "{said}");
    ensure!(fs::read(&passwords)? == b"secret", "it was written through a link");
    Ok(())
}
