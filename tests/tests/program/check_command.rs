//! `preamp check` against a receiver that verifies signatures and a real STS: each step passes when all is well, and the
//! one that fails says why.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use amp_stand_in::{Options, Signer, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::issuer::{Issuer, Life};
use preamp_tests::moto::Moto;
use preamp_tests::running;
use serde::Deserialize;

const ACCESS_KEY_ID: &str = "AKIDEXAMPLEOFCHECK";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const OTHER_SECRET: &str = "0000000000000000000000000000000000000000";

#[derive(Debug, Deserialize)]
struct Report {
    works: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    step: String,
    outcome: String,
    detail: String,
    remedy: Option<String>,
}

impl Report {
    /// How each step came out, in their order.
    fn outcomes(&self) -> Vec<(&str, &str)> {
        self.steps.iter().map(|step| (&*step.step, &*step.outcome)).collect()
    }

    fn step(&self, name: &str) -> &Step {
        self.steps.iter().find(|step| step.step == name).unwrap_or_else(|| panic!("{name} of {self:?}"))
    }
}

fn signer() -> Signer {
    Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, "eu-central-1")
}

fn configuration(endpoint: &str, keys: &str) -> String {
    format!(
        "extensions:
  sigv4auth: {{region: eu-central-1, service: aps{keys}}}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    auth: {{authenticator: sigv4auth}}
receivers: {{otlp: {{protocols: {{http: }}}}}}
service:
  extensions: [sigv4auth]
  pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}
"
    )
}

/// What the command says, with nothing else of the environment than this.
fn said(
    configuration: &str,
    options: &[&str],
    environment: &[(&str, &str)],
    folder: &Path,
) -> anyhow::Result<(Option<i32>, String)> {
    let file = folder.join("preamp.yaml");
    std::fs::write(&file, configuration)?;
    let mut command = running::preamp(&[&["check"], options].concat(), &file)?;
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", folder);
    let output = command.envs(environment.iter().copied()).output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for secret in [SECRET_ACCESS_KEY, OTHER_SECRET, ACCESS_KEY_ID] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    Ok((output.status.code(), text))
}

fn report(
    configuration: &str,
    options: &[&str],
    environment: &[(&str, &str)],
    folder: &Path,
) -> anyhow::Result<Report> {
    let options = [&["--json"], options].concat();
    let (status, text) = said(configuration, &options, environment, folder)?;
    let report: Report = serde_json::from_str(&text).with_context(|| text.clone())?;
    assert_eq!(status, Some(i32::from(!report.works)), "{text}");
    for step in &report.steps {
        assert_eq!(step.remedy.is_some(), ["warn", "fail"].contains(&&*step.outcome), "{step:?}");
    }
    Ok(report)
}

fn keys<'k>(secret: &'k str, sts: &'k str) -> Vec<(&'static str, &'k str)> {
    vec![
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_ENDPOINT_URL_STS", sts),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_passes_when_all_is_well() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path())?;
    let stand_in = Arc::new(StandIn::start(Options::signed(signer())).await?);
    let issuer =
        Issuer::start(Arc::clone(&stand_in), Life::of(Duration::from_secs(9)), Some(moto.address)).await?;
    let (sts, role) = (issuer.url(""), ", assume_role: {arn: \"arn:aws:iam::123456789012:role/writer\"}");
    let environment = keys(SECRET_ACCESS_KEY, &sts);
    for (options, taken) in [(&[][..], "an empty request was taken"), (&["--sample"], "one sample of")] {
        let checked = report(&configuration(&stand_in.url(), role), options, &environment, folder.path())?;
        let steps = [
            "configuration",
            "endpoint",
            "profile",
            "signature",
            "dns",
            "connection",
            "clock",
            "credentials",
            "identity",
            "write",
        ];
        assert_eq!(checked.outcomes(), steps.map(|step| (step, "pass")), "{checked:?}");
        let credentials = &checked.step("credentials").detail;
        assert!(credentials.starts_with("ASIA…"), "{credentials}");
        assert!(credentials.contains("role/writer, assumed with environment variables"), "{credentials}");
        let identity = &checked.step("identity").detail;
        assert!(identity.contains("assumed-role/writer/preamp of account 123456789012"), "{identity}");
        assert!(checked.step("write").detail.starts_with(taken), "{checked:?}");
    }
    let names: BTreeMap<_, _> = stand_in.series().into_iter().collect();
    let sample =
        names.keys().filter(|labels| labels.iter().any(|(_, value)| value == "preamp_check")).count();
    assert_eq!(sample, 1, "{names:?}");

    let (status, text) = said(&configuration(&stand_in.url(), role), &[], &environment, folder.path())?;
    assert!(status == Some(0) && text.lines().all(|line| line.starts_with("pass  ")), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_that_fails_says_why_and_what_helps() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::signed(signer())).await?;
    let url = stand_in.url();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nobody = format!("http://{closed}/");
    let right = keys(SECRET_ACCESS_KEY, &nobody);
    let wrong = keys(OTHER_SECRET, &nobody);
    for (endpoint, environment, step, detail, remedy) in [
        (&*url, &wrong, "write", "signature we calculated does not match", "secret"),
        (&url, &vec![], "credentials", "no AWS credentials", "environment variables, a profile"),
        ("http://receiver.invalid/api/v1/write", &right, "dns", "receiver.invalid: ", "spelling"),
        (&format!("http://{closed}/api/v1/write"), &right, "connection", "refused", "firewall"),
        (&format!("{url}/more"), &right, "write", "Missing Authentication Token", "path"),
    ] {
        let checked = report(&configuration(endpoint, ""), &[], environment, folder.path())?;
        let failed: Vec<_> = checked.steps.iter().filter(|step| step.outcome == "fail").collect();
        let [failed] = &failed[..] else { panic!("{endpoint}: {checked:?}") };
        assert_eq!(failed.step, step, "{checked:?}");
        assert!(failed.detail.contains(detail), "{failed:?}");
        assert!(failed.remedy.as_ref().is_some_and(|text| text.contains(remedy)), "{failed:?}");
    }
    // STS is not needed to write, so its silence is no failure.
    let checked = report(&configuration(&url, ""), &[], &right, folder.path())?;
    assert!(checked.works && checked.step("identity").outcome == "warn", "{checked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(|| SystemTime::now() + Duration::from_secs(600));
    let stand_in = StandIn::start(Options { clock, ..Options::signed(signer()) }).await?;
    let environment = keys(SECRET_ACCESS_KEY, "http://127.0.0.1:9");
    let checked = report(&configuration(&stand_in.url(), ""), &[], &environment, folder.path())?;
    let clock = checked.step("clock");
    assert!(clock.outcome == "warn" && clock.detail.contains("s behind the receiver's"), "{clock:?}");
    assert!(checked.works && checked.step("write").detail.contains("which preamp corrects"), "{checked:?}");
    Ok(())
}

#[test]
fn offline_it_asks_nobody_and_files_are_looked_through() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let good = configuration("https://receiver.invalid/api/v1/write", "");
    let checked = report(&good, &["--offline"], &[], folder.path())?;
    assert_eq!(
        checked.outcomes(),
        ["configuration", "endpoint", "profile", "signature"].map(|step| (step, "pass")),
        "{checked:?}"
    );
    let bad = good.replace("endpoint:", "endpiont:").replace("region:", "regoin:");
    let checked = report(&bad, &["--offline"], &[], folder.path())?;
    assert_eq!(checked.outcomes(), [("configuration", "fail"); 3], "{checked:?}");
    assert!(checked.steps[0].detail.contains("preamp.yaml:2:15"), "{checked:?}");
    Ok(())
}
