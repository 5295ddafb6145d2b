//! Files as people have them: each gets the verdict that README's policy gives it, every message at its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use preamp_config::{Diagnostic, Source};
use preamp_host::service::Prepared;
use preamp_wasm::PoolLimits;

/// What the files refer to.
fn environment(name: &str) -> Option<String> {
    let value = match name {
        "AWS_REGION" => "eu-west-1",
        "AWS_PROMETHEUS_ENDPOINT" => {
            "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-0000/api/v1/remote_write"
        }
        "MY_POD_IP" => "127.0.0.1",
        "CLUSTER_NAME" => "one",
        "GRAFANA_TOKEN" | "GRAFANA_CLOUD_AUTH" => "s3cret",
        _ => return None,
    };
    Some(value.to_owned())
}

fn line(kind: char, said: &Diagnostic) -> String {
    let place = said.place.map_or_else(String::new, |place| format!("{}:{}", place.line, place.column));
    format!("{}\n", format!("  {kind} {place} {}", said.path).trim_end())
}

/// The verdict on a file in the form of `verdicts.txt`.
fn verdict(path: &Path) -> anyhow::Result<String> {
    let name = path.file_stem().context("a name")?.to_string_lossy().into_owned();
    let (word, said): (_, String) =
        match preamp_config::load(&Source::File(path.to_owned()).into(), &environment) {
            Ok(loaded) => {
                // Files that it names need not be on this machine.
                if loaded.settings.exporter.client.tls == Default::default() {
                    Prepared::new(&loaded.settings, &preamp_tests::built::load()?, PoolLimits::default())?;
                }
                ("taken", loaded.warnings.iter().map(|warning| line('W', warning)).collect())
            }
            Err(problems) => {
                let kind = |problem: &Diagnostic| if problem.is_warning { 'W' } else { 'E' };
                ("refused", problems.0.iter().map(|problem| line(kind(problem), problem)).collect())
            }
        };
    ensure!(!said.contains("s3cret"), "{said}");
    Ok(format!("{name}: {word}\n{said}"))
}

#[test]
fn each_file_gets_its_verdict() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configurations");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let verdict = verdict(&path).with_context(|| path.display().to_string())?;
            found.insert(path, verdict);
        }
    }
    ensure!(found.len() >= 30, "{} files", found.len());
    let expected = std::fs::read_to_string(folder.join("verdicts.txt"))?;
    // What stands behind `—` is the row of the policy, for people.
    let expected = expected.lines().fold(String::new(), |mut text, line| {
        let _written = writeln!(text, "{}", line.split(" — ").next().unwrap_or_default());
        text
    });
    let found: String = found.into_values().collect();
    ensure!(found == expected, "found:\n{found}\nexpected:\n{expected}");
    Ok(())
}
