//! TLS of the receivers: the Python OpenTelemetry SDK over both protocols, and clients that are turned away.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use amp_stand_in::{Options, StandIn};
use anyhow::ensure;
use preamp_config::{ClientSettings, ClientTls, Pem, TlsIdentity};
use preamp_contract::{Header, Request, Response};
use preamp_host::delivery::HttpClient;
use preamp_tests::certificates::Authority;
use preamp_tests::children::{fetched, program};
use preamp_tests::payloads;
use preamp_tests::running::Running;

use super::{HERE, configuration};

/// Starts `preamp` with TLS on both protocols.
fn start(stand_in: &StandIn, tls: &str, folder: &Path) -> anyhow::Result<Running> {
    let text = configuration(&stand_in.url(), "");
    let text = text.replace("127.0.0.1:0\n", &format!("127.0.0.1:0\n        tls: {{{tls}}}\n"));
    Running::start(&text, &[], folder)
}

async fn post(preamp: &Running, tls: ClientTls) -> Response {
    let settings = ClientSettings { tls, ..ClientSettings::new(Duration::from_secs(10)) };
    let client = HttpClient::new(&settings).expect("the files are sound");
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    let request = Request {
        method: "POST".into(),
        url: format!("https://{}/v1/metrics", preamp.http),
        headers: vec![
            header("host", &preamp.http.to_string()),
            header("content-type", "application/x-protobuf"),
        ],
    };
    client.send(request, payloads::of_now(1, 1).into()).await.response
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_with_a_certificate_is_let_in_over_both_protocols() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("authority")?;
    let ca = super::write(folder.path(), "ca.pem", &authority.pem())?;
    let (certificate, key) = authority.sign(HERE)?.write(folder.path(), "server")?;
    let (mine, my_key) = authority.sign(&["client"])?.write(folder.path(), "client")?;
    let tls = format!(
        "cert_file: {}, key_file: {}, client_ca_file: {}",
        certificate.display(),
        key.display(),
        ca.display()
    );
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let mut preamp = start(&stand_in, &tls, folder.path())?;
    let python = program("PREAMP_PYTHON", fetched("python/bin/python"))?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/sdk_producer.py");
    for (protocol, endpoint) in [
        ("http", format!("https://localhost:{}/v1/metrics", preamp.http.port())),
        ("grpc", format!("https://localhost:{}", preamp.grpc.port())),
    ] {
        let output = Command::new(&python)
            .arg(&script)
            .args([protocol, &endpoint])
            // Some machines name another authority for all programs.
            .env_remove("REQUESTS_CA_BUNDLE")
            .env_remove("CURL_CA_BUNDLE")
            .env("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca)
            .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &mine)
            .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &my_key)
            .output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{protocol}: {stderr}\npreamp said:\n{}", preamp.said());
        preamp.wait_until_delivered()?;
    }
    assert!(stand_in.report().samples_stored > 0, "{:?}", stand_in.report());
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_turned_away_and_hold_nobody_up() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (authority, other) = (Authority::new("authority")?, Authority::new("other")?);
    let ca = super::write(folder.path(), "ca.pem", &authority.pem())?;
    let server = authority.sign(HERE)?.write(folder.path(), "server")?;
    let identity = |pair: (std::path::PathBuf, std::path::PathBuf)| TlsIdentity {
        certificate: Pem::File(pair.0),
        key: Pem::File(pair.1),
    };
    let mine = identity(authority.sign(&["client"])?.write(folder.path(), "client")?);
    let strange = identity(other.sign(&["client"])?.write(folder.path(), "stranger")?);
    let tls = format!(
        "cert_file: {}, key_file: {}, client_ca_file: {}, min_version: \"1.3\"",
        server.0.display(),
        server.1.display(),
        ca.display()
    );
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let mut preamp = start(&stand_in, &tls, folder.path())?;
    // These never finish their handshake.
    let slow: Vec<_> = (0..50).map(|_| TcpStream::connect(preamp.http)).collect::<Result<_, _>>()?;
    let mut plain = TcpStream::connect(preamp.http)?;
    plain.write_all(b"POST /v1/metrics HTTP/1.1\r\nhost: preamp\r\ncontent-length: 0\r\n\r\n")?;

    let trusting = ClientTls { ca: Some(Pem::File(ca.clone())), ..ClientTls::default() };
    for (who, identity) in [("nobody", None), ("a stranger", Some(strange))] {
        let response = post(&preamp, ClientTls { identity, ..trusting.clone() }).await;
        assert_eq!(response.status, 0, "{who}: {}", String::from_utf8_lossy(&response.body));
    }
    let response = post(&preamp, ClientTls { identity: Some(mine.clone()), ..trusting.clone() }).await;
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    preamp.wait_until_delivered()?;
    preamp.wait_for("the operator to be told", |log| log.contains("turned away by TLS").then_some(()))?;
    drop(slow);

    // The certificate is changed while it runs, and so is the authority.
    let next = Authority::new("next")?;
    next.sign(HERE)?.write(folder.path(), "server")?;
    let trusting = ClientTls { ca: Some(Pem::Text(preamp_base::Secret::new(next.pem()))), ..trusting };
    let response = post(&preamp, ClientTls { identity: Some(mine), ..trusting }).await;
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    Ok(())
}
