//! The commands as an operator meets them: what they say, where, and with which exit status.

use preamp_tests::children::{Background, address_after};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::preamp_command::{Said, preamp, say};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A port that nothing listens on.
const NOWHERE: &str = "http://127.0.0.1:9/api/v1/write";

fn configuration(folder: &Path, endpoint: &str, telemetry: &str) -> anyhow::Result<PathBuf> {
    let file = folder.join("preamp.yaml");
    let text = format!(
        "receivers:
  otlp:
    protocols:
      http: {{endpoint: 127.0.0.1:0}}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
service:
  telemetry: {telemetry}
  pipelines:
    metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}
"
    );
    std::fs::write(&file, text)?;
    Ok(file)
}

fn validate(file: &Path) -> anyhow::Result<Said> {
    say(&["validate", "--config", &file.display().to_string()])
}

#[test]
fn the_configuration_that_help_shows_is_valid() -> anyhow::Result<()> {
    let help = say(&["--help"])?;
    assert_eq!(help.status, Some(0), "{}", help.stderr);
    let text = help.stdout();
    let example = text.split("complete:").nth(1).and_then(|rest| rest.split("Exit status").next());
    let example = example.unwrap_or_default();
    assert!(example.lines().all(|line| line.len() < 80), "help breaks a line of this:\n{example}");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("example.yaml");
    std::fs::write(&file, example)?;
    let said = validate(&file)?;
    assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{}", said.stderr);
    assert!(said.stdout().ends_with("example.yaml is valid\n"), "{}", said.stdout());
    Ok(())
}

#[test]
fn every_problem_has_its_line_whoever_finds_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = configuration(folder.path(), NOWHERE, "{metrics: {level: none}, lgos: {}}")?;
    let said = validate(&file)?;
    assert_eq!((said.status, said.stdout().as_str()), (Some(1), ""));
    assert!(said.stderr.contains("preamp.yaml:9:") && said.stderr.contains("`logs`"), "{}", said.stderr);

    // The host lets headers pass; that this one cannot be set is known to the component alone.
    let endpoint = format!("{NOWHERE}\n    headers: {{Host: elsewhere}}");
    let said = validate(&configuration(folder.path(), &endpoint, "{metrics: {level: none}}")?)?;
    assert_eq!((said.status, said.stdout().as_str()), (Some(1), ""));
    assert!(said.stderr.contains("preamp.yaml:8:") && said.stderr.contains("Host"), "{}", said.stderr);
    Ok(())
}

#[test]
fn sources_merge_and_are_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = configuration(folder.path(), NOWHERE, "{metrics: {level: none}}")?.display().to_string();
    let with = |command: &str, more: &[&str]| say(&[&[command, "--config", &file], more].concat());
    let set = "exporters.prometheusremotewrite.timeout=9s";
    let said =
        with("print-config", &["--set", set, "--config", "yaml:service::telemetry::logs::level: warn"])?;
    let text = said.stdout();
    for line in [
        "    timeout: 9s  # --set exporters.prometheusremotewrite.timeout:1:1",
        "      level: warn  # --config yaml:",
    ] {
        assert!(text.contains(line), "{text}{}", said.stderr);
    }
    let said = with("validate", &["--set", "exporters.prometheusremotewrite.timeout=9"])?;
    assert_eq!(said.status, Some(1));
    assert!(
        said.stderr.starts_with("--set exporters.prometheusremotewrite.timeout:1:1: "),
        "{}",
        said.stderr
    );
    let converted = with("convert", &["--set", set])?.stdout();
    let file = folder.path().join("converted.yaml");
    std::fs::write(&file, &converted)?;
    assert!(validate(&file)?.stdout().ends_with("converted.yaml is valid\n"), "{converted}");
    assert!(converted.contains("    timeout: 9s\n"), "{converted}");
    for wrong in [&["--set", "timeout"][..], &["--config", "https://example.com/a.yaml"]] {
        assert_eq!(with("validate", wrong)?.status, Some(2), "{wrong:?}");
    }
    Ok(())
}

#[test]
fn warnings_are_errors_if_that_is_asked_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = format!("{NOWHERE}\n    compression: gzip");
    let file = configuration(folder.path(), &endpoint, "{metrics: {level: none}}")?;
    let said = validate(&file)?;
    assert!(said.status == Some(0) && said.stderr.starts_with("warning: "), "{}", said.stderr);
    let said = say(&["validate", "--strict", "--config", &file.display().to_string()])?;
    assert!(said.status == Some(1) && said.stderr.contains("preamp.yaml:8:5: "), "{}", said.stderr);
    Ok(())
}

/// The words that bash offers for the last one of a command line.
fn completed(line: &[&str]) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("completions");
    std::fs::write(&script, say(&["completions", "bash"])?.bytes)?;
    let words = line.join(" ");
    let ask = format!(
        "source {} && COMP_WORDS=({words}) COMP_CWORD={} && _preamp preamp {} && echo \"${{COMPREPLY[@]}}\"",
        script.display(),
        line.len() - 1,
        line.last().unwrap_or(&""),
    );
    let output = std::process::Command::new("bash").args(["-c", &ask]).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[test]
fn shells_complete_commands_and_options() -> anyhow::Result<()> {
    assert_eq!(completed(&["preamp", "vali"])?, "validate");
    assert_eq!(completed(&["preamp", "check", "--off"])?, "--offline");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let said = say(&["completions", shell])?;
        assert!(
            said.status == Some(0) && said.stdout().contains("drain-timeout"),
            "{shell}: {}",
            said.stderr
        );
    }
    Ok(())
}

