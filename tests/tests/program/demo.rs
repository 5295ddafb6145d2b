//! `preamp demo`, as people run it.

use std::process::{Command, Output};

use preamp_tests::children::{Background, address_after, built, program};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::running::{Running, post, signing};

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

/// The value behind a word, up to the next blank.
fn word_after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.split_once(word)?.1.split_whitespace().next()
}

/// What is printed is enough to write to it from another program, and to see what that wrote.
#[test]
fn another_program_writes_to_what_is_kept() -> anyhow::Result<()> {
    for arguments in [&["demo", "--keep"][..], &["stand-in"]] {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
        command.args(arguments);
        let mut kept = Background::start("preamp", command, folder.path())?;
        let said =
            kept.wait_for("the instructions", |said| said.contains("?name=METRIC").then(|| said.to_owned()))?;
        let found = |word: &str| word_after(&said, word).ok_or_else(|| anyhow::anyhow!("no {word}: {said}"));
        let endpoint = found("endpoint: ")?;
        let environment = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        let environment: Vec<_> = environment
            .into_iter()
            .map(|name| Ok((name, found(&format!("{name}="))?)))
            .collect::<anyhow::Result<_>>()?;
        let region = found("region and service: ")?.trim_end_matches(',');
        let own = tempfile::tempdir()?;
        let running = Running::start(&signing(region, "", endpoint, ""), &environment, own.path())?;
        post(running.http, &payloads::of_now(1, 42))?;
        running.wait_until_delivered()?;
        let address =
            address_after(&said, "curl 'http://").ok_or_else(|| anyhow::anyhow!("no address: {said}"))?;
        let shown = exchange(address, "GET", "/series?name=power_watts", &[("host", "preamp")], b"");
        let shown = shown.map(|reply| reply.body).unwrap_or_default();
        anyhow::ensure!(
            shown.starts_with("power_watts{") && shown.contains("} 42 "),
            "{arguments:?}: {shown}"
        );
        anyhow::ensure!(shown.lines().all(|line| line.starts_with("power_watts{")), "{shown}");
        kept.signal("INT")?;
    }
    Ok(())
}
