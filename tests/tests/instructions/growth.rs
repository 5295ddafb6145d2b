//! Whatever a payload is made of, twice as much of it costs at most about twice as much.
//!
//! All of it is counted in one run: the program asks for the id of its process before and after each
//! payload, and callgrind writes down what it has counted so far whenever that is called.

use std::path::Path;

use anyhow::ensure;
use preamp_tests::adversarial::{Family, families};
use preamp_tests::children::{fetched, program};

use super::callgrind;

/// Payloads of so many bytes, each twice as large as the one before.
const SIZES: [usize; 3] = [24_000, 48_000, 96_000];

/// How much more twice as much may cost: trees and sorting take a little more than twice.
const GROWTH_MAX: f64 = 2.2;

#[test]
fn twice_the_input_is_at_most_twice_the_work() -> anyhow::Result<()> {
    let valgrind = program("PREAMP_VALGRIND", fetched("valgrind/usr/bin/valgrind.bin"))?;
    let folder = tempfile::tempdir()?;
    let families = families();
    for family in &families {
        for bytes in SIZES {
            std::fs::write(folder.path().join(format!("{} {bytes}", family.name)), (family.make)(bytes))?;
        }
    }
    let counts = count(&valgrind, folder.path(), &families)?;
    let mut findings = Vec::new();
    for (family, counts) in families.iter().zip(counts.chunks(SIZES.len())) {
        let growth: Vec<_> = counts.windows(2).map(|pair| pair[1] as f64 / pair[0] as f64).collect();
        println!("{:40} {counts:>12?} {growth:.2?}", family.name);
        if growth.iter().any(|growth| *growth > GROWTH_MAX) {
            findings.push(format!("  {}: {counts:?}, {growth:.2?} times as much", family.name));
        }
    }
    ensure!(
        findings.is_empty(),
        "payloads of {SIZES:?} bytes, each twice the one before, cost more than {GROWTH_MAX} times as many \
         instructions:\n{}",
        findings.join("\n")
    );
    Ok(())
}

/// The instructions for each payload, by family and size.
fn count(valgrind: &Path, folder: &Path, families: &[Family]) -> anyhow::Result<Vec<u64>> {
    let output = folder.join("callgrind.out");
    let sizes = SIZES.map(|bytes| bytes.to_string());
    let arguments = ["--growth".as_ref(), folder.as_os_str()];
    let arguments = arguments.into_iter().chain(sizes.iter().map(AsRef::as_ref));
    callgrind::run(valgrind, &output, &["--dump-before=*getpid"], arguments)?;
    let totals = (1..).map_while(|number| {
        let dump = std::fs::read_to_string(output.with_extension(format!("out.{number}"))).ok()?;
        Some(callgrind::total(&dump))
    });
    let totals: Vec<u64> = totals.collect::<anyhow::Result<_>>()?;
    ensure!(totals.len() == 2 * SIZES.len() * families.len(), "{} dumps were written", totals.len());
    // Every second one is of what lies between two payloads.
    Ok(totals.into_iter().skip(1).step_by(2).collect())
}
