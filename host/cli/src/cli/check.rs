//! `preamp check`.

use super::ConfigArgs;
use super::validate::prepare;
use crate::check::{self, Extent, Outcome, Step, Subject};
use clap::Args;
use preamp_base::Clock;
use preamp_base::printable::{self, Line};
use preamp_config::{Diagnostics, Loaded};
use preamp_host::service::{Prepared, StartError};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Look at the configuration only, and connect to nobody.
    #[arg(long)]
    offline: bool,
    /// Write one sample of the metric `preamp_check`, not an empty request.
    #[arg(long, conflicts_with = "offline")]
    sample: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Takes one step after the other, and fails if one does.
pub(super) async fn check(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report { json: args.json, steps: Vec::new() };
    if let Some((loaded, Prepared { exporters, client, .. })) = configured(&args.config, &mut report)? {
        let clock = Clock::system();
        let settings = &loaded.settings.exporter;
        let subject = Subject { settings, exporters: &exporters, client: &client, clock: &clock };
        let extent = Extent { is_offline: args.offline, writes_sample: args.sample };
        check::check(&subject, extent, |step| report.add(step)).await?;
    }
    report.finish()
}

/// Reads the configuration, as `validate` does; `None` after the report got what is wrong with it.
fn configured(args: &ConfigArgs, report: &mut Report) -> anyhow::Result<Option<(Loaded, Prepared)>> {
    const NAME: &str = "configuration";
    const REMEDY: &str = "mend the file; `preamp validate` shows the same";
    let loaded = match args.load() {
        Ok(loaded) => loaded,
        Err(problems) => {
            report.add_all(NAME, &problems, REMEDY);
            return Ok(None);
        }
    };
    for warning in &loaded.warnings {
        report.add(Step { outcome: Outcome::Warn, ..Step::fail(NAME, warning.to_string(), REMEDY) });
    }
    match prepare(&loaded) {
        Ok(prepared) => {
            report.add(Step::pass(NAME, "can be used"));
            Ok(Some((loaded, prepared)))
        }
        Err(error) => {
            match (error.downcast_ref(), error.downcast_ref()) {
                (Some(problems), _) => report.add_all(NAME, problems, REMEDY),
                (None, Some(StartError::Tls { .. })) => {
                    report.add(Step::fail(NAME, error.to_string(), REMEDY));
                }
                _ => return Err(error),
            }
            Ok(None)
        }
    }
}

/// Says each step when it is done, or all of them at the end.
struct Report {
    json: bool,
    steps: Vec<Step>,
}

impl Report {
    fn add(&mut self, step: Step) {
        if !self.json {
            // Nobody is left to tell if standard output is gone.
            let _written = write(&step);
        }
        self.steps.push(step);
    }

    fn add_all(&mut self, name: &'static str, problems: &Diagnostics, remedy: &str) {
        for problem in &problems.0 {
            let step = Step::fail(name, problem.to_string(), remedy);
            let outcome = if problem.is_warning { Outcome::Warn } else { Outcome::Fail };
            self.add(Step { outcome, ..step });
        }
    }

    fn finish(self) -> anyhow::Result<ExitCode> {
        let works = self.steps.iter().all(|step| step.outcome != Outcome::Fail);
        if self.json {
            let document = serde_json::json!({ "works": works, "steps": self.steps });
            writeln!(printable::stdout_json(), "{document:#}")?;
        }
        Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn write(step: &Step) -> std::io::Result<()> {
    let (word, colour) = match step.outcome {
        Outcome::Pass => ("pass", 32),
        Outcome::Warn => ("warn", 33),
        Outcome::Fail => ("FAIL", 31),
        Outcome::Skip => ("skip", 2),
    };
    let mut out = printable::stdout();
    if out.raw().is_terminal() {
        write!(out.raw(), "\x1b[{colour}m{word}\x1b[0m")?;
    } else {
        write!(out, "{word}")?;
    }
    writeln!(out, "  {:13}  {}", step.name, Line(&step.detail))?;
    if let Some(remedy) = &step.remedy {
        writeln!(out, "      {:13}  to mend it: {}", "", Line(remedy))?;
    }
    out.flush()
}
