//! One source, three forms: the library, the component in wasmtime and the component in Node.js make
//! the same of every payload, byte for byte, and the same each time.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use preamp_tests::component::Instance;
use preamp_tests::corpus;
use preamp_tests::payloads::NOW_NS;
use preamp_tests::transcript::{of_component, of_library};
use serde_json::{Value, json};

/// Several partitions and small bodies, so that every payload of some size makes several batches.
const CONFIGURATION: &str = r#"{
    "endpoint": "http://127.0.0.1:9090/api/v1/write",
    "partitions": 4,
    "max_batch_size_bytes": 100000,
    "max_sample_age_ms": 3600000,
    "namespace": "acme",
    "external_labels": { "cluster": "eu-1" },
    "resource_to_telemetry_conversion": { "enabled": true, "exclude_service_attributes": true }
}"#;

fn library() -> anyhow::Result<preamp_core::Exporter> {
    preamp_core::Exporter::open(CONFIGURATION).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

/// The transcript of each payload by one exporter, which so shows that none leaves traces for the next.
fn library_transcripts() -> anyhow::Result<Vec<Value>> {
    let mut exporter = library()?;
    corpus::cases().iter().map(|case| of_library(&mut exporter, &case.payload)).collect()
}

fn assert_same(form: &str, expected: &[Value], actual: &[Value]) {
    assert_eq!(expected.len(), actual.len(), "{form}");
    for ((case, expected), actual) in corpus::cases().iter().zip(expected).zip(actual) {
        assert_eq!(expected, actual, "{form} makes something else of {}", case.name);
    }
}

#[test]
fn the_corpus_reaches_what_it_is_for() -> anyhow::Result<()> {
    let transcripts = library_transcripts()?;
    let batches = |transcript: &Value| transcript["batches"].as_array().map_or(0, Vec::len);
    ensure!(transcripts.iter().any(|transcript| batches(transcript) > 4), "nothing fills several batches");
    let reasons = |reason: &str| {
        let mut rejections = transcripts.iter().flat_map(|one| one["rejections"].as_array()).flatten();
        rejections.any(|rejection| rejection["reason"] == reason)
    };
    for reason in ["delta-temporality", "unspecified-temporality", "too-old"] {
        ensure!(reasons(reason), "nothing is rejected for {reason}");
    }
    for tag in ["malformed", "wrong-signal"] {
        ensure!(transcripts.iter().any(|one| one["error"]["tag"] == tag), "nothing is refused as {tag}");
    }
    Ok(())
}

#[test]
fn the_library_says_the_same_twice() -> anyhow::Result<()> {
    let used = library_transcripts()?;
    let fresh: Vec<_> = corpus::cases()
        .iter()
        .map(|case| of_library(&mut library()?, &case.payload))
        .collect::<anyhow::Result<_>>()?;
    assert_same("a fresh exporter", &used, &fresh);
    Ok(())
}

#[test]
fn the_component_in_wasmtime_says_the_same() -> anyhow::Result<()> {
    let mut instance = Instance::open(&preamp_tests::built::load()?, CONFIGURATION)?;
    let transcripts: Vec<_> = corpus::cases()
        .iter()
        .map(|case| of_component(&mut instance, &case.payload))
        .collect::<anyhow::Result<_>>()?;
    assert_same("the component in wasmtime", &library_transcripts()?, &transcripts);
    Ok(())
}

#[test]
fn the_component_in_node_says_the_same() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let transcripts = in_node(folder.path())?;
    assert_same("the component in Node.js", &library_transcripts()?, &transcripts);
    Ok(())
}

/// Lets Node.js take the corpus, through jco.
fn in_node(folder: &Path) -> anyhow::Result<Vec<Value>> {
    let mut payloads: Vec<PathBuf> = Vec::new();
    for case in corpus::cases() {
        let path = folder.join(case.name);
        std::fs::write(&path, &case.payload)?;
        payloads.push(path);
    }
    let request = json!({ "configuration": CONFIGURATION, "now": NOW_NS.to_string(), "payloads": payloads });
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    ensure!(
        tests.join("jco/node_modules").is_dir(),
        "jco is missing: run `./build.sh test`, which provides it"
    );
    let mut node = Command::new("node")
        .arg(tests.join("jco/run.mjs"))
        .arg(tests.join("../target/component/preamp.wasm"))
        .arg(folder.join("transpiled"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node")?;
    node.stdin.take().context("node has no standard input")?.write_all(request.to_string().as_bytes())?;
    let output = node.wait_with_output()?;
    ensure!(output.status.success(), "node ended with {}", output.status);
    let lines = std::str::from_utf8(&output.stdout)?.lines();
    lines.map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}
