//! `preamp convert` and `preamp print-config`.

use super::{ConfigArgs, environment};
use preamp_host::config::{self, Diagnostics, Environment, Loaded, Request};
use std::io::Write as _;

/// Prints a configuration as one Collector file.
pub(super) fn convert(args: &ConfigArgs) -> anyhow::Result<()> {
    let head = |request: &Request| format!("# Made of {request} by preamp convert.\n");
    print(args, config::convert, head)
}

/// Prints what a configuration comes to, without secrets.
pub(super) fn print_config(args: &ConfigArgs) -> anyhow::Result<()> {
    const HEAD: &str = "# What the configuration comes to, and where each value comes from.\n\
                        # What is not here has the default of README.\n";
    print(args, config::explain, |_| HEAD.to_owned())
}

/// Prints what becomes of a configuration; what is said about it comes first, as comments, so that it stays with
/// the text.
fn print(
    args: &ConfigArgs,
    render: fn(&Request, Environment) -> Result<Loaded<String>, Diagnostics>,
    head: impl Fn(&Request) -> String,
) -> anyhow::Result<()> {
    let request = args.request();
    let rendered = render(&request, &environment)?;
    let mut out = std::io::stdout().lock();
    write!(out, "{}", head(&request))?;
    for warning in &rendered.warnings {
        writeln!(out, "# {warning}")?;
    }
    write!(out, "{}", rendered.settings)?;
    Ok(())
}
