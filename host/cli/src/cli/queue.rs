//! `preamp queue`: what waits on disk.

use super::offline::answered;
use super::stored::{At, inspect, points};
use super::validate::{placed, prepare};
use super::words::Counted;
use super::{ConfigArgs, stored};
use crate::{embedded, telemetry};
use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use preamp_base::printable::{self, Line};
use preamp_config::Settings;
use preamp_host::node::NodeOptions;
use preamp_host::service::Service;
use preamp_queue::durable::{Inspection, WaitingBatch};
use serde_json::json;
use std::io::Write as _;
use std::time::{Duration, Instant};

#[derive(Debug, Subcommand)]
pub(super) enum QueueCommand {
    /// Say how much waits, since when, and where every point is.
    ///
    /// Reads the files, also while `preamp run` uses them: what it did in the last moments may be missing then.
    Status(StatusArgs),
    /// Show the series and samples of the batches that wait first.
    Peek(PeekArgs),
    /// Deliver what waits, and take nothing new.
    ///
    /// For a queue whose process is stopped and will not be started again, such as one that was moved to another
    /// machine. Ends when nothing waits, or after --timeout, and can be started again then.
    Drain(DrainArgs),
}

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct PeekArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only batches of this partition.
    #[arg(long, value_name = "NUMBER")]
    partition: Option<u32>,
    /// How many batches.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    count: usize,
}

#[derive(Args, Debug)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Stop after this many seconds, whatever waits then.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// Does what was asked for.
pub(super) fn queue(command: QueueCommand) -> anyhow::Result<()> {
    match command {
        QueueCommand::Status(args) => status(&args),
        QueueCommand::Peek(args) => super::complete(peek(args)),
        QueueCommand::Drain(args) => super::complete(drain(args)),
    }
}

fn status(args: &StatusArgs) -> anyhow::Result<()> {
    let (loaded, inspection) = inspect(&args.config)?;
    let directory = stored::directory(&loaded)?.path.display().to_string();
    if args.json {
        writeln!(printable::stdout_json(), "{}", status_json(&directory, &inspection))?;
        return Ok(());
    }
    let mut out = printable::stdout();
    let Inspection { exporter, waiting, was_closed, damaged_bytes, files, .. } = &inspection;
    writeln!(out, "{} (exporters.{})", Line(directory), Line(exporter))?;
    let bytes: u64 = waiting.iter().map(|batch| batch.bytes).sum();
    writeln!(
        out,
        "waiting      {}, {}",
        points(inspection.queued()),
        Counted(waiting.len() as u64, "batch")
    )?;
    writeln!(out, "             {bytes} bytes; {} on disk ({})", files.1, Counted(files.0, "file"))?;
    if let Some(oldest) = waiting.first() {
        writeln!(out, "oldest       accepted at {}", At(oldest.accepted_at))?;
    }
    for (partition, count) in by_partition(waiting) {
        writeln!(out, "partition {partition:<3}{count:>6}")?;
    }
    writeln!(out, "set aside    {}", points(inspection.set_aside_points))?;
    writeln!(
        out,
        "last process {}",
        if *was_closed { "ended in order" } else { "runs, or ended with a request under way" }
    )?;
    if *damaged_bytes > 0 {
        writeln!(out, "damaged      {damaged_bytes} bytes")?;
    }
    Ok(())
}

fn status_json(directory: &str, inspection: &Inspection) -> serde_json::Value {
    let waiting = &inspection.waiting;
    json!({
        "directory": directory,
        "exporter": inspection.exporter,
        "points": inspection.queued(),
        "batches": waiting.len(),
        "bytes": waiting.iter().map(|batch| batch.bytes).sum::<u64>(),
        "bytes_on_disk": inspection.files.1,
        "oldest_ms": waiting.first().map(|batch| batch.accepted_at),
        "batches_by_partition": by_partition(waiting),
        "set_aside_points": inspection.set_aside_points,
        "was_closed": inspection.was_closed,
        "damaged_bytes": inspection.damaged_bytes,
    })
}

fn by_partition(waiting: &[WaitingBatch]) -> std::collections::BTreeMap<u32, u64> {
    waiting.iter().fold(std::collections::BTreeMap::new(), |mut counts, batch| {
        *counts.entry(batch.partition).or_default() += 1;
        counts
    })
}

async fn peek(args: PeekArgs) -> anyhow::Result<()> {
    let (loaded, inspection) = inspect(&args.config)?;
    let exporters = prepare(&loaded)?.exporters;
    let is_wanted =
        |batch: &&WaitingBatch| args.partition.is_none_or(|partition| batch.partition == partition);
    for waiting in inspection.waiting.iter().filter(is_wanted).take(args.count) {
        let batch = waiting.read().map_err(|reason| anyhow!("a batch cannot be read: {reason}"))?;
        let explained = answered(exporters.explain(batch).await)?;
        let (partition, at) = (waiting.partition, At(waiting.accepted_at));
        write!(
            printable::stdout(),
            "# partition {partition}, accepted at {at}, {}\n{explained}",
            points(waiting.points)
        )?;
    }
    Ok(())
}

/// How often it is said how much is left.
const REPORT_EVERY: Duration = Duration::from_secs(2);

async fn drain(args: DrainArgs) -> anyhow::Result<()> {
    let loaded = args.config.load()?;
    stored::directory(&loaded)?;
    telemetry::start(&loaded.settings.telemetry).map_err(|error| anyhow!(error))?;
    let mut settings: Settings = loaded.settings.clone();
    settings.receiver.grpc = None;
    settings.receiver.http = None;
    settings.health = None;
    settings.telemetry.metrics_endpoint = None;
    let started = Service::start(&settings, NodeOptions::of_this_system(embedded::load()?)).await;
    let running = started.map_err(|error| placed(error, &loaded))?;
    let ledger = running.metrics().ledger.clone();
    let deadline = args.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut reported = Instant::now();
    while ledger.snapshot().queued > 0 && deadline.is_none_or(|deadline| Instant::now() < deadline) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            writeln!(printable::stderr(), "{} left", points(ledger.snapshot().queued))?;
        }
    }
    let stopped = running.shutdown(REPORT_EVERY).await;
    let ledger = stopped.ledger;
    let settled = ledger.settled() - ledger.delivered;
    writeln!(printable::stdout(), "{} delivered, {settled} settled otherwise", points(ledger.delivered))?;
    if ledger.queued > 0 {
        bail!("{} are left, and still on disk", points(ledger.queued));
    }
    Ok(())
}
