//! `preamp queue status`: how full a queue is, whether somebody empties it, and how long that may take.

use super::super::stored::{self, At, inspect, points};
use super::super::words::Counted;
use super::StatusArgs;
use crate::embedded;
use crate::sizes::{Bytes, Lasting};
use preamp_base::printable::{self, Line};
use preamp_config::Loaded;
use preamp_host::metrics::LastAttempt;
use preamp_host::status_file::Status;
use preamp_queue::durable::{Disk as _, Folder, Inspection, WaitingBatch};
use preamp_wasm::{ExporterPool, PoolLimits};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use time::OffsetDateTime;

/// Prints what is known of a queue.
pub(super) fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let (loaded, inspection) = inspect(&args.config)?;
    let directory = &stored::directory(&loaded)?.path;
    let report = Report::new(&loaded, directory, inspection);
    if args.json {
        writeln!(printable::stdout_json(), "{}", report.json())?;
    } else {
        report.print(&mut printable::stdout())?;
    }
    Ok(())
}

/// The process that uses the queue, or did last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Process {
    /// It runs; its number, if that is known.
    Runs(Option<i64>),
    /// It has ended in order.
    Ended,
    /// It ended without putting the queue away.
    Killed,
    /// It left no word, and the system shows none.
    Unknown,
}

impl Process {
    fn name(self) -> &'static str {
        match self {
            Process::Runs(_) => "running",
            Process::Ended => "ended",
            Process::Killed => "killed",
            Process::Unknown => "unknown",
        }
    }
}

/// A limit of the queue, and how much of it is taken.
struct Fill {
    limit: &'static str,
    used: u64,
    allowed: u64,
}

impl Fill {
    fn percent(&self) -> u64 {
        u64::try_from(u128::from(self.used) * 100 / u128::from(self.allowed.max(1))).unwrap_or(u64::MAX)
    }

    /// In words.
    fn shown(&self) -> String {
        let (percent, limit) = (self.percent(), self.limit);
        match limit {
            "bytes" | "disk" => {
                format!("{percent} % of {limit}: {} of {}", Bytes(self.used), Bytes(self.allowed))
            }
            _ => format!("{percent} % of {limit}: {} of {}", self.used, self.allowed),
        }
    }
}

/// When the first of what waits becomes too old.
enum Expiry {
    /// The receiver takes samples of any age, or nothing waits.
    Never,
    /// In as many milliseconds, which are fewer than 0 if it is so already.
    In(i64),
}

struct Report {
    now: i64,
    directory: String,
    inspection: Inspection,
    /// What the process says, if it is of a version that says something.
    status: Option<Status>,
    process: Process,
    /// The fullest first.
    fills: Vec<Fill>,
    free: Option<u64>,
    min_free: u64,
    max_age: Option<u64>,
    expiry: Expiry,
}

impl Report {
    fn new(loaded: &Loaded, directory: &Path, inspection: Inspection) -> Report {
        let now =
            i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
        let folder = Folder::look(directory).ok();
        let status = Status::read(directory);
        let queue = &loaded.settings.exporter.queue;
        let holder = folder.as_ref().and_then(Folder::holder).and_then(|holder| holder.process());
        let max_age = max_age(&loaded.settings.exporter.component_json);
        let oldest = oldest(&inspection.waiting);
        let expiry = match (oldest, max_age) {
            (Some(oldest), Some(age)) => Expiry::In(oldest.saturating_add_unsigned(age).saturating_sub(now)),
            _ => Expiry::Never,
        };
        let mut fills = fills(queue, &inspection);
        fills.sort_by_key(|fill| std::cmp::Reverse(fill.percent()));
        Report {
            now,
            directory: directory.display().to_string(),
            process: process(holder, status.as_ref(), inspection.was_closed, now),
            fills,
            free: folder.and_then(|folder| folder.free().ok()),
            min_free: queue.min_free_bytes,
            max_age,
            expiry,
            status,
            inspection,
        }
    }

