//! `preamp translate`.

mod bodies;
mod report;
mod view;

use super::offline::{Configuration, Offline, load_component, parse_instant, taken_at};
use super::reading::{Reading, ReadingArgs};
use super::{GateArgs, REJECTED};
use crate::capture::Payload;
use anyhow::bail;
use bodies::Bodies;
use clap::{Args, ValueEnum};
use preamp_base::printable;
use preamp_contract::Acceptance;
use report::Report;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use view::View;

#[derive(Args, Debug)]
pub(super) struct TranslateArgs {
    #[command(flatten)]
    reading: ReadingArgs,
    /// The configuration: a Collector YAML file or a Bindplane destination. Without one: the defaults for AMP.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use this exporter of the configuration, and look at nothing else in the file.
    #[arg(long, value_name = "ID", requires = "config")]
    exporter: Option<String>,
    /// Use this component (WebAssembly) in place of the one built in.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// When the payloads are taken: an RFC 3339 time, or `now`. Without it, points of any age are.
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    now: Option<u64>,
    #[command(flatten)]
    gates: GateArgs,
    /// What to write.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// With --format remote-write: write each request body to a file of its own in this folder.
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Series and samples in the notation of Prometheus, one sample a line.
    Text,
    /// JSON Lines: one object for each payload, series and rejection.
    Json,
    /// The bodies of the requests that `run` would send.
    RemoteWrite,
}

/// Where translated payloads go.
enum Output {
    View(View),
    Bodies(Bodies),
}

impl TranslateArgs {
    fn configuration(&self) -> anyhow::Result<Configuration> {
        let mut configuration = Configuration::read(
            self.config.as_deref(),
            self.exporter.as_deref(),
            self.now,
            self.gates.all(),
        )?;
        if self.format != Format::RemoteWrite {
            // Types are shown whether they are sent or not.
            configuration.set("send_metadata", true);
            configuration.set("metadata_interval_ms", 0);
        }
        Ok(configuration)
    }

    fn output(&self) -> anyhow::Result<Output> {
        Ok(match (self.format, &self.output) {
            (Format::RemoteWrite, None) if std::io::stdout().is_terminal() => {
                bail!("a request body is no text for a terminal: redirect it, or name a folder with --output")
            }
            (Format::RemoteWrite, folder) => Output::Bodies(Bodies::new(folder.as_deref())?),
            (_, Some(_)) => bail!("--output is for --format remote-write; redirect other formats"),
            (Format::Text, None) => Output::View(View::text()),
            (Format::Json, None) => Output::View(View::json()),
        })
    }
}

/// Shows what becomes of captured payloads.
pub(super) async fn translate(args: TranslateArgs) -> anyhow::Result<ExitCode> {
    let mut output = args.output()?;
    let configuration = args.configuration()?;
    let component = load_component(args.component.as_deref())?;
    let exporter = configuration.open(&component, taken_at(args.now))?;
    let mut reading = Reading::new(&args.reading);
    let mut report = Report::default();
    while let Some(payload) = reading.next() {
        match exporter.accept(&payload).await {
            Ok(acceptance) => {
                report.add(&payload.place, &acceptance);
                output.write(&exporter, &payload, acceptance).await?;
            }
            Err(reason) => reading.refused(&payload.place, &reason),
        }
    }
    let unreadable = reading.finish();
    match output {
        Output::View(view) => view.finish(&report)?,
        Output::Bodies(bodies) => {
            let hint = bodies.finish(&configuration, &component).await?;
            write!(printable::stderr(), "{report}{}{hint}", report.sizes())?;
        }
    }
    // Without a file nobody has said that the receiver is AMP.
    if args.config.is_some() && exporter.profile() == "aps" && report.has_native_histograms() {
        writeln!(printable::stderr(), "{}", report::NATIVE_AT_AMP)?;
    }
    Ok(match (unreadable, report.rejections().is_empty()) {
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(REJECTED),
        _ => ExitCode::FAILURE,
    })
}

impl Output {
    async fn write(
        &mut self,
        exporter: &Offline,
        payload: &Payload,
        acceptance: Acceptance,
    ) -> anyhow::Result<()> {
        match self {
            Output::View(view) => view.write(exporter, payload, acceptance).await,
            Output::Bodies(bodies) => {
                acceptance.batches.into_iter().try_for_each(|batch| bodies.write(batch))
            }
        }
    }
}
