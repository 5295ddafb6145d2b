//! TLS on both sides, with real servers and clients: who is trusted, who is not, and what the operator is told.

mod receivers;
mod through_proxies;

use std::fs;
use std::path::{Path, PathBuf};

use amp_stand_in::{Options, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::certificates::{Authority, Pair};
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running, post};
use preamp_tests::tls_front::{BOTH, Identity, OLD, TlsFront};
use rustls::SupportedProtocolVersion;

/// Every name of this machine that an endpoint here has.
const HERE: &[&str] = &["127.0.0.1", "localhost"];

/// A file that does not sign; `keys` are more keys of the exporter.
fn configuration(endpoint: &str, keys: &str) -> String {
    format!(
        "{PIPELINE}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    {keys}
"
    )
}

fn send(preamp: &Running, points: usize) -> anyhow::Result<()> {
    post(preamp.http, &payloads::of_now(points, 1))
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

/// How an attempt to deliver ends.
enum Outcome {
    Delivered,
    /// The operator is told both, and the data stays queued.
    Refused(&'static str, &'static str),
}

struct Case {
    name: &'static str,
    front: Pair,
    clients: Option<String>,
    versions: &'static [&'static SupportedProtocolVersion],
    scheme: &'static str,
    keys: String,
    outcome: Outcome,
}

