//! `preamp audit`: whether every point is accounted for.

use super::ConfigArgs;
use super::stored::inspect;
use anyhow::bail;
use clap::Args;
use preamp_base::printable::{self, Line};
use serde_json::json;
use std::io::Write as _;

#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Adds up what the files say, and fails if a point is missing.
pub(super) fn audit(args: &AuditArgs) -> anyhow::Result<()> {
    let (_, inspection) = inspect(&args.config)?;
    let problems = inspection.problems();
    let states = || inspection.settled.iter().map(|((state, reason), points)| (state, reason, *points));
    let mut out = if args.json { printable::stdout_json() } else { printable::stdout() };
    if args.json {
        let settled: Vec<_> = states()
            .map(|(state, reason, points)| json!({"state": state, "reason": reason, "points": points}))
            .collect();
        let document = json!({
            "accepted": inspection.accepted,
            "settled": settled,
            "queued": inspection.queued(),
            "in_quarantine": inspection.quarantined_points,
            "problems": problems,
        });
        writeln!(out, "{document}")?;
    } else {
        writeln!(out, "{:>15}  accepted", inspection.accepted)?;
        for (state, reason, points) in states() {
            writeln!(out, "{points:>15}  {} {}", Line(state), Line(reason))?;
        }
        writeln!(out, "{:>15}  queued", inspection.queued())?;
        writeln!(out, "{:>15}  of these in quarantine", inspection.quarantined_points)?;
    }
    if !problems.is_empty() {
        bail!("the ledger does not balance: {}", problems.join("; "));
    }
    Ok(())
}
