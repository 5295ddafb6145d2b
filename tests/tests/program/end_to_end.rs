//! The whole way with real parts: the Python OpenTelemetry SDK, `preamp run` with a Collector configuration, the AMP
//! stand-in as a reverse proxy that verifies signatures, and a Prometheus that answers what it was given.

use amp_stand_in::{Options, Signer, StandIn, Storage};
use anyhow::Context as _;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorded::record;
use preamp_tests::running::{self, Running, signing};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "TOKEN-OF-THE-END-TO-END-TEST";
const REGION: &str = "eu-central-1";

fn signer(secret_access_key: &str) -> Signer {
    Signer {
        session_token: Some(SESSION_TOKEN.to_owned()),
        ..Signer::of_amp(ACCESS_KEY_ID, secret_access_key, REGION)
    }
}

/// Preamp's credentials.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
    ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
    ("AWS_SESSION_TOKEN", SESSION_TOKEN),
];

fn configuration(endpoint: &str) -> String {
    signing(REGION, "", endpoint, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sdk_recorded_is_what_prometheus_answers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let upstream = prometheus.write_url().parse()?;
    let options =
        Options { storage: Storage::Prometheus(upstream), ..Options::signed(signer(SECRET_ACCESS_KEY)) };
    let stand_in = StandIn::start(options).await?;
    let mut preamp = Running::start(&configuration(&stand_in.url()), &ENVIRONMENT, folder.path())?;

    for protocol in ["http", "grpc"] {
        let recorded = record(protocol, preamp.http, preamp.grpc).with_context(|| preamp.said())?;
        preamp.wait_until_delivered().with_context(|| format!("{:?}", stand_in.report()))?;
        recorded.examine(prometheus.address()).context(protocol)?;
    }

    let page = preamp.self_metrics()?;
    let status = preamp.terminate()?;
    let report = stand_in.report();
    assert!(status.success(), "{status}: {}", preamp.said());
    assert!(report.verified > 0 && report.unverified == 0 && report.refused() == 0, "{report:?}");
    assert_eq!(report.answers.keys().collect::<Vec<_>>(), [&200], "{report:?}");
    assert_no_secret("/metrics", &page);
    assert_no_secret("the log", &preamp.said());
    Ok(())
}

fn assert_no_secret(place: &str, text: &str) {
    for secret in [SECRET_ACCESS_KEY, SESSION_TOKEN] {
        assert!(!text.contains(secret), "{secret} is in {place}:\n{text}");
    }
}

/// The receiver refuses the signature, and says so with as much detail as AWS does; the operator is told, the secret
/// is not.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_logs_metrics_or_errors() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let other_secret = SECRET_ACCESS_KEY.to_lowercase();
    let stand_in = StandIn::start(Options::signed(signer(&other_secret))).await?;
    let mut preamp = Running::start(&configuration(&stand_in.url()), &ENVIRONMENT, folder.path())?;
    let recorded = record("http", preamp.http, preamp.grpc).with_context(|| preamp.said())?;
    assert_eq!(recorded.resource["service.name"], "checkout-http");
    let told =
        |log: &str| log.to_lowercase().contains("signature we calculated does not match").then_some(());
    preamp.wait_for("the operator to be told of the bad signature", told)?;
    assert_no_secret("/metrics", &preamp.self_metrics()?);
    // It cannot deliver, so it may end with an error; it must end.
    preamp.terminate()?;
    assert_no_secret("the log", &preamp.said());
    assert!(stand_in.report().unverified > 0 && stand_in.report().verified == 0);

    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, configuration(&stand_in.url()).replace("endpoint: http", "endpiont: http"))?;
    for command in ["run", "validate"] {
        let output = running::preamp(&[command], &broken)?.envs(ENVIRONMENT).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!output.status.success() && said.contains("endpiont"), "{command}: {said}");
        assert_no_secret(command, &said);
    }
    Ok(())
}
