//! How many instructions a point costs, so that a slowdown is seen in the change that makes it.
//!
//! callgrind counts them in a small program around the library. A run that takes the payload once more
//! than another costs more by exactly one payload, taken by an exporter that has warmed up: starting,
//! making the payload and opening the exporter drop out. Time plays no part, so the counts are the same
//! on a busy machine, and nearly so on another.

mod callgrind;
mod growth;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use preamp_tests::children::{fetched, program};
use preamp_tests::loads::{KINDS, PROTOCOLS, version};

/// Points of a payload: enough for what a payload costs once to hardly matter.
const POINTS: u64 = 1_000;

/// As few points as many SDKs send, which is counted for the first kind.
const FEW_POINTS: u64 = 20;

/// How far a count may be from the baseline.
const TOLERANCE_PERCENT: f64 = 3.0;

const RENEW: &str = "PREAMP_RENEW_BASELINE";

/// What the baseline holds: who compiled, and instructions for each point.
#[derive(serde::Deserialize, serde::Serialize)]
struct Baseline {
    rustc: String,
    instructions_per_point: BTreeMap<String, f64>,
}

#[test]
fn a_point_costs_what_it_did() -> anyhow::Result<()> {
    let valgrind = program("PREAMP_VALGRIND", fetched("valgrind/usr/bin/valgrind.bin"))?;
    let counted = Baseline { rustc: compiler()?, instructions_per_point: count_all(&valgrind)? };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/instructions.json");
    if std::env::var_os(RENEW).is_some() {
        return Ok(std::fs::write(&file, serde_json::to_string_pretty(&counted)? + "\n")?);
    }
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let baseline: Baseline = serde_json::from_str(&text)?;
    let findings = compare(&baseline, &counted);
    ensure!(
        findings.is_empty(),
        "instructions for each point have changed by more than {TOLERANCE_PERCENT} %:\n{}\n{}\n\
         If that is meant, write the new baseline, and say why in the commit:\n  \
         {RENEW}=1 ./build.sh test instructions",
        findings.join("\n"),
        advice(&baseline, &counted),
    );
    Ok(())
}

fn compare(baseline: &Baseline, counted: &Baseline) -> Vec<String> {
    let mut findings = Vec::new();
    for (case, now) in &counted.instructions_per_point {
        match baseline.instructions_per_point.get(case) {
            Some(before) => {
                let percent = (now / before - 1.0) * 100.0;
                println!("{case}: {now:.0} ({percent:+.1} %)");
                if percent.abs() > TOLERANCE_PERCENT {
                    findings.push(format!("  {case}: {before:.0}, now {now:.0} ({percent:+.1} %)"));
                }
            }
            None => findings.push(format!("  {case}: {now:.0}, not in the baseline")),
        }
    }
    findings
}

fn advice(baseline: &Baseline, counted: &Baseline) -> String {
    if baseline.rustc == counted.rustc {
        return "The compiler is the same, so the code is what changed.".to_owned();
    }
    format!("The baseline was made by {}, this is {}: that may be all.", baseline.rustc, counted.rustc)
}

fn count_all(valgrind: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    let folder = tempfile::tempdir()?;
    let mut counts = BTreeMap::new();
    for protocol in PROTOCOLS.map(version) {
        let few = KINDS.iter().take(1).map(|kind| (kind, FEW_POINTS));
        for (kind, points) in KINDS.iter().map(|kind| (kind, POINTS)).chain(few) {
            let count = |repetitions| {
                count(valgrind, folder.path(), [kind.name, protocol, &points.to_string()], repetitions)
            };
            // The first payloads grow the buffers.
            let (warm, once_more) = (count(2)?, count(3)?);
            let per_point = once_more.saturating_sub(warm) as f64 / points as f64;
            let case = format!("{} {protocol}, {points} points", kind.name);
            counts.insert(case, (per_point * 10.0).round() / 10.0);
        }
    }
    Ok(counts)
}

/// All instructions of one run of the program.
fn count(valgrind: &Path, folder: &Path, case: [&str; 3], repetitions: u32) -> anyhow::Result<u64> {
    let output = folder.join("callgrind.out");
    let repetitions = repetitions.to_string();
    let arguments = case.into_iter().chain([repetitions.as_str()]);
    callgrind::run(valgrind, &output, &[], arguments.map(AsRef::as_ref))?;
    callgrind::total(&std::fs::read_to_string(&output)?)
}

fn compiler() -> anyhow::Result<String> {
    let said = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into())).arg("--version").output()?;
    Ok(String::from_utf8(said.stdout)?.trim().to_owned())
}
