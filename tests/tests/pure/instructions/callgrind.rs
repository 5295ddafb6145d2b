//! callgrind, around the program that takes payloads.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use preamp_tests::children::built;

/// Runs the program, and counts all of its instructions into `output`.
pub fn run<'a>(
    valgrind: &Path,
    output: &Path,
    options: &[&str],
    arguments: impl Iterator<Item = &'a OsStr>,
) -> anyhow::Result<()> {
    let library: PathBuf = valgrind.with_file_name("../libexec/valgrind");
    let arguments: Vec<_> = arguments.collect();
    let run = Command::new(valgrind)
        .env("VALGRIND_LIB", library)
        // The C library copies and fills with what the processor has; only what all of them have is the
        // same everywhere.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM")
        .args(["--tool=callgrind", "--vgdb=no"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .args(options)
        .arg(built("instructions"))
        .args(&arguments)
        .output()
        .with_context(|| format!("{} does not start", valgrind.display()))?;
    ensure!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    Ok(())
}

/// All instructions of what was written down.
pub fn total(dump: &str) -> anyhow::Result<u64> {
    let total = dump.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.context("callgrind wrote no totals")?.trim().parse()?)
}
