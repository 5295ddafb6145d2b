//! A short run of the differential test, always of the same cases; `./build.sh differential` has more.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::ensure;
use preamp_tests::differential::differences;
use preamp_tests::differential::run::{Form, Run, run};
use preamp_tests::differential::{Case, difference_of, minimised};
use preamp_tests::oracle::Oracle;
use preamp_tests::vectors::EACH_POINT;

/// No other form: that the component writes the same bytes is tested elsewhere (`same_bytes.rs`).
struct LibraryOnly;

impl Form for LibraryOnly {
    fn open(&mut self, _configuration: &str) -> anyhow::Result<()> {
        Ok(())
    }

    fn bodies(&mut self, _payload: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

#[test]
fn random_payloads_become_what_the_collector_makes_of_them() -> anyhow::Result<()> {
    let report = run(&Run { seed: 7, cases: 4_000, jobs: 2 }, || Ok(None::<LibraryOnly>))?;
    ensure!(report.failures.is_empty(), "(- the oracle, + Preamp) {:#?}", report.failures);
    ensure!(report.points > 10_000, "only {} points were taken", report.points);
    for (difference, count) in differences::ALL.iter().zip(report.explained.0) {
        ensure!(count > 0, "{} never came up", difference.heading());
    }
    Ok(())
}

#[test]
fn a_difference_is_found() -> anyhow::Result<()> {
    let mut oracle = Oracle::start()?;
    let case = (0..).map(|index| Case::random(7, index)).find(|case| case.points() > 3);
    let case = case.ok_or_else(|| anyhow::anyhow!("no case has points"))?;
    ensure!(difference_of(&mut oracle, &case)?.is_none());
    // A limit that the oracle knows nothing of.
    let mut limited = case;
    limited.options.set("max_sample_age_ms", serde_json::json!(1));
    ensure!(difference_of(&mut oracle, &limited)?.is_some(), "points left out were not missed");
    let smallest = minimised(&limited, |case| Ok(difference_of(&mut oracle, case)?.is_some()))?;
    ensure!(smallest.points() == 1 && smallest.options.0.len() == 1, "{smallest:?} is not minimal");
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
