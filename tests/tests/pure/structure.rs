//! The borders of the house: crates use each other in one direction, and so do the folders of a crate.

use anyhow::{Context as _, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Our crates in the order of the flow: each uses only those before it, and of those only what is listed.
const CRATES: &[(&str, &str, &[&str])] = &[
    ("preamp-contract", "host/contract", &[]),
    ("preamp-deliver", "src/deliver", &["preamp-contract"]),
    ("preamp-answer", "src/answer", &["preamp-contract"]),
    ("preamp-unpack", "src/unpack", &[]),
    ("preamp-core", ".", &["preamp-answer", "preamp-contract", "preamp-deliver", "preamp-unpack"]),
    ("preamp-base", "host/base", &[]),
    ("preamp-config", "host/config", &["preamp-base"]),
    ("preamp-queue", "host/queue", &["preamp-base", "preamp-contract"]),
    ("preamp-wasm", "host/wasm", &["preamp-base", "preamp-contract"]),
    (
        "preamp-host",
        "host/node",
        &[
            "preamp-answer",
            "preamp-base",
            "preamp-config",
            "preamp-contract",
            "preamp-deliver",
            "preamp-queue",
            "preamp-unpack",
            "preamp-wasm",
        ],
    ),
    ("preamp-bundle", "sockets/bundle", &[]),
    (
        "preamp-cli",
        "host/cli",
        &[
            "amp-stand-in",
            "preamp-base",
            "preamp-bundle",
            "preamp-config",
            "preamp-contract",
            "preamp-host",
            "preamp-queue",
            "preamp-wasm",
        ],
    ),
    ("amp-stand-in", "host/stand-in", &[]),
];

/// Libraries that a crate must build without, whatever its features are.
const WITHOUT: &[(&str, &[&str])] = &[
    ("preamp-queue", &["wasmtime", "preamp-wasm"]),
    ("preamp-config", &["wasmtime", "tokio"]),
    ("preamp-contract", &["wasmtime", "tokio", "serde"]),
    ("preamp-core", &["wasmtime", "tokio"]),
    ("preamp-embedder", &["aws-config", "aws-sdk-sts", "async-nats", "tonic", "axum"]),
];

#[test]
fn crates_use_only_those_before_them() -> anyhow::Result<()> {
    for (name, folder, allowed) in CRATES {
        let Some(manifest) = read(&root().join(folder).join("Cargo.toml")) else { continue };
        let mut is_dependency = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                is_dependency =
                    line.ends_with("dependencies]") && !line.contains("dev-") && !line.contains("workspace");
            }
            let used = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let is_ours = CRATES.iter().any(|(name, _, _)| *name == used);
            ensure!(!is_dependency || !is_ours || allowed.contains(&used), "{name} must not use {used}");
        }
    }
    Ok(())
}

#[test]
fn crates_build_without_what_they_must_not_need() -> anyhow::Result<()> {
    for (name, foreign) in WITHOUT {
        let tree = std::process::Command::new("cargo")
            .args([
                "tree",
                "--offline",
                "--locked",
                "--edges",
                "normal,build",
                "--prefix",
                "none",
                "--package",
                name,
            ])
            .current_dir(root())
            .output()?;
        ensure!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout)?;
        let built: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        ensure!(built.contains(name), "{tree}");
        for library in *foreign {
            ensure!(!built.contains(library), "{name} builds {library}");
        }
    }
    Ok(())
}

#[test]
fn no_two_folders_of_a_crate_use_each_other() -> anyhow::Result<()> {
    for (name, folder, _) in CRATES {
        let source = match *name {
            "preamp-core" => root().join("src"),
            "preamp-answer" | "preamp-deliver" | "preamp-unpack" => root().join(folder),
            _ => root().join(folder).join("src"),
        };
        if !source.exists() {
            continue;
        }
        let uses = uses_of(&source)?;
        ensure!(!uses.is_empty() || uses_of_is_small(&source)?, "nothing was read of {name}");
        if let Some(circle) = circle(&uses) {
            anyhow::bail!("{name}: {}", circle.join(" → "));
        }
    }
    Ok(())
}

#[test]
fn a_circle_is_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        uses
    };
    assert_eq!(circle(&uses(&[("a", "b"), ("a", "c"), ("b", "c")])), None);
    let found = circle(&uses(&[("a", "b"), ("b", "c"), ("c", "b")])).expect("a circle");
    assert_eq!(found, ["b", "c", "b"]);
    let code = "use crate::{one, two::Three};\nuse crate::four::five; // crate::six\n#[cfg(test)]\nmod tests { use crate::seven; }";
    assert_eq!(named(code, "crate::"), ["four", "one", "two"].map(str::to_owned).into());
}

/// A crate of a file or two has no folders that could use each other.
fn uses_of_is_small(source: &Path) -> anyhow::Result<bool> {
    Ok(files(source)?.len() < 12)
}

/// Which modules at the top of a crate use which others, but for their tests.
fn uses_of(source: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files(source)? {
        let path = file.strip_prefix(source)?.to_string_lossy().into_owned();
        let top = path.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        let is_test = path.split('/').any(|part| part == "tests" || part == "tests.rs");
        // Smaller crates lie in the folder of the core.
        let is_other_crate = source == root().join("src") && ["answer", "deliver", "unpack"].contains(&&*top);
        if is_test || is_other_crate || ["lib", "main"].contains(&top.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let mut used = named(&text, "crate::");
        if !path.contains('/') {
            used.extend(named(&text, "super::"));
        }
        used.remove(&top);
        uses.entry(top).or_default().extend(used);
    }
    let modules: BTreeSet<_> = uses.keys().cloned().collect();
    uses.values_mut().for_each(|used| used.retain(|module| modules.contains(module)));
    Ok(uses)
}

/// The modules that a file names after a prefix, such as `crate::`, but for its comments and tests.
fn named(text: &str, prefix: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let code: String =
        code.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let first = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut modules = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let is_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            _ if !is_start => {}
            Some(group) => modules.extend(group.split('}').next().unwrap_or_default().split(',').map(first)),
            None => drop(modules.insert(first(rest))),
        }
    }
    modules
}

/// Modules of which each uses the next, and the last one the first.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    uses.keys().find_map(|start| {
        let mut path = vec![start.clone()];
        let mut seen = BTreeSet::new();
        back_to(start, start, uses, &mut path, &mut seen).then_some(path)
    })
}

fn back_to(
    start: &str,
    module: &str,
    uses: &BTreeMap<String, BTreeSet<String>>,
    path: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) -> bool {
    for used in uses.get(module).into_iter().flatten() {
        path.push(used.clone());
        if used == start || (seen.insert(used.clone()) && back_to(start, used, uses, path, seen)) {
            return true;
        }
        path.pop();
    }
    false
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
