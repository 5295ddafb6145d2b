//! Bindplane's destination as an operator brings it: pasted from the documentation, then with values that are real.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use amp_stand_in::{Options, Signer, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::certificates::Authority;
use preamp_tests::issuer::{Issuer, Life};
use preamp_tests::moto::Moto;
use preamp_tests::payloads;
use preamp_tests::preamp_command::say;
use preamp_tests::running::{Running, post};
use preamp_tests::tls_front::{BOTH, Identity, TlsFront};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The parameters of the documentation's example, with its placeholders.
const PARAMETERS: &[(&str, &str)] = &[
    ("endpoint", "some_aws_amp_workspace_endpoint"),
    ("region", "us-east-2"),
    ("arn", "some_aws_role_arn"),
    ("sts_region", "us-east-2"),
    ("session_name", "some_session"),
    ("compression", "snappy"),
    ("namespace", "bp_amp"),
    ("max_batch_size_bytes", "3000000"),
    ("enable_resource_to_telemetry_conversion", "true"),
    ("add_unit_and_type", "true"),
    ("export_created_metric", "true"),
    ("external_labels", "{bp_agent: agent1}"),
    ("enable_tls", "true"),
    ("strict_tls_verify", "true"),
    ("ca_file", "some_ca_file"),
    ("mutual_tls", "true"),
    ("cert_file", "some_cert_file"),
    ("key_file", "some_key_file"),
    ("enable_remote_write_queue", "true"),
    ("retry_on_failure_enabled", "true"),
];

/// The form that the documentation has when it is pasted: the lines of three headings are lost, their numbers are not.
fn pasted(values: &[(&str, &str)]) -> String {
    let mut text = " 2 kind: Destination\n 4   id: 01ARZ3NDEKTSV4RRFFQ69G5FAV\n 5   name: amp\n 7   type: aws_managed_prometheus\n 8   parameters:\n".to_owned();
    let mut line = 9;
    for (name, placeholder) in PARAMETERS {
        let value = values.iter().find(|(given, _)| given == name).map_or(placeholder, |(_, value)| value);
        text.push_str(&format!("{line:2}     - name: {name}\n{:2}       value: {value}\n", line + 1));
        line += 2;
    }
    text
}

fn write(folder: &Path, text: &str) -> anyhow::Result<String> {
    let file = folder.join("destination.yaml");
    std::fs::write(&file, text)?;
    Ok(file.display().to_string())
}

#[test]
fn each_placeholder_is_named_where_it_stands() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = write(folder.path(), &pasted(&[]))?;
    let said = say(&["validate", "--config", &file])?;
    assert_eq!(said.status, Some(1), "{}", said.stderr);
    let problems: Vec<_> = said.stderr.lines().collect();
    let expected = [
        (7, "endpoint", "is no URL"),
        (11, "arn", "is no ARN"),
        (35, "ca_file", "some_ca_file cannot be read"),
        (39, "cert_file", "some_cert_file cannot be read"),
        (41, "key_file", "some_key_file cannot be read"),
    ];
    assert_eq!(problems.len(), expected.len(), "{}", said.stderr);
    for (problem, (line, name, what)) in problems.iter().zip(expected) {
        let start = format!("{file}:{line}:");
        assert!(
            problem.starts_with(&start) && problem.contains(&format!("parameters.{name}: ")),
            "{problem}"
        );
        assert!(problem.contains(what), "{problem}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_real_values_it_delivers_over_mutual_tls_in_its_role() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path())?;
    let signer = Signer::of_amp("AKIDNOBODY", &"0".repeat(40), "us-east-2");
    let stand_in = Arc::new(StandIn::start(Options::signed(signer)).await?);
    let sts =
        Issuer::start(Arc::clone(&stand_in), Life::of(Duration::from_secs(1)), Some(moto.address)).await?;
    let authority = Authority::new("authority")?;
    let own = authority.sign(&["127.0.0.1"])?;
    let clients = authority.pem();
    let identity = Identity { own: &own, clients: Some(&clients), versions: BOTH };
    let front = TlsFront::start(&identity, stand_in.address()).await?;
    let url = front.url(&stand_in.url());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem())?;
    let (certificate, key) = authority.sign(&["agent"])?.write(folder.path(), "agent")?;
    let [ca, certificate, key] = [&ca, &certificate, &key].map(|path| path.display().to_string());
    let text = pasted(&[
        ("endpoint", &url),
        ("arn", "arn:aws:iam::123456789012:role/writer"),
        ("session_name", "bindplane-agent"),
        ("ca_file", &ca),
        ("cert_file", &certificate),
        ("key_file", &key),
    ]);
    let sts_url = sts.url("");
    let environment = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_ENDPOINT_URL_STS", &*sts_url),
    ];
    let said = say(&["validate", "--config", &write(folder.path(), &text)?])?;
    assert_eq!(said.status, Some(0), "{}", said.stderr);

    let mut preamp = Running::start(&text, &environment, folder.path())?;
    post(preamp.http, &payloads::of_now(3, 7))?;
    let delivered =
        preamp.wait_for("all to be stored", |_| (stand_in.report().samples_stored > 3).then_some(()));
    delivered.with_context(|| format!("{:?}", stand_in.report()))?;
    let series = stand_in.series();
    let power: Vec<_> = series
        .keys()
        .filter(|labels| labels.iter().any(|(_, value)| value == "bp_amp_power_watts"))
        .collect();
    assert_eq!(power.len(), 3, "{series:?}");
    let has = |labels: &[(String, String)], name: &str, value: &str| {
        labels.iter().any(|(own, given)| own == name && given == value)
    };
    assert!(power.iter().all(|labels| has(labels, "bp_agent", "agent1")), "{series:?}");
    assert!(power.iter().all(|labels| has(labels, "service_name", "checkout")), "{series:?}");

    let report = stand_in.report();
    assert!(report.unverified == 0 && report.verified_by.len() == 1, "{report:?}");
    let roles = moto.assumed_roles()?;
    let used = roles.iter().find(|role| report.verified_by.contains_key(&role.access_key_id));
    let used = used.with_context(|| format!("{roles:?}"))?;
    assert_eq!(
        (&*used.role_arn, &*used.session_name, &*used.region_name),
        ("arn:aws:iam::123456789012:role/writer", "bindplane-agent", "us-east-2")
    );
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    Ok(())
}
