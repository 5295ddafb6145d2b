//! A control group with a limit of memory, as a pod has one: a process in it sees its limit, and is killed beyond it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// Where Linux has control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// The files of one version of control groups.
struct Files {
    limit: &'static str,
    peak: &'static str,
    /// Where a line `oom_kill N` stands.
    events: &'static str,
}

const VERSION_1: Files =
    Files { limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", events: "memory.oom_control" };

const VERSION_2: Files = Files { limit: "memory.max", peak: "memory.peak", events: "memory.events" };

/// A control group below the one of this process. It is removed when dropped, once nothing runs in it.
pub struct ControlGroup {
    folder: PathBuf,
    files: &'static Files,
}

impl ControlGroup {
    /// Makes one that may have so much memory.
    ///
    /// # Errors
    /// When there is none to be had: it takes Linux with the memory controller, and root.
    pub fn new(memory_bytes: u64) -> anyhow::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (present, files) = present()?;
        let name = format!("preamp-test-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let folder = present.join(name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("no control group can be made in {}: run as root", present.display()))?;
        let group = Self { folder, files };
        std::fs::write(group.folder.join(files.limit), memory_bytes.to_string())
            .with_context(|| format!("{} cannot limit memory", group.folder.display()))?;
        Ok(group)
    }

    /// The same command, run in the group.
    #[must_use]
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(self.folder.join("cgroup.procs"));
        inside.arg(command.get_program()).args(command.get_args());
        inside
    }

    /// The most memory that its processes had, in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        let path = self.folder.join(self.files.peak);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.trim().parse()?)
    }

    /// How many of its processes were killed for want of memory.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn killed(&self) -> anyhow::Result<u64> {
        let path = self.folder.join(self.files.events);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        Ok(line.with_context(|| format!("no oom_kill in {}", path.display()))?.trim().parse()?)
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // A process that has just ended may still be in it.
        let started = Instant::now();
        while std::fs::remove_dir(&self.folder).is_err() && started.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The group of memory that this process is in, and how its files are called.
fn present() -> anyhow::Result<(PathBuf, &'static Files)> {
    let text = std::fs::read_to_string("/proc/self/cgroup").context("there are no control groups")?;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        if controllers.split(',').any(|controller| controller == "memory") {
            return Ok((existing(Path::new(ROOT).join("memory"), path), &VERSION_1));
        }
    }
    let unified = text.lines().find_map(|line| line.strip_prefix("0::"));
    let path = unified.context("this process is in no control group")?;
    ensure!(Path::new(ROOT).join("cgroup.controllers").is_file(), "no control groups of memory below {ROOT}");
    // Processes may be in leaves only, so that the new one stands beside that of this process.
    let beside = Path::new(path).parent().map_or_else(String::new, |parent| parent.display().to_string());
    let folder = existing(PathBuf::from(ROOT), &beside);
    let control = folder.join("cgroup.subtree_control");
    let is_memory_shared = || {
        std::fs::read_to_string(&control)
            .is_ok_and(|text| text.split_whitespace().any(|name| name == "memory"))
    };
    if !is_memory_shared() {
        let _asked = std::fs::write(&control, "+memory");
    }
    if !is_memory_shared() {
        bail!("{} shares out no memory: run as root, with the memory controller delegated", folder.display());
    }
    Ok((folder, &VERSION_2))
}

/// A group as it is seen from here: in a container its path is often that of the host, and it is itself the root.
fn existing(root: PathBuf, path: &str) -> PathBuf {
    let folder = root.join(path.trim_start_matches('/'));
    if folder.is_dir() { folder } else { root }
}
