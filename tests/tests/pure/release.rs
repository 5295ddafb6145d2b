//! One version: everything that names the program's, or the contract's, names the same (docs/releasing.md).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Reads the version in a file.
type Reader = fn(&str) -> Option<String>;

/// What names the version of the program beside the workspace.
const NAMED_IN: &[(&str, Reader)] = &[
    ("Cargo.toml", version_of_toml),
    ("sockets/edge/Cargo.toml", version_of_toml),
    ("sockets/envoy/Cargo.toml", version_of_toml),
    ("sockets/npm/package.json", version_of_json),
    ("sockets/python/pyproject.toml", version_of_toml),
];

/// What names the contract with its version.
const NAMES_THE_CONTRACT: &[&str] = &["wit", "sockets", "tests/tests/pure/component"];

const CONTRACT: &str = "preamp:exporter";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// The first line that is a version, which is the one of the package or of the workspace's packages.
fn version_of_toml(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("version = \""))?;
    line.strip_suffix('"').map(str::to_owned)
}

fn version_of_json(text: &str) -> Option<String> {
    let package: Value = serde_json::from_str(text).ok()?;
    package["version"].as_str().map(str::to_owned)
}

/// The versions that stand behind a name, with or without an interface between: `preamp:exporter/remote-write@0.2.0`.
fn versions_of<'t>(name: &str, text: &'t str) -> Vec<&'t str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '/';
    let is_version = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let behind = text.match_indices(name).filter_map(|(at, name)| {
        let version = text[at + name.len()..].trim_start_matches(is_name).strip_prefix('@')?;
        Some(version.split(|c| !is_version(c)).next().unwrap_or_default().trim_end_matches('.'))
    });
    behind.collect()
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[test]
fn the_packages_have_the_version_of_the_program() -> anyhow::Result<()> {
    for (file, version_of) in NAMED_IN {
        let version = version_of(&read(&root().join(file))?);
        ensure!(version.as_deref() == Some(env!("CARGO_PKG_VERSION")), "{file} names {version:?}");
    }
    Ok(())
}

#[test]
fn the_contract_has_one_version() -> anyhow::Result<()> {
    let written = read(&root().join("wit/exporter.wit"))?;
    let version = versions_of(CONTRACT, &written)[0];
    let mut named = 0;
    for folder in NAMES_THE_CONTRACT {
        for file in files(&root().join(folder))? {
            // What is built lies beside the sources.
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let versions = versions_of(CONTRACT, &text);
            ensure!(
                versions.iter().all(|named| *named == version),
                "{}: {versions:?}, not {version}",
                file.display()
            );
            named += versions.len();
        }
    }
    // The contract, the gateway's import of it, the packages for Go and Python, and the test of what is exported.
    ensure!(named >= 5, "only {named} names of the contract were found");
    Ok(())
}

#[test]
fn the_changelog_has_an_entry_for_what_comes_next() -> anyhow::Result<()> {
    let changelog = read(&root().join("CHANGELOG.md"))?;
    let mut entries = changelog.split("\n## ").skip(1);
    let newest = entries.next().context("CHANGELOG.md has no entry")?;
    let (heading, text) = newest.split_once('\n').context("the newest entry of CHANGELOG.md is empty")?;
    let of = heading.split(' ').next().unwrap_or_default();
    ensure!(
        of == "Unreleased" || of == env!("CARGO_PKG_VERSION"),
        "the newest entry of CHANGELOG.md is {heading:?}, and this is version {}",
        env!("CARGO_PKG_VERSION")
    );
    ensure!(text.contains("\n- "), "the entry {heading:?} of CHANGELOG.md lists no change");
    let contract = read(&root().join("wit/exporter.wit"))?;
    let version = versions_of(CONTRACT, &contract)[0];
    let named = versions_of(CONTRACT, text);
    ensure!(named.contains(&version), "the entry {heading:?} names the contract {named:?}, not {version}");
    Ok(())
}

#[test]
fn versions_are_found_behind_names() {
    let text = "a:b@1.2.3; a:b/c-d@1.2.4. a:b `a:b/e@2.0.0-rc.1`";
    assert_eq!(versions_of("a:b", text), ["1.2.3", "1.2.4", "2.0.0-rc.1"]);
}
