//! Real programs that take part in tests: found or loudly missed, started on ports of the system's choice, ended on drop.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

const PATIENCE: Duration = Duration::from_secs(30);

/// Where a program is: named by an environment variable, or at its usual place.
///
/// # Errors
/// When it is not there: a test that lacks a part must fail, not pass.
pub fn program(variable: &str, usual: PathBuf) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable).map_or(usual, PathBuf::from);
    ensure!(
        path.is_file(),
        "{} is not there: run `./build.sh test`, which provides it, or set {variable}",
        path.display()
    );
    Ok(path)
}

/// A file below the folder that `build.sh` keeps what it fetched in.
#[must_use]
pub fn fetched(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache").join(path)
}

/// A binary of this workspace, which stands one folder above the tests' own.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    this.ancestors().nth(2).unwrap_or(Path::new("")).join(name)
}

/// Tries until there is something, or half a minute is over.
///
/// # Errors
/// When an attempt fails, or time is over.
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("waited {} s in vain for {what}", PATIENCE.as_secs())
}

/// The most memory that a process has had.
///
/// # Errors
/// When it is not there.
pub fn memory_mib(id: u32) -> anyhow::Result<f64> {
    status_mib(id, "VmHWM")
}

/// The memory that a process has now.
///
/// # Errors
/// When it is not there.
pub fn resident_mib(id: u32) -> anyhow::Result<f64> {
    status_mib(id, "VmRSS")
}

fn status_mib(id: u32, field: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line =
        text.lines().find(|line| line.starts_with(field)).with_context(|| format!("no line {field}"))?;
    let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib / 1024.0)
}

/// A program in the background. Both its outputs go to one file.
pub struct Background {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts a program; its log is put into the folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &'static str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until the function finds what it looks for in the log.
    ///
    /// # Errors
    /// When the program ends before that, or time is over.
    pub fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let found = wait_for(what, || {
            let said = self.said();
            match (find(&said), self.child.try_wait()?) {
                (Some(found), _) => Ok(Some(found)),
                (None, Some(status)) => bail!("{} ended with {status}", self.name),
                (None, None) => Ok(None),
            }
        });
        found.with_context(|| format!("{} said:\n{}", self.name, self.said()))
    }

    /// Sends it a signal, such as `HUP`.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args([&format!("-{name}"), &id]).status();
        ensure!(asked.context("cannot run `kill`")?.success(), "cannot signal {}", self.name);
        Ok(())
    }

    /// Asks it to stop with SIGTERM, and waits until it has.
    ///
    /// # Errors
    /// When it does not.
    pub fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal("TERM")?;
        let ended = wait_for("the end of a program", || Ok(self.child.try_wait()?));
        ended.with_context(|| format!("{} said:\n{}", self.name, self.said()))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The socket address after the first occurrence of a mark in a log.
#[must_use]
pub fn address_after(log: &str, mark: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(mark)?;
    let address = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
    rest.split(|c: char| !address(c)).next()?.parse().ok()
}
