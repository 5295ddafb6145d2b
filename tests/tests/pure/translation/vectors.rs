//! Every rule of translation, by hand: what the Collector's own translator made of each case is kept as
//! data, so this needs no Go.

use anyhow::{Context as _, ensure};
use preamp_tests::canonical::Canonical;
use preamp_tests::differential::{actual, exporter, unexplained};
use preamp_tests::vectors::{Vector, definitions, ensure_current, read};

fn all() -> anyhow::Result<Vec<Vector>> {
    let mut all = Vec::new();
    for (name, _) in definitions() {
        all.append(&mut read(name)?);
    }
    Ok(all)
}

#[test]
fn preamp_writes_what_the_collector_writes() -> anyhow::Result<()> {
    let mut differing = Vec::new();
    for vector in all()? {
        let case = vector.case()?;
        let (_, written) = actual(&mut exporter(&case)?, &case).context(vector.name.clone())?;
        if let Some(difference) = unexplained(vector.expected(), &written) {
            differing.push(format!("{}:\n{difference}", vector.name));
        }
    }
    ensure!(differing.is_empty(), "(- expected, + Preamp)\n{}", differing.join("\n"));
    Ok(())
}

#[test]
fn the_vectors_are_of_the_cases_defined() -> anyhow::Result<()> {
    for (name, definitions) in definitions() {
        ensure_current(name, &definitions, &read(name)?)?;
    }
    Ok(())
}

#[test]
fn what_differs_from_the_collector_has_a_reason() -> anyhow::Result<()> {
    for vector in all()? {
        let explained = vector.expected.is_none() || !vector.differences.is_empty();
        ensure!(explained, "{} differs for no reason", vector.name);
    }
    Ok(())
}

/// A comparison that takes anything would pass all of the above.
#[test]
fn a_changed_answer_is_noticed() -> anyhow::Result<()> {
    let mut noticed = 0;
    for vector in all()? {
        let mut changed: Canonical = vector.expected().clone();
        let Some(series) = changed.series.first_mut() else { continue };
        let Some(label) = series.labels.last_mut() else { continue };
        label.1.push('x');
        ensure!(unexplained(&changed, vector.expected()).is_some(), "{}", vector.name);
        noticed += 1;
    }
    ensure!(noticed > 150, "only {noticed} vectors have series");
    Ok(())
}