    fn since(&self, at: i64) -> Lasting {
        Lasting(Duration::from_millis(u64::try_from(self.now.saturating_sub(at)).unwrap_or(0)))
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Inspection { exporter, waiting, damaged_bytes, files, .. } = &self.inspection;
        writeln!(out, "{} (exporters.{})", Line(&self.directory), Line(exporter))?;
        self.print_process(out)?;
        self.print_latest(out)?;
        let (batches, payloads) = (waiting.len() as u64, self.inspection.payloads() as u64);
        let (batches, payloads) = (Counted(batches, "batch"), Counted(payloads, "payload"));
        writeln!(out, "waiting      {}, {batches} of {payloads}", points(self.inspection.queued()))?;
        let bytes: u64 = waiting.iter().map(|batch| batch.bytes).sum();
        writeln!(out, "             {bytes} bytes; {} on disk ({})", files.1, Counted(files.0, "file"))?;
        for (index, fill) in self.fills.iter().enumerate() {
            writeln!(out, "{:13}{}", if index == 0 { "full" } else { "" }, fill.shown())?;
        }
        self.print_free(out)?;
        if let Some(oldest) = waiting.first() {
            let (at, ago) = (oldest.accepted_at, self.since(oldest.accepted_at));
            writeln!(out, "oldest       accepted at {}, {ago} ago", At(at))?;
        }
        self.print_outlook(out)?;
        for (partition, count) in by_partition(waiting) {
            writeln!(out, "partition {partition:<3}{count:>6}")?;
        }
        writeln!(out, "quarantine   {}", points(self.inspection.quarantined_points))?;
        if *damaged_bytes > 0 {
            writeln!(out, "damaged      {damaged_bytes} bytes")?;
        }
        Ok(())
    }

    fn print_process(&self, out: &mut impl Write) -> io::Result<()> {
        let status = self.status.as_ref();
        let version = status.map(|status| format!(", preamp {}", Line(&status.version))).unwrap_or_default();
        let last_seen = status.map(|status| format!(", last seen {} ago", self.since(status.written_at)));
        let last_seen = last_seen.unwrap_or_default();
        match self.process {
            Process::Runs(number) => {
                let number = number.map(|number| format!(" (process {number}{version})")).unwrap_or_default();
                let since =
                    status.filter(|status| !status.has_ended).map(|status| self.since(status.started_at));
                let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
                writeln!(out, "process      running{number}{since}")
            }
            Process::Ended => {
                writeln!(out, "process      not running; the last one ended in order{last_seen}")
            }
            Process::Killed => writeln!(
                out,
                "process      not running; the last one was killed, or ended with a request under way{last_seen}"
            ),
            Process::Unknown => writeln!(
                out,
                "process      not known: it runs elsewhere, or ended with a request under way{last_seen}"
            ),
        }
    }

    fn print_latest(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(Status { events, written_at, has_ended, .. }) = &self.status else {
            return writeln!(out, "last answer  not known: no process of this version has used the queue");
        };
        match &events.attempt {
            None => writeln!(out, "last answer  none: that process has sent nothing")?,
            Some(attempt) => writeln!(out, "last answer  {}", self.answer(attempt))?,
        }
        match events.delivered_at {
            Some(at) => writeln!(out, "delivered    last {} ago", self.since(at))?,
            None => writeln!(out, "delivered    nothing by that process")?,
        }
        if let Some((at, limit)) = &events.full {
            let ago = self.since(*at);
            writeln!(out, "refused      a payload {ago} ago: the limit of {} was reached", Line(limit))?;
        }
        let is_stale = matches!(self.process, Process::Runs(_)) && !has_ended;
        if is_stale && self.now.saturating_sub(*written_at) > 60_000 {
            let ago = self.since(*written_at);
            writeln!(
                out,
                "             as of {ago} ago: the process stands still, or cannot write to the disk"
            )?;
        }
        Ok(())
    }