#[test]
fn each_command_has_its_page_of_the_manual() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let page = say(&["man"])?.stdout();
    assert!(page.contains(".TH preamp 1") && page.contains("preamp\\-check"), "{page}");
    assert_eq!(say(&["man", "--output", &folder.path().display().to_string()])?.status, Some(0));
    for command in ["run", "validate", "check", "print-config", "convert", "translate", "diff", "demo"] {
        let page = std::fs::read_to_string(folder.path().join(format!("preamp-{command}.1")))?;
        assert!(page.contains(".SH OPTIONS"), "{page}");
    }
    Ok(())
}

#[test]
fn wrong_usage_is_told_from_problems() -> anyhow::Result<()> {
    for arguments in [&["rnu"][..], &["run"], &[]] {
        assert_eq!(say(arguments)?.status, Some(2), "{arguments:?}");
    }
    let missing = validate(Path::new("/nowhere/preamp.yaml"))?;
    assert_eq!(missing.status, Some(1));
    assert!(missing.stderr.contains("/nowhere/preamp.yaml: cannot be read"), "{}", missing.stderr);
    Ok(())
}

#[test]
fn the_version_names_the_component_that_is_built_in() -> anyhow::Result<()> {
    let version = concat!("preamp ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(say(&["-V"])?.stdout(), version);
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/component/preamp.wasm");
    let digest = hex::encode(Sha256::digest(std::fs::read(component)?));
    assert_eq!(say(&["--version"])?.stdout(), format!("{version}component sha256:{digest}\n"));
    Ok(())
}

#[test]
fn it_starts_at_once_stops_when_asked_and_says_what_is_lost() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let telemetry = "{logs: {encoding: json}, metrics: {level: none}}";
    let file = configuration(folder.path(), NOWHERE, telemetry)?.display().to_string();
    let command = preamp(&["run", "--drain-timeout", "1", "--config", &file])?;
    let started = Instant::now();
    let mut running = Background::start("preamp", command, folder.path())?;
    let http = running.wait_for("ready", |log| address_after(log, r#""http":""#))?;
    // Ten milliseconds on a machine that does nothing else.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());

    let headers = [("content-type", "application/x-protobuf")];
    let answer = exchange(http, "POST", "/v1/metrics", &headers, &payloads::requests(7));
    assert_eq!(answer.map(|answer| answer.status), Some(200));
    let status = running.terminate()?;
    let said = running.said();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("7 data points") && said.contains("are lost"), "{said}");

    let command = preamp(&["run", "--config", &file])?;
    let mut idle = Background::start("idle", command, folder.path())?;
    idle.wait_for("ready", |log| address_after(log, r#""http":""#))?;
    assert_eq!(idle.terminate()?.code(), Some(0), "{}", idle.said());
    Ok(())
}

/// A file is named by an option, its letter, without either, or by the environment, and what is named comes first.
#[test]
fn a_configuration_is_named_in_any_form() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = configuration(folder.path(), NOWHERE, "{metrics: {level: none}}")?.display().to_string();
    let missing = folder.path().join("missing.yaml").display().to_string();
    for arguments in [&["validate", "--config", &file][..], &["validate", "-c", &file], &["validate", &file]]
    {
        let mut command = preamp(arguments)?;
        let output = command.env("PREAMP_CONFIG", &missing).output()?;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    }
    let output = preamp(&["validate"])?.env("PREAMP_CONFIG", &file).output()?;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = preamp(&["queue", "status"])?.env_remove("PREAMP_CONFIG").output()?;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("PREAMP_CONFIG"), "{output:?}");
    // A length of time needs no unit, and may have one.
    for duration in ["1", "1s", "1m30s"] {
        let said = say(&["run", "--drain-timeout", duration, &missing])?;
        assert_eq!(said.status, Some(1), "{duration}: {}", said.stderr);
    }
    let said = say(&["run", "--drain-timeout", "1x", &missing])?;
    assert!(said.status == Some(2) && said.stderr.contains("where a unit is expected"), "{}", said.stderr);
    Ok(())
}

/// The same problems, with their places, for a program.
#[test]
fn validate_speaks_json() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let read = |arguments: &[&str]| -> anyhow::Result<(Option<i32>, serde_json::Value)> {
        let said = say(arguments)?;
        Ok((said.status, serde_json::from_str(&said.stdout())?))
    };
    let file = configuration(folder.path(), NOWHERE, "{metrics: {level: none}, traces: {level: none}}")?;
    let file = file.display().to_string();
    let (status, document) = read(&["validate", "--json", &file])?;
    assert_eq!((status, &document["valid"]), (Some(0), &true.into()), "{document}");
    assert_eq!(document["problems"][0]["severity"], "warning", "{document}");
    let (status, document) = read(&["validate", "--json", "--strict", &file])?;
    assert_eq!((status, &document["valid"]), (Some(1), &false.into()), "{document}");
    let file = configuration(folder.path(), NOWHERE, "{lgos: {}}")?.display().to_string();
    let (status, document) = read(&["validate", "--json", &file])?;
    let problem = &document["problems"][0];
    assert_eq!((status, &document["valid"]), (Some(1), &false.into()), "{document}");
    assert!(
        problem["line"] == 9 && problem["path"].as_str().is_some_and(|path| path.contains("lgos")),
        "{document}"
    );
    // What only the component finds is among them.
    let endpoint = format!("{NOWHERE}\n    headers: {{Host: elsewhere}}");
    let file = configuration(folder.path(), &endpoint, "{metrics: {level: none}}")?.display().to_string();
    let (status, document) = read(&["validate", "--json", &file])?;
    assert_eq!((status, &document["problems"][0]["severity"]), (Some(1), &"error".into()), "{document}");
    Ok(())
}
