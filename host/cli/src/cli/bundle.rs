//! `preamp bundle`.

mod fitting;

use super::validate::in_file;
use super::{ConfigArgs, environment};
use crate::embedded::{self, World};
use clap::Args;
use preamp_base::printable::{self, Line};
use preamp_bundle::gateway;
use preamp_config::{Diagnostics, Loaded, Settings};
use preamp_wasm::{ExporterPool, PoolLimits};
use serde_json::{Map, Value};
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct BundleArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Write the gateway to this file.
    #[arg(long, short, value_name = "FILE", default_value = "gateway.wasm")]
    output: PathBuf,
    /// What the runtime of the gateway has.
    #[arg(long, value_name = "WORLD", value_enum, default_value = "http-0.2")]
    world: World,
}

/// Makes a gateway of a configuration: one component for a runtime that serves `wasi:http`.
pub(super) fn bundle(args: &BundleArgs) -> anyhow::Result<()> {
    let loaded = preamp_config::load(&args.config.request(), &environment)?;
    let mut options: Map<String, Value> = serde_json::from_str(&loaded.settings.exporter.component_json)?;
    let (problems, warnings): (Vec<_>, Vec<_>) =
        fitting::look(&loaded, &options).into_iter().partition(|found| !found.is_warning);
    for warning in loaded.warnings.iter().chain(&warnings) {
        writeln!(printable::stderr(), "warning: {warning}")?;
    }
    let checked = check(&loaded);
    if !problems.is_empty() {
        // Those that the component found stand beside them.
        let found = checked.err().and_then(|error| error.downcast().ok()).map(|Diagnostics(found)| found);
        let all: Diagnostics = problems.into_iter().chain(found.unwrap_or_default()).collect();
        return Err(all.told(0).into());
    }
    checked?;
    fitting::adapt(&mut options);
    let bytes = gateway(&embedded::gateway_parts(args.world)?, &Value::Object(options).to_string())?;
    std::fs::write(&args.output, &bytes)
        .map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", args.output.display()))?;
    let kibibytes = bytes.len().div_ceil(1024);
    writeln!(printable::stdout(), "{}: {kibibytes} KiB", Line(args.output.display()))?;
    Ok(())
}

/// Has the component look at its part.
fn check(loaded: &Loaded<Settings>) -> anyhow::Result<()> {
    let configuration = &loaded.settings.exporter.component_json;
    ExporterPool::open(&embedded::load()?, configuration, PoolLimits::default())
        .map(drop)
        .map_err(|error| in_file(error, loaded))
}
