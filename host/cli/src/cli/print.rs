//! `preamp convert` and `preamp print-config`.

use super::keys::options;
use super::{ConfigArgs, environment};
use crate::embedded;
use clap::Args;
use preamp_base::printable::{self, Line};
use preamp_config::Diagnostic;
use preamp_contract::Limits;
use preamp_wasm::{Component, ExporterPool, PoolLimits};
use std::cell::OnceCell;
use std::io::Write as _;

/// Secrets are named up to this number.
const NAMED_MAX: usize = 5;

#[derive(Args, Debug)]
pub(super) struct ConvertArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Leave secrets out. `${redacted:}` stands in their place, which no Collector takes: put them back before the file
    /// is used.
    #[arg(long)]
    redact: bool,
}

/// Prints a configuration as one Collector file.
pub(super) fn convert(args: &ConvertArgs) -> anyhow::Result<()> {
    let request = args.config.request();
    let converted = preamp_config::convert(&request, args.redact, &environment)?;
    let mut head = format!("# Made of {} by preamp convert.\n", Line(&request));
    if args.redact {
        head += "# Secrets are left out: put one in place of each ${redacted:} before this is used.\n";
    }
    print(&head, &converted.warnings, &converted.settings.text)?;
    let secrets = &converted.settings.secrets;
    if !args.redact && !secrets.is_empty() {
        let named = &secrets[..secrets.len().min(NAMED_MAX)];
        let more = if named.len() < secrets.len() { ", …" } else { "" };
        writeln!(
            printable::stderr(),
            "warning: secrets stand in what was printed ({}{more}): keep it to yourself, leave them out with --redact, \
             or write ${{env:NAME}} in their place",
            Line(named.join(", "))
        )?;
    }
    Ok(())
}

/// Prints what a configuration comes to, without secrets.
pub(super) fn print_config(args: &ConfigArgs) -> anyhow::Result<()> {
    const HEAD: &str = "# What the configuration comes to, and where each value comes from.\n";
    let component = embedded::load()?;
    let told = OnceCell::new();
    let profile = |configuration: &str| told.get_or_init(|| profile(&component, configuration)).0.clone();
    let explained = preamp_config::explain(&args.request(), &options(&component)?, &profile, &environment)?;
    let why = match told.get() {
        Some((profile, reason)) if !profile.is_empty() => format!("# The profile is {profile}: {reason}.\n"),
        _ => String::new(),
    };
    print(&[HEAD, &why].concat(), &explained.warnings, &explained.settings)
}

/// What the component takes the receiver for, and why. One that does not take its configuration says so at `validate`.
fn profile(component: &Component, configuration: &str) -> (String, String) {
    let pool = ExporterPool::open(component, configuration, PoolLimits::default());
    let told = |pool: ExporterPool| {
        let Limits { profile, profile_reason, .. } = pool.limits().clone();
        (profile.into_owned(), profile_reason.into_owned())
    };
    pool.map(told).unwrap_or_default()
}

/// Prints a configuration; what is said about it comes first, as comments, so that it stays with the text.
fn print(head: &str, warnings: &[Diagnostic], text: &str) -> anyhow::Result<()> {
    let mut out = printable::stdout();
    write!(out, "{head}")?;
    for warning in warnings {
        writeln!(out, "# {warning}")?;
    }
    Ok(write!(out, "{text}")?)
}
