//! `preamp demo`, as people run it.

use std::process::{Command, Output};

use preamp_tests::children::{built, program};

/// Runs the demo, and gives what it wrote to standard output and standard error.
fn demo(arguments: &[&str]) -> anyhow::Result<(String, String)> {
    let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
    // The user's own account must not matter.
    command.env("AWS_ACCESS_KEY_ID", "AKIAOFTHEUSER").env("AWS_SECRET_ACCESS_KEY", "secret-of-the-user");
    let Output { status, stdout, stderr } = command.arg("demo").args(arguments).output()?;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    anyhow::ensure!(status.success(), "{status}\n{stdout}\n{stderr}");
    Ok((stdout, stderr))
}

/// The number in a line of the summary.
fn number(summary: &str, name: &str) -> Option<u64> {
    let line = summary.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
    line.split_whitespace().next()?.replace(',', "").parse().ok()
}

#[test]
fn the_demo_delivers_what_it_produces() -> anyhow::Result<()> {
    let (summary, progress) = demo(&["--seconds", "2"])?;
    assert!(summary.ends_with("Nothing was lost.\n"), "{summary}");
    let points = number(&summary, "points in");
    assert!(points > Some(1000), "{summary}");
    assert_eq!(number(&summary, "delivered"), points, "{summary}");
    assert_eq!(number(&summary, "rejected"), Some(0), "{summary}");
    assert!(number(&summary, "requests") > Some(5), "{summary}");
    assert_eq!(number(&summary, "faults"), None, "{summary}");
    assert!(progress.contains("1 s  points:"), "{progress}");
    Ok(())
}

#[test]
fn the_summary_balances_in_spite_of_faults() -> anyhow::Result<()> {
    let (summary, _) = demo(&["--seconds", "5", "--offline-fault"])?;
    assert!(summary.ends_with("Nothing was lost.\n"), "{summary}");
    assert_eq!(number(&summary, "delivered"), number(&summary, "points in"), "{summary}");
    for fault in ["429 rate exceeded", "503", "413", "cut before the body", "answer lost"] {
        assert!(summary.contains(&format!("x {fault}")), "no {fault}: {summary}");
    }
    Ok(())
}
