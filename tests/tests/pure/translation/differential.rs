//! A short run of the differential test, always of the same cases, against recorded answers of the Collector's
//! translator. `./build.sh differential` has more, and asks the translator itself.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::ensure;
use preamp_tests::differential::recorded::{planted_difference, random_cases, record};
use preamp_tests::differential::{Case, differences, expected};
use preamp_tests::oracle::{RecordedOracle, Recording};
use preamp_tests::vectors::{self, EACH_POINT};

// That the component writes the same bytes is tested elsewhere (`same_bytes.rs`).
#[test]
fn random_payloads_become_what_the_collector_makes_of_them() -> anyhow::Result<()> {
    let oracle = RecordedOracle::open()?;
    let report = random_cases(|| Ok(oracle.clone()))?;
    ensure!(report.failures.is_empty(), "(- the oracle, + Preamp) {:#?}", report.failures);
    ensure!(report.points > 10_000, "only {} points were taken", report.points);
    for (difference, count) in differences::ALL.iter().zip(report.explained.0) {
        ensure!(count > 0, "{} never came up", difference.heading());
    }
    Ok(())
}

#[test]
fn a_difference_is_found() -> anyhow::Result<()> {
    planted_difference(&mut RecordedOracle::open()?)
}

#[test]
fn a_question_without_a_recorded_answer_is_an_error() -> anyhow::Result<()> {
    let answer = expected(&mut RecordedOracle::open()?, &[Case::random(1, 0)]);
    let error = answer.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(error.contains("./build.sh record"), "{error}");
    Ok(())
}

/// Data that nobody compares with its source would go on being right about something else.
#[test]
#[ignore = "asks the live oracles, which take Go: `./build.sh soak translation`"]
fn recordings_and_vectors_are_what_the_collector_says_today() -> anyhow::Result<()> {
    let (recorded, live) = (Recording::read()?, record()?);
    ensure!(recorded.answers() > 4_000, "only {} answers are recorded", recorded.answers());
    ensure!(recorded == live, "the recorded answers are out of date: run `./build.sh record`");
    for (name, vectors) in vectors::ask()? {
        ensure!(vectors == vectors::read(name)?, "{name} is out of date: run `./build.sh record`");
    }
    Ok(())
}

/// What the text explains and what the test foretells are the same differences.
#[test]
fn every_difference_is_documented() -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
    let text = std::fs::read_to_string(path)?;
    let compared = text.split("## Not compared").next().unwrap_or_default();
    let documented: BTreeSet<_> = compared.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let known = differences::ALL.iter().map(|difference| difference.heading());
    let known: BTreeSet<_> = known.chain([EACH_POINT]).collect();
    ensure!(documented == known, "documented {documented:#?}, known {known:#?}");
    Ok(())
}
