//! `preamp quarantine`: what the receiver will never take, and what became too old.

mod groups;

use super::ConfigArgs;
use super::offline::answered;
use super::stored::{self, At, points};
use super::validate::prepare;
use anyhow::bail;
use clap::{Args, Subcommand};
use groups::Groups;
use preamp_base::memory::MemoryLimit;
use preamp_base::printable::{self, Line};
use preamp_config::{Directory, Storage};
use preamp_contract::Batch;
use preamp_host::nats;
use preamp_host::service::{queue_options, stream_options};
use preamp_queue::durable::{Folder, FolderError, Kept, QuarantineFiles};
use preamp_queue::{AppendError, DurableQueue, JetStreamQueue, Queue, jetstream};
use serde_json::json;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum QuarantineCommand {
    /// List the quarantine: points by reason and by metric.
    List(ListArgs),
    /// Show the series and samples in quarantine.
    Show(ShowArgs),
    /// Put it back into the queue, to be delivered once more at the next start.
    ///
    /// Do this after the cause is removed: a limit was raised, a label shortened. Stop `preamp run` first.
    Replay(ReleaseArgs),
    /// Delete quarantined data for good. Stop `preamp run` first.
    Purge(PurgeArgs),
}

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    wanted: Wanted,
    /// Print a line for each batch, in place of the summary.
    #[arg(long)]
    all: bool,
    /// Print a JSON document for each batch.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Args, Debug)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    wanted: Wanted,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args, Debug)]
pub(super) struct PurgeArgs {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Delete without asking. Needed where standard input is no terminal.
    #[arg(long, short)]
    yes: bool,
}

#[derive(Args, Debug)]
struct Wanted {
    /// Only batches quarantined for this reason, such as out-of-order.
    #[arg(long)]
    reason: Option<String>,
    /// Only what is in this state: quarantined or expired.
    #[arg(long)]
    state: Option<String>,
}

impl Wanted {
    fn is(&self, kept: &Kept) -> bool {
        self.reason.as_ref().is_none_or(|reason| *reason == kept.reason)
            && self.state.as_ref().is_none_or(|state| *state == kept.state)
    }
}

impl QuarantineCommand {
    /// The configuration that a command works by.
    pub(super) fn config(&mut self) -> &mut ConfigArgs {
        match self {
            QuarantineCommand::List(ListArgs { config, .. })
            | QuarantineCommand::Show(ShowArgs { config, .. })
            | QuarantineCommand::Replay(ReleaseArgs { config, .. })
            | QuarantineCommand::Purge(PurgeArgs { release: ReleaseArgs { config, .. }, .. }) => config,
        }
    }
}

/// Does what was asked for.
pub(super) fn quarantine(command: QuarantineCommand) -> anyhow::Result<()> {
    match command {
        QuarantineCommand::List(args) => super::complete(list(args)),
        QuarantineCommand::Show(args) => super::complete(show(args)),
        QuarantineCommand::Replay(args) => super::complete(release(args, Release::Replay)),
        QuarantineCommand::Purge(args) => {
            super::complete(release(args.release, Release::Purge { asks: !args.yes }))
        }
    }
}

async fn list(args: ListArgs) -> anyhow::Result<()> {
    let (loaded, quarantined) = stored::quarantined(&args.config)?;
    if !args.all && !args.json {
        let exporters = prepare(&loaded)?.exporters;
        let wanted = quarantined.iter().filter(|kept| args.wanted.is(kept));
        return Ok(Groups::of(wanted, &exporters).await?.print(&mut printable::stdout())?);
    }
    let mut out = if args.json { printable::stdout_json() } else { printable::stdout() };
    for kept in quarantined.iter().filter(|kept| args.wanted.is(kept)) {
        let Kept { at, state, reason, detail, batch, .. } = kept;
        let series = batch.as_ref().map_or(0, |batch| batch.series);
        if args.json {
            let at = At(*at).to_string();
            let document = json!({
                "at": at, "state": state, "reason": reason, "detail": detail, "points": kept.points, "series": series,
            });
            writeln!(out, "{document}")?;
        } else {
            writeln!(
                out,
                "{}  {} {}: {}, {series} series; {}",
                At(*at),
                Line(state),
                Line(reason),
                points(kept.points),
                Line(detail)
            )?;
        }
    }
    Ok(())
}

