//! Servers that want to know who comes, and speak TLS.

use super::refused::refusal;
use super::rig::{configuration, receiver, start};
use super::servers::{NATS, check_all, senders};
use amp_stand_in::Script;
use anyhow::ensure;
use preamp_tests::certificates::Authority;
use preamp_tests::nats::{Cluster, Setup};
use std::path::Path;
use std::time::Duration;

const NAME: &str = "preamp";
const PASSWORD: &str = "pencil-4711";
const TOKEN: &str = "token-0815-abc";

/// Delivers for some time, with more keys of the extension.
async fn deliver(cluster: &Cluster, keys: &str, folder: &Path) -> anyhow::Result<()> {
    let stand_in = receiver(Script::default()).await?;
    let keys = format!("{NATS}\n{keys}");
    let running = start(&configuration(cluster, &stand_in.url(), &keys, ""), folder, "one")?;
    let senders = senders(&running);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let records = senders.stop()?;
    check_all(&records, &stand_in, &[&running]).await?;
    let said = running.said();
    ensure!(!said.contains(PASSWORD) && !said.contains(TOKEN), "a secret was logged: {said}");
    Ok(())
}

fn refused(cluster: &Cluster, keys: &str, folder: &Path, reason: &str) -> anyhow::Result<()> {
    let refused = refusal(&configuration(cluster, "http://127.0.0.1:9/api/v1/write", keys, ""), folder)?;
    ensure!(refused.contains(reason), "expected {reason}: {refused}");
    ensure!(!refused.contains(PASSWORD) && !refused.contains(TOKEN), "a secret is told: {refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_a_password_over_tls_with_a_certificate_of_its_own() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (authority, other) = (Authority::new("preamp test")?, Authority::new("another")?);
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem())?;
    let stranger = folder.path().join("other.pem");
    std::fs::write(&stranger, other.pem())?;
    let (certificate, key) = authority.sign(&["127.0.0.1"])?.write(folder.path(), "pair")?;
    let (ca, stranger) = (ca.display(), stranger.display());
    let (certificate, key) = (certificate.display(), key.display());
    let more = format!(
        "authorization {{ user: {NAME}, password: \"{PASSWORD}\" }}\n\
         tls {{ cert_file: \"{certificate}\", key_file: \"{key}\", ca_file: \"{ca}\", verify: true }}"
    );
    let setup = Setup { more: &more, scheme: "tls", ..Setup::default() };
    let cluster = Cluster::start_with(folder.path(), &setup)?;
    let user = format!("username: {NAME}\npassword: {PASSWORD}");
    let tls = format!("tls: {{ca_file: {ca}, cert_file: {certificate}, key_file: {key}}}");
    deliver(&cluster, &format!("{user}\n{tls}"), folder.path()).await?;

    let wrong = format!("username: {NAME}\npassword: wrong\n{tls}");
    refused(&cluster, &wrong, folder.path(), "authorization")?;
    let untrusted =
        format!("{user}\ntls: {{ca_file: {stranger}, cert_file: {certificate}, key_file: {key}}}");
    refused(&cluster, &untrusted, folder.path(), "certificate")?;
    refused(&cluster, &format!("{user}\ntls: {{ca_file: {ca}}}"), folder.path(), "CertificateRequired")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let more = format!("authorization {{ token: \"{TOKEN}\" }}");
    let cluster = Cluster::start_with(folder.path(), &Setup { more: &more, ..Setup::default() })?;
    deliver(&cluster, &format!("token: {TOKEN}"), folder.path()).await?;
    refused(&cluster, "", folder.path(), "authorization")
}
