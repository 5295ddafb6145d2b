//! The version of the Collector that judges: it stands in `tests/collector-version`, and wherever the Collector's code
//! is used it is of that version.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};

/// The folders of Go modules that hold the Collector's code. `oracle/created` is older on purpose.
const MODULES: [&str; 3] = ["oracle", "bench/go-peer", "bench/collector"];

const CONTRIB: &str = "github.com/open-telemetry/opentelemetry-collector-contrib/";

/// The Collector's data model, which has a version of its own.
const PDATA: &str = "go.opentelemetry.io/collector/pdata";

fn read(path: &str) -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The modules that a `go.mod` requires, with their versions.
fn requirements(go_mod: &str) -> Vec<(&str, &str)> {
    let lines = go_mod.lines().map(|line| line.trim().trim_start_matches("require "));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .filter(|(_, version)| version.starts_with('v'))
        .collect()
}

#[test]
fn oracle_peer_and_collector_are_of_one_version() -> anyhow::Result<()> {
    let version = read("collector-version")?;
    let version = version.trim();
    let mut models = BTreeSet::new();
    for module in MODULES {
        let go_mod = read(&format!("{module}/go.mod"))?;
        let required = requirements(&go_mod);
        let contrib: Vec<_> = required.iter().filter(|(name, _)| name.starts_with(CONTRIB)).collect();
        ensure!(!contrib.is_empty(), "{module} requires nothing of contrib");
        for (name, found) in contrib {
            ensure!(
                *found == version,
                "{module}: {name} is of {found}, and tests/collector-version says {version}"
            );
        }
        models
            .extend(required.iter().filter(|(name, _)| *name == PDATA).map(|(_, found)| (*found).to_owned()));
    }
    ensure!(models.len() == 1, "{PDATA} is of several versions: {models:?}");
    let number = version.trim_start_matches('v');
    let said = [
        ("bench/collector/main.go", format!("Version: \"{number}\"")),
        ("../docs/differences.md", format!("contrib {version}")),
        ("../docs/performance.md", format!("the Collector's translator {version}")),
    ];
    for (file, text) in said {
        ensure!(read(file)?.contains(&text), "{file} does not say {text:?}");
    }
    Ok(())
}