    fn answer(&self, LastAttempt { at, status, verdict, said }: &LastAttempt) -> String {
        let ago = self.since(*at);
        let said = said.strip_prefix(&format!("status {status}")).unwrap_or(said).trim_start_matches(": ");
        let said = said.strip_prefix("no answer: ").unwrap_or(said);
        let said = if said.is_empty() { String::new() } else { format!(": {}", Line(said)) };
        match (status, &**verdict) {
            (_, "not_sent") => format!("none, {ago} ago: nothing could be sent{said}"),
            (0, _) => format!("none, {ago} ago{said}"),
            (status, "delivered") => format!("{status}, {ago} ago{said}"),
            (status, verdict) => format!("{status}, {ago} ago ({}){said}", Line(verdict)),
        }
    }

    fn print_free(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(free) = self.free else { return Ok(()) };
        let least = match self.min_free {
            0 => String::new(),
            least => format!(", of which min_free_disk_bytes keeps {}", Bytes(least)),
        };
        let is_full = free <= self.min_free;
        let full = if is_full { ": the disk is full, and senders are refused" } else { "" };
        writeln!(out, "             {} free on the disk{least}{full}", Bytes(free))
    }

    /// What becomes of what waits, as far as it can be told.
    fn print_outlook(&self, out: &mut impl Write) -> io::Result<()> {
        if self.inspection.waiting.is_empty() {
            return Ok(());
        }
        match (&self.expiry, self.max_age) {
            (Expiry::In(left), Some(age)) => {
                let age = Lasting(Duration::from_millis(age));
                let limit = format!("the receiver takes samples up to an age of {age}");
                match u64::try_from(*left) {
                    Ok(left) => {
                        writeln!(out, "first expiry in {}; {limit}", Lasting(Duration::from_millis(left)))?;
                    }
                    Err(_) => writeln!(out, "first expiry now: samples are given up; {limit}")?,
                }
            }
            _ => writeln!(out, "first expiry never: no limit of age is known for this receiver")?,
        }
        match (self.process, &self.status) {
            (Process::Runs(_), Some(status)) => {
                let Status { accepted_per_second: accepted, settled_per_second: settled, .. } = status;
                let rates =
                    format!("over the last minute {settled:.1} points/s left it, and {accepted:.1} came in");
                match self.drain_seconds() {
                    Some(seconds) => {
                        writeln!(out, "empty in     about {}: {rates}", Lasting(Duration::from_secs(seconds)))
                    }
                    None => writeln!(out, "empty in     not at this rate: {rates}"),
                }
            }
            _ => writeln!(out, "empty in     nobody delivers: start preamp run, or preamp queue drain"),
        }
    }

    /// How long it takes until nothing waits; `None` if it does not become less.
    fn drain_seconds(&self) -> Option<u64> {
        let status = self.status.as_ref().filter(|_| matches!(self.process, Process::Runs(_)))?;
        let net = status.settled_per_second - status.accepted_per_second;
        // Less than that is no more than chance.
        (net >= 0.1).then(|| (self.inspection.queued() as f64 / net).ceil() as u64)
    }

