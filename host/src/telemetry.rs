//! Logs of the process.

use crate::config::{LogFormat, Telemetry};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

/// Sends log lines of this process to standard error, as configured. The parts it is built from
/// are heard from level `warn` on only.
///
/// # Errors
///
/// When logging was set up before.
pub fn start(settings: &Telemetry) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let level = settings.log_level;
    // What the SDK of AWS warns of comes back as an error, which is told with its meaning.
    let filter = format!("warn,aws_config=error,preamp={level},preamp_host={level}");
    let filter = EnvFilter::try_new(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Console => lines.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
}