async fn show(args: ShowArgs) -> anyhow::Result<()> {
    let (loaded, quarantined) = stored::quarantined(&args.config)?;
    let exporters = prepare(&loaded)?.exporters;
    for kept in quarantined.into_iter().filter(|kept| args.wanted.is(kept)) {
        let Kept { at, state, reason, detail, batch, .. } = kept;
        writeln!(printable::stdout(), "# {} {} {}: {}", At(at), Line(state), Line(reason), Line(detail))?;
        match batch {
            Some(batch) => {
                let explained = answered(exporters.explain(batch).await)?;
                write!(printable::stdout(), "{explained}")?;
            }
            None => writeln!(printable::stdout(), "# was damaged on disk")?,
        }
    }
    Ok(())
}

fn sum(kept: &[Kept]) -> u64 {
    kept.iter().map(|kept| kept.points).sum()
}

/// Puts batches back into a queue.
async fn replay(
    wanted: &[Kept],
    queue: &dyn Queue,
    put_back: impl AsyncFn(Batch) -> Result<(), AppendError>,
) -> anyhow::Result<()> {
    let (mut done, in_all) = (0, sum(wanted));
    for kept in wanted {
        if let Some(batch) = &kept.batch {
            // There may have been more partitions when the batch was quarantined.
            let partition = batch.partition % queue.partitions().max(1);
            put_back(Batch { partition, ..batch.clone() }).await?;
        }
        done += kept.points;
        writeln!(printable::stderr(), "{done} of {} in the queue", points(in_all))?;
    }
    Ok(())
}

/// What is done with what leaves the quarantine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    /// It goes back into the queue.
    Replay,
    /// It is deleted, perhaps after the user was asked.
    Purge { asks: bool },
}

/// Takes what is wanted out of quarantine, and into the queue or nowhere.
async fn release(args: ReleaseArgs, release: Release) -> anyhow::Result<()> {
    let replays = release == Release::Replay;
    let (loaded, quarantined) = stored::quarantined(&args.config)?;
    let word = if replays { "replayed" } else { "purged" };
    // What was damaged on disk is of no use to anybody, whoever wants it.
    let (damaged, intact): (Vec<_>, Vec<_>) = quarantined.into_iter().partition(|kept| kept.batch.is_none());
    let (wanted, rest): (Vec<_>, Vec<_>) = intact.into_iter().partition(|kept| args.wanted.is(kept));
    let in_all = sum(&wanted);
    if args.dry_run {
        writeln!(printable::stdout(), "{} would be {word}", points(in_all))?;
        return Ok(());
    }
    let replayed = if replays { &wanted[..] } else { &[] };
    let exporter = &loaded.settings.exporter;
    match &exporter.queue.storage {
        Storage::Nats(nats) => {
            let directory = Directory::private(stored::quarantine_directory(nats)?);
            let folder = Arc::new(Folder::reserve(&directory).map_err(in_use)?);
            confirm(release, in_all)?;
            // Whoever replays is not the one who keeps what is refused.
            let options = jetstream::Options { quarantine: None, ..stream_options(exporter, nats) };
            let mut files = QuarantineFiles::open(folder, options.max_bytes)?;
            if replays {
                let queue = JetStreamQueue::open(nats::connect(nats).await?, &options).await?;
                replay(replayed, &queue, async |batch| queue.replay(batch).await).await?;
                queue.shutdown(false).await?;
            }
            files.keep_only(&rest)?;
        }
        Storage::Memory | Storage::Directory(_) => {
            let folder = Folder::reserve(stored::directory(&loaded)?).map_err(in_use)?;
            confirm(release, in_all)?;
            let options = queue_options(exporter, &MemoryLimit::of_this_system().shares(1));
            let (queue, _) = DurableQueue::open(Arc::new(folder), &options)?;
            replay(replayed, &queue, async |batch| queue.append(vec![batch]).await).await?;
            queue.release(rest, in_all + sum(&damaged)).await?;
        }
    }
    if !damaged.is_empty() {
        writeln!(printable::stderr(), "{} cannot be read, and are given up", points(sum(&damaged)))?;
    }
    writeln!(printable::stdout(), "{} {word}", points(in_all))?;
    Ok(())
}

/// Asks before data is deleted, unless that was allowed beforehand.
fn confirm(release: Release, in_all: u64) -> anyhow::Result<()> {
    if release != (Release::Purge { asks: true }) || in_all == 0 {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        bail!("{} would be deleted for good: add --yes, or look first with --dry-run", points(in_all));
    }
    write!(printable::stderr(), "delete {} for good? [y/N] ", points(in_all))?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was deleted"),
    }
}

/// Says what to do about a process that uses the queue.
fn in_use(error: FolderError) -> anyhow::Error {
    match error {
        FolderError::InUse { path, holder } => {
            anyhow::anyhow!("{}: is in use by {holder}: stop preamp run first", path.display())
        }
        other => other.into(),
    }
}
