//! `preamp validate`.

use super::ConfigArgs;
use crate::embedded;
use clap::Args;
use preamp_base::printable::{self, Line};
use preamp_config::{Diagnostics, Loaded};
use preamp_host::service::{Prepared, StartError};
use preamp_wasm::{OpenError, PoolLimits};
use std::io::Write as _;

#[derive(Args, Debug)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Fail at warnings too: at what is ignored, or does nothing.
    #[arg(long)]
    strict: bool,
}

/// Checks a configuration as `run` would, up to the point where addresses are listened on.
pub(super) fn validate(args: &ValidateArgs) -> anyhow::Result<()> {
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