    fn json(&self) -> Value {
        let Inspection { exporter, waiting, files, quarantined_points, was_closed, damaged_bytes, .. } =
            &self.inspection;
        let status = self.status.as_ref();
        let events = status.map(|status| &status.events);
        let number = match self.process {
            Process::Runs(number) => number,
            _ => status.map(|status| status.process.into()),
        };
        let answer = events.and_then(|events| events.attempt.as_ref()).map(|attempt| {
            let LastAttempt { at, status, verdict, said } = attempt;
            json!({"at_ms": at, "status": status, "verdict": verdict, "said": said})
        });
        let limits = self.fills.iter().map(|fill| {
            json!({"limit": fill.limit, "used": fill.used, "allowed": fill.allowed, "percent": fill.percent()})
        });
        let limits: Vec<Value> = limits.collect();
        json!({
            "directory": self.directory,
            "exporter": exporter,
            "process": {
                "state": self.process.name(),
                "id": number,
                "version": status.map(|status| &status.version),
                "started_ms": status.map(|status| status.started_at),
                "last_seen_ms": status.map(|status| status.written_at),
            },
            "last_answer": answer,
            "last_delivered_ms": events.and_then(|events| events.delivered_at),
            "last_refused_for_limit": events.and_then(|events| events.full.as_ref())
                .map(|(at, limit)| json!({"at_ms": at, "limit": limit})),
            "points": self.inspection.queued(),
            "batches": waiting.len(),
            "payloads": self.inspection.payloads(),
            "bytes": waiting.iter().map(|batch| batch.bytes).sum::<u64>(),
            "bytes_on_disk": files.1,
            "percent_full": self.fills.first().map(Fill::percent),
            "limits": limits,
            "disk_free_bytes": self.free,
            "oldest_ms": waiting.first().map(|batch| batch.accepted_at),
            "max_age_ms": self.max_age,
            "first_expiry_in_ms": match self.expiry { Expiry::In(left) => Some(left), Expiry::Never => None },
            "empty_in_seconds": self.drain_seconds(),
            "batches_by_partition": by_partition(waiting),
            "quarantined_points": quarantined_points,
            "was_closed": was_closed,
            "damaged_bytes": damaged_bytes,
        })
    }
}

/// Which process uses the queue: who holds its lock, else what the last one said.
fn process(holder: Option<i32>, status: Option<&Status>, was_closed: bool, now: i64) -> Process {
    match (holder, status) {
        (Some(number), _) => Process::Runs(Some(number.into())),
        (None, Some(Status { has_ended: true, .. })) => Process::Ended,
        // In another container, whose locks the system does not show here.
        (None, Some(status)) if status.is_fresh(now) && !status.is_of_this_namespace() => {
            Process::Runs(Some(status.process.into()))
        }
        (None, Some(_)) => Process::Killed,
        (None, None) if was_closed => Process::Ended,
        (None, None) => Process::Unknown,
    }
}

/// How much of each limit is taken. What is settled keeps its place on the disk for the sake of what waits beside it.
fn fills(queue: &preamp_config::Queue, inspection: &Inspection) -> Vec<Fill> {
    let bytes = inspection.waiting.iter().map(|batch| batch.bytes).sum();
    let fills = [
        Fill { limit: "payloads", used: inspection.payloads() as u64, allowed: queue.max_payloads as u64 },
        Fill { limit: "points", used: inspection.queued(), allowed: queue.max_points },
        Fill { limit: "bytes", used: bytes, allowed: queue.max_bytes },
        Fill { limit: "disk", used: inspection.files.1, allowed: queue.max_bytes },
    ];
    // A limit that the file leaves out is as large as a number can be.
    fills.into_iter().filter(|fill| fill.allowed < i64::MAX.unsigned_abs()).collect()
}

/// The age at which queued samples are given up, in milliseconds.
fn max_age(component_json: &str) -> Option<u64> {
    let component = embedded::load().ok()?;
    ExporterPool::open(&component, component_json, PoolLimits::default()).ok()?.limits().max_age_sent
}

/// The time of the oldest sample, or nearly so: of those that were accepted first in each partition.
fn oldest(waiting: &[WaitingBatch]) -> Option<i64> {
    let mut first = BTreeMap::new();
    for batch in waiting {
        first.entry(batch.partition).or_insert(batch);
    }
    first.into_values().map(|waiting| waiting.read().map_or(waiting.accepted_at, |batch| batch.first)).min()
}

fn by_partition(waiting: &[WaitingBatch]) -> BTreeMap<u32, u64> {
    waiting.iter().fold(BTreeMap::new(), |mut counts, batch| {
        *counts.entry(batch.partition).or_default() += 1;
        counts
    })
}