/// The table of the side that connects.
fn cases(folder: &Path) -> anyhow::Result<Vec<Case>> {
    use Outcome::{Delivered, Refused};
    let (trusted, other) = (Authority::new("trusted")?, Authority::new("other")?);
    let ca = write(folder, "ca.pem", &trusted.pem())?;
    let ca = ca.display();
    let (certificate, key) = trusted.sign(&["client"])?.write(folder, "client")?;
    let (stranger, stranger_key) = other.sign(&["client"])?.write(folder, "stranger")?;
    let me = format!("cert_file: {}, key_file: {}", certificate.display(), key.display());
    let not_me = format!("cert_file: {}, key_file: {}", stranger.display(), stranger_key.display());
    let case = |name, front: Pair, keys: String, outcome| Case {
        name,
        front,
        clients: None,
        versions: BOTH,
        scheme: "https",
        keys: format!("tls: {{{keys}}}"),
        outcome,
    };
    let right = trusted.sign(HERE)?;
    let trusting = format!("ca_file: {ca}");
    let wants_me = |case: Case| Case { clients: Some(trusted.pem()), ..case };
    Ok(vec![
        case("right authority", right.clone(), trusting.clone(), Delivered),
        case(
            "right authority, in the configuration",
            right.clone(),
            format!("ca_pem: {:?}", trusted.pem()),
            Delivered,
        ),
        case(
            "wrong authority",
            other.sign(HERE)?,
            trusting.clone(),
            Refused("UnknownIssuer", "set tls.ca_file"),
        ),
        case(
            "authority of the system only",
            right.clone(),
            String::new(),
            Refused("UnknownIssuer", "set tls.ca_file"),
        ),
        case(
            "expired",
            trusted.sign_until(HERE, 2020)?,
            trusting.clone(),
            Refused("certificate expired", "renew the receiver's certificate"),
        ),
        case(
            "wrong name",
            trusted.sign(&["elsewhere.example"])?,
            trusting.clone(),
            Refused("not valid for name", "tls.server_name_override"),
        ),
        case(
            "wrong name that is right",
            trusted.sign(&["elsewhere.example"])?,
            format!("{trusting}, server_name_override: elsewhere.example"),
            Delivered,
        ),
        case("unchecked", other.sign(HERE)?, "insecure_skip_verify: true".to_owned(), Delivered),
        Case {
            versions: OLD,
            ..wants_me(case(
                "missing client certificate",
                right.clone(),
                trusting.clone(),
                Refused("received fatal alert", "set tls.cert_file and tls.key_file"),
            ))
        },
        wants_me(case("right client certificate", right.clone(), format!("{trusting}, {me}"), Delivered)),
        Case {
            versions: OLD,
            ..wants_me(case(
                "client certificate of a stranger",
                right.clone(),
                format!("{trusting}, {not_me}"),
                Refused("received fatal alert", "renew tls.cert_file"),
            ))
        },
        // With TLS 1.3 a client is turned away after the handshake, while it sends.
        wants_me(case(
            "client certificate of a stranger, TLS 1.3",
            right.clone(),
            format!("{trusting}, {not_me}"),
            Refused("no answer", ""),
        )),
        Case {
            versions: OLD,
            ..case(
                "too old a version",
                right.clone(),
                format!("{trusting}, min_version: \"1.3\""),
                Refused("fatal alert: ProtocolVersion", "see tls.min_version"),
            )
        },
        Case {
            versions: OLD,
            ..case("an old version that will do", right.clone(), trusting.clone(), Delivered)
        },
        case(
            "a cipher suite that both have",
            right.clone(),
            format!("{trusting}, cipher_suites: [TLS_CHACHA20_POLY1305_SHA256]"),
            Delivered,
        ),
        Case {
            scheme: "http",
            ..case(
                "no TLS to a port that speaks it",
                right,
                trusting,
                Refused("", "the receiver does not take"),
            )
        },
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_has_its_message() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for case in cases(folder.path())? {
        let stand_in = StandIn::start(Options::unsigned()).await?;
        let identity =
            Identity { own: &case.front, clients: case.clients.as_deref(), versions: case.versions };
        let front = TlsFront::start(&identity, stand_in.address()).await?;
        let url = front.url(&stand_in.url()).replacen("https:", &format!("{}:", case.scheme), 1);
        let logs = tempfile::tempdir()?;
        let mut preamp = Running::start(&configuration(&url, &case.keys), &[], logs.path())?;
        send(&preamp, 3)?;
        match case.outcome {
            Outcome::Delivered => {
                preamp.wait_until_delivered().context(case.name)?;
                assert!(preamp.terminate()?.success(), "{}: {}", case.name, preamp.said());
            }
            Outcome::Refused(problem, remedy) => {
                let told = |log: &str| {
                    let line = log.lines().find(|line| line.contains("sending again"))?;
                    (line.contains(problem) && line.contains(remedy)).then_some(())
                };
                preamp.wait_for("the operator to be told", told).context(case.name)?;
                assert_eq!(stand_in.report().requests, 0, "{}", case.name);
                let page = preamp.self_metrics()?;
                assert!(page.contains("preamp_points_queued 3\n"), "{}: {page}", case.name);
            }
        }
    }
    Ok(())
}

/// Files that cannot be used are told before anything starts.
#[test]
fn files_that_are_none_are_told_with_their_names() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (one, two) = (Authority::new("a")?.sign(HERE)?, Authority::new("b")?.sign(HERE)?);
    let (certificate, key) = one.write(folder.path(), "one")?;
    let (_, other_key) = two.write(folder.path(), "two")?;
    let text = write(folder.path(), "text", "no PEM")?;
    let (certificate, key) = (certificate.display(), key.display());
    let (other_key, text) = (other_key.display(), text.display());
    for (tls, problem) in [
        (format!("ca_file: {text}"), format!("tls.ca_file {text}: no certificate in it")),
        ("ca_pem: no PEM".to_owned(), "tls.ca_file: no certificate in it".to_owned()),
        (format!("cert_file: {text}, key_file: {key}"), format!("tls.cert_file {text}: no certificate")),
        (format!("cert_file: {certificate}, key_file: {text}"), format!("tls.key_file {text}: nothing")),
        (
            format!("cert_file: {certificate}, key_file: {other_key}"),
            format!("tls.key_file {other_key}: does not go with tls.cert_file"),
        ),
    ] {
        let exporter = configuration("https://127.0.0.1:9/", &format!("tls: {{{tls}}}"));
        let receiver = exporter.replace("127.0.0.1:0\n", &format!("127.0.0.1:0\n        tls: {{{tls}}}\n"));
        let sides = [(exporter, "exporters.prometheusremotewrite"), (receiver, "receivers.otlp.protocols")];
        for (text, side) in sides.into_iter().take(if tls.starts_with("ca") { 1 } else { 2 }) {
            let file = write(folder.path(), "preamp.yaml", &text)?;
            for command in ["validate", "run"] {
                let said = preamp_tests::running::preamp(&[command], &file)?.output()?;
                let stderr = String::from_utf8_lossy(&said.stderr);
                assert_eq!(said.status.code(), Some(1), "{command} {tls}: {stderr}");
                assert!(stderr.contains(&problem) && stderr.contains("it must hold"), "{command}: {stderr}");
                assert!(
                    stderr.contains("exporters.prometheusremotewrite") || stderr.contains(side),
                    "{stderr}"
                );
            }
        }
    }
    Ok(())
}

/// The receiver's authority and the client's change while data flows.
#[tokio::test(flavor = "multi_thread")]
async fn rotated_files_are_used_and_nothing_is_lost() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let (old, new) = (Authority::new("old")?, Authority::new("new")?);
    let (old_front, new_front) = (old.sign(HERE)?, new.sign(HERE)?);
    let ca = write(folder.path(), "ca.pem", &old.pem())?;
    let (certificate, key) = old.sign(&["client"])?.write(folder.path(), "client")?;
    let clients = old.pem();
    let identity = Identity { own: &old_front, clients: Some(&clients), versions: BOTH };
    let front = TlsFront::start(&identity, stand_in.address()).await?;
    let url = front.url(&stand_in.url());
    let keys = format!(
        "tls: {{ca_file: {}, cert_file: {}, key_file: {}}}",
        ca.display(),
        certificate.display(),
        key.display()
    );
    let mut preamp = Running::start(&configuration(&url, &keys), &[], folder.path())?;
    send(&preamp, 10)?;
    preamp.wait_until_delivered()?;

    let clients = new.pem();
    front.become_another(&Identity { own: &new_front, clients: Some(&clients), versions: BOTH })?;
    send(&preamp, 20)?;
    preamp.wait_for("the old files to fail", |log| log.contains("sending again").then_some(()))?;
    let pair = new.sign(&["client"])?;
    // One after the other, as they change in life: in between they do not go together.
    fs::write(&certificate, &pair.certificate)?;
    preamp.wait_for("the pair to be refused", |log| log.contains("does not go with").then_some(()))?;
    fs::write(&key, &pair.key)?;
    fs::write(&ca, new.pem())?;
    preamp.wait_until_delivered()?;
    send(&preamp, 30)?;
    preamp.wait_until_delivered()?;
    assert_eq!(preamp.points("delivered")?, 60.0);
    assert!(preamp.said().contains("new TLS files are in use"), "{}", preamp.said());
    assert!(!preamp.said().contains("PRIVATE KEY"));
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    Ok(())
}
