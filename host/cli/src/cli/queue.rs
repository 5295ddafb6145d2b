//! `preamp queue`: what waits on disk.

mod status;

use super::ConfigArgs;
use super::offline::answered;
use super::stored::{self, At, inspect, points};
use super::validate::{placed, prepare};
use crate::{embedded, telemetry};
use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use preamp_base::printable;
use preamp_config::Settings;
use preamp_host::node::NodeOptions;
use preamp_host::service::Service;
use preamp_queue::durable::WaitingBatch;
use std::io::Write as _;
use std::time::{Duration, Instant};

#[derive(Debug, Subcommand)]
pub(super) enum QueueCommand {
    /// Say how full the queue is, whether a process empties it, what the receiver answered last, and when samples expire.
    ///
    /// Reads the files, also while `preamp run` uses them: what it did in the last moments may be missing then. The last
    /// answer and the rates come from the file `status`, which `preamp run` writes each second into the same directory.
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
    /// Stop after this long, whatever waits then: seconds, or with units, such as 1m30s.
    #[arg(long, value_name = "DURATION", value_parser = super::arguments::duration)]
    timeout: Option<Duration>,
}

impl QueueCommand {
    /// The configuration that a command works by.
    pub(super) fn config(&mut self) -> &mut ConfigArgs {
        match self {
            QueueCommand::Status(StatusArgs { config, .. })
            | QueueCommand::Peek(PeekArgs { config, .. })
            | QueueCommand::Drain(DrainArgs { config, .. }) => config,
        }
    }
}

/// Does what was asked for.
pub(super) fn queue(command: QueueCommand) -> anyhow::Result<()> {
    match command {
        QueueCommand::Status(args) => status::status(&args),
        QueueCommand::Peek(args) => super::complete(peek(args)),
        QueueCommand::Drain(args) => super::complete(drain(args)),
    }
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
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
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
