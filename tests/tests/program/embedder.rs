//! The example of a program that embeds the library (`examples/embedder`): at most a hundred lines, and it works.

use anyhow::{Context as _, ensure};
use preamp_tests::built::folder;
use preamp_tests::children::built;
use std::path::Path;
use std::process::Command;

#[test]
fn a_program_of_a_hundred_lines_exports_with_a_transport_of_its_own() -> anyhow::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/embedder/src/main.rs");
    let lines = std::fs::read_to_string(source)?.lines().count();
    ensure!(lines <= 100, "{lines} lines");
    let run = Command::new(built("preamp-embedder")).arg(folder().join("preamp.wasm")).output()?;
    let said = String::from_utf8(run.stdout).context("text")?;
    ensure!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    for expected in [
        "Accepted",
        "POST https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write with ",
        "x-amz-date: 20260115T120000Z",
        "1 points accepted, 1 delivered, 0 left",
    ] {
        ensure!(said.contains(expected), "{expected} is missing:\n{said}");
    }
    Ok(())
}
