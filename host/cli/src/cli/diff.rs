//! `preamp diff`.

mod comparison;
mod inspected;
mod output;
mod renames;

use super::offline::{Configuration, Offline, load_component, parse_instant, taken_at};
use super::reading::{Reading, ReadingArgs};
use crate::capture::Payload;
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use comparison::{Comparison, Sides};
use inspected::Series;
use preamp_config::FeatureGates;
use preamp_contract::Acceptance;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit status of a comparison that found a difference, as of diff(1).
const DIFFERENT: u8 = 1;

/// Exit status of a comparison that could not be made, or not of all payloads, as of diff(1).
pub(super) const TROUBLE: u8 = 2;

#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    reading: ReadingArgs,
    /// A configuration: a Collector YAML file or a Bindplane destination.
    #[arg(long, short, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// An exporter of the configuration; nothing else in the file is looked at.
    #[arg(long, value_name = "ID", requires = "config")]
    exporter: Vec<String>,
    /// A component (WebAssembly) in place of the one built in.
    #[arg(long, value_name = "FILE")]
    component: Vec<PathBuf>,
    /// When the payloads are taken: an RFC 3339 time, or `now`. Without it, points of any age are.
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    now: Option<u64>,
    /// What to write.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Show at most this many of each kind of difference in text; 0 shows all.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each difference, and a table of sums.
    Text,
    /// JSON Lines: one object for each difference, and the sums.
    Json,
}

/// What one side is made of; `None` stands for the default.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Choice<'a> {
    config: Option<&'a Path>,
    exporter: Option<&'a str>,
    component: Option<&'a Path>,
}

impl Choice<'_> {
    /// What tells this side from another one.
    fn name(&self, other: &Choice) -> String {
        let path = |path: Option<&Path>, default: &str| {
            path.map_or_else(|| default.to_owned(), |path| path.display().to_string())
        };
        let parts = [
            (self.config != other.config).then(|| path(self.config, "default configuration")),
            (self.exporter != other.exporter)
                .then(|| self.exporter.unwrap_or("exporter of the pipeline").to_owned()),
            (self.component != other.component).then(|| path(self.component, "built-in component")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl DiffArgs {
    /// What was given twice is for one side each, what was given once is for both. If nothing was
    /// given twice, the second side has what was given, and the first one the default.
    fn choices(&self) -> anyhow::Result<Sides<Choice<'_>>> {
        let most = self.config.len().max(self.exporter.len()).max(self.component.len());
        if most == 0 {
            bail!("nothing to compare: give --config, --exporter or --component once or twice");
        }
        if most > 2 {
            bail!("two sides can be compared: give --config, --exporter and --component at most twice each");
        }
        let side = |index: usize| Choice {
            config: chosen(&self.config, index).map(PathBuf::as_path),
            exporter: chosen(&self.exporter, index).map(String::as_str),
            component: chosen(&self.component, index).map(PathBuf::as_path),
        };
        let mut sides = [side(0), side(1)];
        if most == 1 {
            sides[0] = Choice::default();
        }
        Ok(sides)
    }
}

/// What was given once is for both sides.
fn chosen<T>(given: &[T], side: usize) -> Option<&T> {
    given.get(side).or(given.first())
}

/// Compares what two exporters make of captured payloads.
pub(super) async fn diff(args: DiffArgs) -> anyhow::Result<ExitCode> {
    let choices = args.choices()?;
    let names = [choices[0].name(&choices[1]), choices[1].name(&choices[0])];
    let exporters = open(&choices, &names, args.now)?;
    let mut reading = Reading::new(&args.reading);
    let mut comparison = Comparison::default();
    while let Some(payload) = reading.next() {
        let accepted = tokio::join!(exporters[0].accept(&payload), exporters[1].accept(&payload));
        match accepted {
            (Ok(first), Ok(second)) => compare(&mut comparison, &exporters, [first, second]).await?,
            (Err(reason), Err(_)) => reading.refused(&payload.place, &reason),
            (Err(reason), _) => refused_by(&names[0], &mut reading, &payload, &reason),
            (_, Err(reason)) => refused_by(&names[1], &mut reading, &payload, &reason),
        }
    }
    let unreadable = reading.finish();
    let differences = comparison.finish();
    match args.format {
        Format::Text => output::text(&names, &differences, unreadable, args.limit)?,
        Format::Json => output::json(&names, &differences, unreadable)?,
    }
    Ok(match (unreadable, differences.is_empty()) {
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(DIFFERENT),
        _ => ExitCode::from(TROUBLE),
    })
}

fn refused_by(name: &str, reading: &mut Reading, payload: &Payload, reason: &str) {
    reading.refused(&payload.place, &format!("with {name}: {reason}"));
}

fn open(choices: &Sides<Choice>, names: &Sides<String>, now: Option<u64>) -> anyhow::Result<Sides<Offline>> {
    let [first, second] = choices;
    let configuration =
        |choice: &Choice| Configuration::read(choice.config, choice.exporter, now, FeatureGates::default());
    let configured = configuration(first)?;
    // What both sides share is read once, and complains once.
    let other_configured = match (first.config, first.exporter) == (second.config, second.exporter) {
        true => None,
        false => Some(configuration(second)?),
    };
    let component = load_component(first.component)?;
    let other_component = match first.component == second.component {
        true => None,
        false => Some(load_component(second.component)?),
    };
    // One time for both, since an exporter may remember it.
    let taken_at = taken_at(now);
    let second = other_configured.as_ref().unwrap_or(&configured);
    let other_component = other_component.as_ref().unwrap_or(&component);
    Ok([
        configured.open(&component, taken_at).with_context(|| format!("with {}", names[0]))?,
        second.open(other_component, taken_at).with_context(|| format!("with {}", names[1]))?,
    ])
}

async fn compare(
    comparison: &mut Comparison,
    exporters: &Sides<Offline>,
    acceptances: Sides<Acceptance>,
) -> anyhow::Result<()> {
    comparison.count(acceptances.each_ref());
    let [first, second] = acceptances;
    let series = tokio::try_join!(series(&exporters[0], first), series(&exporters[1], second))?;
    comparison.compare(series.into())
}

async fn series(exporter: &Offline, acceptance: Acceptance) -> anyhow::Result<Series> {
    let mut series = Series::default();
    for batch in acceptance.batches {
        series.add(&exporter.inspect(batch).await?)?;
    }
    Ok(series)
}
