//! `preamp validate`.

use super::ConfigArgs;
use anyhow::Context as _;
use preamp_host::component::{self, Exporters, OpenError, PoolLimits};
use preamp_host::config::{Diagnostics, Loaded};
use preamp_host::delivery::HttpClient;
use preamp_host::service::ReceiversTls;
use std::io::Write as _;

/// Checks a configuration as `run` would, up to the point where addresses are listened on.
pub(super) fn validate(args: &ConfigArgs) -> anyhow::Result<()> {
    let loaded = args.load()?;
    for warning in &loaded.warnings {
        writeln!(std::io::stderr(), "warning: {warning}")?;
    }
    let exporter = &loaded.settings.exporter;
    let component = component::load()?;
    Exporters::open(&component, &exporter.component_json, PoolLimits::default())
        .map_err(|error| in_file(error, &loaded))?;
    HttpClient::new(&exporter.client).with_context(|| format!("exporters.{}", exporter.id))?;
    ReceiversTls::read(&loaded.settings.receiver)?;
    writeln!(std::io::stdout(), "{} is valid", args.config.display())?;
    Ok(())
}

/// Problems that the component found, as problems of the file they come from.
pub(super) fn in_file<S>(error: OpenError, loaded: &Loaded<S>) -> anyhow::Error {
    match error {
        OpenError::Configuration(problems) => {
            let located = problems.iter().map(|problem| loaded.locate(&problem.path, &problem.message));
            Diagnostics(located.collect()).into()
        }
        other @ OpenError::Component(_) => other.into(),
    }
}
