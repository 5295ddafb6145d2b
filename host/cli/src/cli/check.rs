//! `preamp check`.

use super::ConfigArgs;
use super::validate::prepare;
use crate::check::{self, Conclusion, Extent, Step, StepOutcome, Subject};
use clap::Args;
use preamp_base::Clock;
use preamp_base::printable::{self, Line};
use preamp_config::{Diagnostic, Diagnostics, Loaded};
use preamp_host::service::{Prepared, StartError};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
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

/// The exit statuses of a check that found what keeps metrics from arriving: until something is changed, or now.
const NOT_UNTIL_CHANGED: u8 = 1;
const NOT_NOW: u8 = 3;

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
    let loaded = match args.load() {
        Ok(loaded) => loaded,
        Err(problems) => {
            report.add_all(NAME, &problems);
            return Ok(None);
        }
    };
    for warning in &loaded.warnings {
        report.add(of_file(NAME, warning));
    }
    match prepare(&loaded) {
        Ok(prepared) => {
            report.add(Step::pass(NAME, "can be used"));
            Ok(Some((loaded, prepared)))
        }
        Err(error) => {
            match (error.downcast_ref(), error.downcast_ref()) {
                (Some(problems), _) => report.add_all(NAME, problems),
                (None, Some(StartError::Tls { .. })) => {
                    report.add(Step::fail(NAME, error.to_string(), "correct the `tls` of that section"));
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

    fn add_all(&mut self, name: &'static str, problems: &Diagnostics) {
        problems.0.iter().for_each(|problem| self.add(of_file(name, problem)));
    }

    fn finish(self) -> anyhow::Result<ExitCode> {
        let conclusion = Conclusion::of(&self.steps);
        if self.json {
            let works = conclusion == Conclusion::Arrive;
            let document =
                serde_json::json!({ "works": works, "conclusion": conclusion, "steps": self.steps });
            writeln!(printable::stdout_json(), "{document:#}")?;
        }
        let (status, said) = match conclusion {
            Conclusion::Arrive => return Ok(ExitCode::SUCCESS),
            Conclusion::Wait => (NOT_NOW, "metrics would not arrive now; preamp run would try again"),
            Conclusion::Fail => (NOT_UNTIL_CHANGED, "metrics would not arrive: see FAIL"),
        };
        if !self.json {
            writeln!(printable::stdout(), "{said} (exit status {status})")?;
        }
        Ok(ExitCode::from(status))
    }
}

/// A problem of the file, with the key that helps.
fn of_file(name: &'static str, problem: &Diagnostic) -> Step {
    let Diagnostic { file, place, path, is_warning, .. } = problem;
    let line = place.map(|place| format!(", line {}", place.line)).unwrap_or_default();
    let verb = if *is_warning { "change or remove" } else { "correct" };
    let remedy = match &**path {
        "" => format!("{verb} what is named there, in {file}{line}"),
        path => format!("{verb} `{path}` in {file}{line}"),
    };
    let outcome = if *is_warning { StepOutcome::Warn } else { StepOutcome::Fail };
    Step { outcome, ..Step::fail(name, problem.to_string(), remedy) }
}

fn write(step: &Step) -> std::io::Result<()> {
    let (word, colour) = match step.outcome {
        StepOutcome::Pass => ("pass", 32),
        StepOutcome::Warn => ("warn", 33),
        StepOutcome::Wait => ("wait", 33),
        StepOutcome::Fail => ("FAIL", 31),
        StepOutcome::Skip => ("skip", 2),
    };
    let mut out = printable::stdout();
    if out.raw().is_terminal() {
        write!(out.raw(), "\x1b[{colour}m{word}\x1b[0m")?;
    } else {
        write!(out, "{word}")?;
    }
    writeln!(out, "  {:13}  {}", step.name, Line(&step.detail))?;
    if let Some(remedy) = &step.remedy {
        writeln!(out, "      {:13}  remedy: {}", "", Line(remedy))?;
    }
    out.flush()
}
