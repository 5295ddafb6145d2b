//! Whatever a payload is made of, twice as much of it costs at most about twice as much.
//!
//! All of it is counted in one run: the program asks for the id of its process before and after each
//! payload, and callgrind writes down what it has counted so far whenever that is called.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use preamp_core::translate::expansion::{MULTIPLE, SPARE_BYTES};
use preamp_tests::adversarial::{Family, Fate, families};
use preamp_tests::children::{fetched, program};

use super::callgrind;

/// Payloads of so many bytes, each twice as large as the one before.
const SIZES: [usize; 3] = [16_000, 32_000, 64_000];

/// How much more twice as much may cost: trees and sorting take a little more than twice.
const GROWTH_MAX: f64 = 2.2;

/// What a payload that expands too far may cost until that is found: so many instructions for each byte that
/// its series may come to. Below that its work grows with what it comes to, and not with its size.
const INSTRUCTIONS_PER_BYTE_MAX: u64 = 8;

#[test]
fn twice_the_input_is_at_most_twice_the_work() -> anyhow::Result<()> {
    let valgrind = program("PREAMP_VALGRIND", fetched("valgrind/usr/bin/valgrind.bin"))?;
    let folder = tempfile::tempdir()?;
    let families = families();
    let mut payloads = Vec::new();
    for family in &families {
        for bytes in sizes(family) {
            let file = folder.path().join(format!("{} {bytes}", family.name));
            std::fs::write(&file, (family.make)(*bytes))?;
            payloads.push(file);
        }
    }
    let mut counts = count(&valgrind, &payloads)?.into_iter();
    let mut findings = Vec::new();
    for family in &families {
        let counts: Vec<u64> = counts.by_ref().take(sizes(family).len()).collect();
        let growth: Vec<_> = counts.windows(2).map(|pair| pair[1] as f64 / pair[0] as f64).collect();
        let line = format!("{:40} {counts:>12?} {growth:.2?}", family.name);
        println!("{line}");
        let is_over_limit = family.fate == Fate::ExpandsTooFar
            && counts.iter().zip(sizes(family)).any(|(count, bytes)| {
                *count > INSTRUCTIONS_PER_BYTE_MAX * (SPARE_BYTES + MULTIPLE * *bytes as u64)
            });
        if is_over_limit || growth.iter().any(|growth| *growth > GROWTH_MAX) {
            findings.push(line);
        }
    }
    ensure!(
        findings.is_empty(),
        "payloads of {SIZES:?} bytes, each twice the one before, cost more than {GROWTH_MAX} times as many \
         instructions, or those that expand more than {INSTRUCTIONS_PER_BYTE_MAX} for a byte they may come \
         to:\n{}",
        findings.join("\n")
    );
    Ok(())
}

/// Of payloads that expand only the largest is looked at, which is refused.
fn sizes(family: &Family) -> &'static [usize] {
    match family.fate {
        Fate::ExpandsTooFar => &SIZES[SIZES.len() - 1..],
        Fate::Taken | Fate::Malformed => &SIZES,
    }
}

/// The instructions for each payload.
fn count(valgrind: &Path, payloads: &[PathBuf]) -> anyhow::Result<Vec<u64>> {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("callgrind.out");
    let arguments = ["--growth".as_ref()].into_iter().chain(payloads.iter().map(|file| file.as_os_str()));
    callgrind::run(valgrind, &output, &["--dump-before=*getpid"], arguments)?;
    let totals = (1..).map_while(|number| {
        let dump = std::fs::read_to_string(output.with_extension(format!("out.{number}"))).ok()?;
        Some(callgrind::total(&dump))
    });
    let totals: Vec<u64> = totals.collect::<anyhow::Result<_>>()?;
    ensure!(totals.len() == 2 * payloads.len(), "{} dumps were written", totals.len());
    // Every second one is of what lies between two payloads.
    Ok(totals.into_iter().skip(1).step_by(2).collect())
}
