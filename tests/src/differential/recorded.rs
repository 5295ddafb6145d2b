//! What is asked of the recorded oracle: always the same cases, so that their answers can be kept.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::run::{LibraryOnly, Report, Run, run};
use super::{Case, difference_of, minimised};
use crate::oracle::{Oracle, Recorder, Recording};

const SEED: u64 = 7;
const CASES: u64 = 4_000;

/// Compares the cases of one seed.
///
/// # Errors
/// When an oracle fails.
pub fn random_cases<O: Oracle>(oracle: impl Fn() -> anyhow::Result<O> + Sync) -> anyhow::Result<Report> {
    run(&Run { seed: SEED, cases: CASES, jobs: 2 }, oracle, || Ok(None::<LibraryOnly>))
}

/// Makes a difference that the oracle knows nothing of, and lets it be found and minimised.
///
/// # Errors
/// When it is not found, or what is found is not as small as it can be.
pub fn planted_difference(oracle: &mut dyn Oracle) -> anyhow::Result<()> {
    let case = (0..).map(|index| Case::random(SEED, index)).find(|case| case.points() > 3);
    let case = case.context("no case has points")?;
    ensure!(difference_of(oracle, &case)?.is_none(), "the case differs before it is changed");
    let mut limited = case;
    limited.options.set("max_sample_age_ms", json!(1));
    ensure!(difference_of(oracle, &limited)?.is_some(), "points left out were not missed");
    let smallest = minimised(&limited, |case| Ok(difference_of(oracle, case)?.is_some()))?;
    ensure!(smallest.points() == 1 && smallest.options.0.len() == 1, "{smallest:?} is not minimal");
    Ok(())
}

/// Asks live oracles all that the tests ask the recorded one.
///
/// # Errors
/// When an oracle fails.
pub fn record() -> anyhow::Result<Recording> {
    let recorder = Recorder::default();
    random_cases(|| recorder.oracle())?;
    planted_difference(&mut recorder.oracle()?)?;
    Ok(recorder.recording())
}
