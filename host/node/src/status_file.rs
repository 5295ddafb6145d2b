//! The file `status` in the directory of a queue: what its process knows and the files of the queue do not say.
//!
//! It is for people only (`preamp queue status`): nothing depends on it, and it is not synchronized to the disk. It keeps
//! one size and is overwritten in place, so that it can be written while the disk is full. A reader that meets a writer
//! finds text that does not parse, and reads again.

use crate::metrics::{Events, Metrics, now};
use preamp_base::own_files::{OwnDirectory, Purpose};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const NAME: &str = "status";

/// The size of the file, the rest of which is spaces.
const BYTES: usize = 4096;

/// How often it is written.
const INTERVAL: Duration = Duration::from_secs(1);

/// Rates are taken over this many intervals.
const RATE_INTERVALS: usize = 60;

/// A status that is older than this is not of a process that runs, as a rule.
const FRESH: Duration = Duration::from_secs(20);

/// How often a reader tries to meet no writer.
const READ_ATTEMPTS: u32 = 5;

/// What a process says about itself and its queue. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The number of the process.
    pub process: u32,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: i64,
    /// When this was written.
    pub written_at: i64,
    /// Whether the process has ended in order.
    pub has_ended: bool,
    /// The namespace that its number is of; empty where the system has none.
    pub namespace: String,
    /// What happened last.
    #[serde(flatten)]
    pub events: Events,
    /// Points accepted a second, over the last minute.
    pub accepted_per_second: f64,
    /// Points a second that left the queue, over the last minute.
    pub settled_per_second: f64,
}

impl Status {
    /// What the process that used a directory last has said. Nothing if none of this version did.
    #[must_use]
    pub fn read(directory: &Path) -> Option<Status> {
        let directory = OwnDirectory::open(directory).ok()?;
        let file = directory.open_file(OsStr::new(NAME), Purpose::Look).ok()?;
        (0..READ_ATTEMPTS).find_map(|attempt| {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
            let mut text = [0; BYTES];
            file.read_exact_at(&mut text, 0).ok()?;
            serde_json::from_slice(&text).ok()
        })
    }

    /// Whether processes of the one that wrote it are seen from here.
    #[must_use]
    pub fn is_of_this_namespace(&self) -> bool {
        !self.namespace.is_empty() && self.namespace == namespace()
    }

    /// Whether it was written so short a time ago that the process runs, as a rule.
    #[must_use]
    pub fn is_fresh(&self, now: i64) -> bool {
        !self.has_ended && Duration::from_millis(now.abs_diff(self.written_at)) < FRESH
    }
}

/// The namespace of this process' number.
fn namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default()
}

/// Writes the file for as long as the process uses the queue.
pub(crate) struct StatusWriter {
    stop: CancellationToken,
    writing: JoinHandle<()>,
}

impl StatusWriter {
    /// Starts to write the file in a directory that is reserved for this process.
    pub fn start(directory: PathBuf, metrics: Arc<Metrics>) -> StatusWriter {
        let stop = CancellationToken::new();
        let writing = tokio::spawn(write(directory, metrics, stop.clone()));
        StatusWriter { stop, writing }
    }

    /// Writes that the process has ended in order.
    pub async fn finish(self) {
        self.stop.cancel();
        // A disk that hangs does not hold up the end.
        let _ended = tokio::time::timeout(INTERVAL, self.writing).await;
    }
}

async fn write(directory: PathBuf, metrics: Arc<Metrics>, stop: CancellationToken) {
    let started_at = now();
    let mut file = None;
    let mut seen = VecDeque::from([(tokio::time::Instant::now(), 0, 0)]);
    let mut is_told = false;
    loop {
        let ledger = metrics.ledger.snapshot();
        seen.push_back((tokio::time::Instant::now(), ledger.accepted, ledger.settled()));
        if seen.len() > RATE_INTERVALS {
            seen.pop_front();
        }
        let has_ended = stop.is_cancelled();
        let mut status = Status {
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
            written_at: now(),
            has_ended,
            namespace: namespace(),
            events: metrics.latest.events(),
            ..Status::default()
        };
        if let (Some((from, accepted, settled)), Some((to, ..))) = (seen.front(), seen.back()) {
            let seconds = to.duration_since(*from).as_secs_f64().max(1.0);
            status.accepted_per_second = ledger.accepted.saturating_sub(*accepted) as f64 / seconds;
            status.settled_per_second = ledger.settled().saturating_sub(*settled) as f64 / seconds;
        }
        let (place, opened) = (directory.clone(), file.take());
        let writing = tokio::task::spawn_blocking(move || put(&place, opened, &status));
        match writing.await {
            Ok(Ok(opened)) => file = Some(opened),
            Ok(Err(error)) if !is_told => {
                is_told = true;
                tracing::warn!(directory = %directory.display(), %error, "`preamp queue status` will not show the last answer: the file `{NAME}` cannot be written");
            }
            Ok(Err(_)) | Err(_) => {}
        }
        if has_ended {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Writes a status, into the file that was opened before or that is opened now.
fn put(directory: &Path, opened: Option<File>, status: &Status) -> io::Result<File> {
    let file = match opened {
        Some(file) => file,
        None => open(directory)?,
    };
    let mut text = serde_json::to_vec(status)?;
    text.resize(BYTES, b' ');
    file.write_all_at(&text, 0)?;
    Ok(file)
}

/// Opens the file. One that is there keeps its room on the disk.
fn open(directory: &Path) -> io::Result<File> {
    let directory = OwnDirectory::open(directory)?;
    match directory.open_file(OsStr::new(NAME), Purpose::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => directory.create(OsStr::new(NAME)),
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(said: &str) -> Status {
        let latest = crate::metrics::Latest::default();
        latest.answered(503, "retry", said);
        Status { process: 7, written_at: now(), events: latest.events(), ..Status::default() }
    }

    #[test]
    fn what_is_written_in_place_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Status::read(folder.path()), None);
        let long = status(&"\"ä\u{1}".repeat(1000));
        let file = put(folder.path(), None, &long).unwrap();
        assert_eq!(Status::read(folder.path()), Some(long));
        let short = status("x");
        put(folder.path(), Some(file), &short).unwrap();
        assert_eq!(Status::read(folder.path()), Some(short.clone()));
        assert_eq!(std::fs::metadata(folder.path().join(NAME)).unwrap().len(), BYTES as u64);
        assert!(short.is_fresh(now()) && !short.is_fresh(now() + 60_000));
        std::fs::write(folder.path().join(NAME), "half of i").unwrap();
        assert_eq!(Status::read(folder.path()), None);
    }
}
