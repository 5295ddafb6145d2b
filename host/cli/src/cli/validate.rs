//! `preamp validate`.

use super::ConfigArgs;
use crate::embedded;
use clap::Args;
use preamp_base::printable::{self, Line};
use preamp_config::{Diagnostic, Diagnostics, Loaded};
use preamp_host::service::{Prepared, StartError};
use preamp_wasm::{OpenError, PoolLimits};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Fail at warnings too: at what is ignored, or does nothing.
    #[arg(long)]
    strict: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Checks a configuration as `run` would, up to the point where addresses are listened on.
pub(super) fn validate(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    if args.json { as_json(args) } else { as_lines(args).map(|()| ExitCode::SUCCESS) }
}

/// What was found, for a program.
fn as_json(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    let (problems, error) = match problems(args) {
        Ok(problems) => (problems, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let is_wrong = |problem: &Diagnostic| args.strict || !problem.is_warning;
    let is_valid = error.is_none() && !problems.iter().any(is_wrong);
    let problems: Vec<_> = problems.iter().map(document).collect();
    let document = json!({ "valid": is_valid, "problems": problems, "error": error });
    writeln!(printable::stdout_json(), "{document:#}")?;
    Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All that is said about the file. The error is one of no place in it.
fn problems(args: &ValidateArgs) -> anyhow::Result<Vec<Diagnostic>> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(Diagnostics(problems)) => return Ok(problems),
    };
    match prepare(&loaded) {
        Ok(_) => Ok(loaded.warnings),
        Err(error) => match error.downcast::<Diagnostics>() {
            Ok(Diagnostics(problems)) => Ok(problems.into_iter().chain(loaded.warnings).collect()),
            Err(error) => Err(error),
        },
    }
}

fn document(problem: &Diagnostic) -> Value {
    let Diagnostic { file, place, path, message, is_warning } = problem;
    json!({
        "severity": if *is_warning { "warning" } else { "error" },
        "file": file,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "path": path,
        "message": message,
    })
}

/// What was found, for people.
fn as_lines(args: &ValidateArgs) -> anyhow::Result<()> {
    let loaded = args.config.load()?;
    if args.strict && !loaded.warnings.is_empty() {
        return Err(Diagnostics(loaded.warnings).into());
    }
    for warning in &loaded.warnings {
        writeln!(printable::stderr(), "warning: {warning}")?;
    }
    prepare(&loaded)?;
    writeln!(printable::stdout(), "{} is valid", Line(args.config.request()))?;
    Ok(())
}

/// Makes of a configuration what can be made before anything runs, which finds what else is wrong with it.
pub(super) fn prepare(loaded: &Loaded) -> anyhow::Result<Prepared> {
    let prepared = Prepared::new(&loaded.settings, &embedded::load()?, PoolLimits::default());
    prepared.map_err(|error| placed(error, loaded))
}

/// Why a configuration cannot be used, with the places of the file as far as they are known.
pub(super) fn placed(error: StartError, loaded: &Loaded) -> anyhow::Error {
    match error {
        StartError::Exporter(error) => in_file(error, loaded),
        other => other.into(),
    }
}

/// Problems that the component found, as problems of the file they come from.
pub(super) fn in_file<S>(error: OpenError, loaded: &Loaded<S>) -> anyhow::Error {
    match error {
        OpenError::Configuration(problems) => {
            let located = problems.iter().map(|problem| loaded.locate(&problem.path, &problem.message));
            located.collect::<Diagnostics>().told(0).into()
        }
        other @ OpenError::Component(_) => other.into(),
    }
}
