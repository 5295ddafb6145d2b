//! `preamp config`: the keys of a configuration, and its JSON Schema, judged by a validator that is not ours.

use anyhow::{Context as _, ensure};
use preamp_tests::children::{built, fetched, program};
use preamp_tests::preamp_command::{preamp, say};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that is read, none of it at its default.
const FULL: &str = include_str!("../../../host/config/src/tests/full.yaml");

/// The validator, with what the files refer to.
fn validator(command: &str) -> anyhow::Result<Command> {
    let python = program("PREAMP_PYTHON", fetched("python/bin/python"))?;
    let mut validator = Command::new(python);
    validator.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/configuration_schema.py"));
    validator.arg(command).arg(program("PREAMP_BIN", built("preamp"))?);
    validator.envs([("TEAM", "one"), ("SECRET", "hunter2")]);
    Ok(validator)
}

/// What does not fit the schema in each file.
fn misfits(files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let judged = validator("files")?.args(files).output()?;
    ensure!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    let lines: Vec<_> = String::from_utf8(judged.stdout)?.lines().map(str::to_owned).collect();
    ensure!(lines.len() == files.len(), "{lines:?}");
    Ok(lines)
}

fn configuration(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configurations").join(name)
}

#[test]
fn every_file_that_is_taken_fits_the_schema() -> anyhow::Result<()> {
    const SET: [(&str, &str); 6] = [
        ("GRAFANA_TOKEN", "s3cret"),
        ("GRAFANA_CLOUD_AUTH", "s3cret"),
        ("AWS_REGION", "eu-west-1"),
        ("MY_POD_IP", "127.0.0.1"),
        ("CLUSTER_NAME", "one"),
        (
            "AWS_PROMETHEUS_ENDPOINT",
            "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-0000/api/v1/remote_write",
        ),
    ];
    let folder = tempfile::tempdir()?;
    let mut converted = Vec::new();
    for entry in std::fs::read_dir(configuration(""))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let arguments = ["convert", "--config", &path.display().to_string()];
        let said = preamp(&arguments)?.envs(SET).output()?;
        if said.status.success() {
            let file = folder.path().join(path.file_name().context("a name")?);
            std::fs::write(&file, said.stdout)?;
            converted.push(file);
        }
    }
    ensure!(converted.len() >= 15, "{converted:?}");
    for (file, misfits) in converted.iter().zip(misfits(&converted)?) {
        ensure!(misfits == "ok", "{}: {misfits}", file.display());
    }
    Ok(())
}

#[test]
fn files_with_mistakes_do_not_fit_the_schema() -> anyhow::Result<()> {
    let files = ["typing-mistakes.yaml", "refused-for-safety.yaml", "helm-values.yaml"].map(configuration);
    let found = misfits(&files)?;
    let expected = [
        ". exporters.prometheusremotewrite.remote_write_queue.queue_size",
        "processors.resource.attributes.0.from_context receivers.otlp.protocols.http.middlewares",
        ".",
    ];
    for (found, expected) in found.iter().zip(expected) {
        ensure!(found.contains(expected), "{found}");
    }
    Ok(())
}

#[test]
fn the_schema_knows_every_key_and_refuses_nothing_that_is_taken() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let users = folder.path().join("htpasswd");
    std::fs::write(&users, "one:two\n")?;
    // The files that it names have to be there, and the component takes only one way to make labels of attributes.
    let switch = "resource_to_telemetry_conversion:\n      enabled: ";
    let is_missing = |line: &&str| line.contains("/etc/ca.pem") || line.contains("/etc/other/");
    let there: String = FULL.split_inclusive('\n').filter(|line| !is_missing(line)).collect();
    let text = there
        .replace("/etc/htpasswd", &users.display().to_string())
        .replace(&format!("{switch}true"), &format!("{switch}false"));
    let file = folder.path().join("full.yaml");
    std::fs::write(&file, text)?;
    let judged = validator("mistakes")?.arg(&file).output()?;
    let said = String::from_utf8_lossy(&judged.stdout);
    ensure!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
    let made: usize = said.split(' ').next().unwrap_or_default().parse()?;
    ensure!(made > 1_000, "{said}");
    Ok(())
}

#[test]
fn keys_are_found_by_words() -> anyhow::Result<()> {
    let all: Value = serde_json::from_str(&say(&["config", "keys", "--json"])?.stdout())?;
    let all = all.as_array().context("a list")?;
    ensure!(all.len() > 250, "{}", all.len());
    let found: Value =
        serde_json::from_str(&say(&["config", "keys", "QUEUE_bytes", "exporters", "--json"])?.stdout())?;
    let keys: Vec<_> = found.as_array().into_iter().flatten().filter_map(|key| key["key"].as_str()).collect();
    ensure!(keys.contains(&"exporters.prometheusremotewrite.max_queue_bytes") && keys.len() < 5, "{keys:?}");

    let text = say(&["config", "keys", "max_sample_age"])?.stdout();
    ensure!(
        text.starts_with(
            "exporters.prometheusremotewrite.max_sample_age  duration  [1h for aps; 0s for mimir, prometheus, thanos, victoriametrics]\n"
        ),
        "{text}"
    );
    let said = say(&["config", "keys", "max_sample_age", "nowhere"])?;
    ensure!(
        said.status == Some(1) && said.stderr.contains("no key has max_sample_age and nowhere"),
        "{}",
        said.stderr
    );
    Ok(())
}

#[test]
fn what_print_config_prints_is_a_configuration_without_a_warning() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("preamp.yaml");
    std::fs::write(
        &file,
        "receivers: {otlp: {protocols: {grpc: , http: }}}\nexporters: {prometheusremotewrite: {endpoint: \
         'http://127.0.0.1:9/api/v1/write'}}\nservice: {pipelines: {metrics: {receivers: [otlp], exporters: \
         [prometheusremotewrite]}}}\n",
    )?;
    let printed = say(&["print-config", "--config", &file.display().to_string()])?;
    ensure!(printed.status == Some(0), "{}", printed.stderr);
    let text = printed.stdout();
    for line in ["profile: prometheus", "max_sample_age: 0s", "max_sample_future: 10m", "port: 8888"] {
        ensure!(text.contains(&format!(" {line}  # default\n")), "{line}\n{text}");
    }
    std::fs::write(&file, &text)?;
    let said = say(&["validate", "--strict", "--config", &file.display().to_string()])?;
    ensure!(said.status == Some(0), "{}{text}", said.stderr);
    ensure!(misfits(&[file])? == ["ok"], "{text}");
    Ok(())
}
