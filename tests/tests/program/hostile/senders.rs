//! Who may send: bearer tokens and passwords on both receivers, and what a browser that was led astray can do.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use preamp_tests::any_sender::{Anything, send_grpc_with, send_http_with};
use preamp_tests::children::wait_for;
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::running::Running;
use tokio::runtime::Runtime;

use crate::hostile::rig::{Keys, receiver};

const UNAUTHENTICATED: u16 = 16;

/// What both receivers answer to a good payload with this field `authorization`.
fn answers(preamp: &Running, authorization: Option<&str>) -> anyhow::Result<(u16, u16)> {
    let request = Anything::protobuf("a good payload", payloads::of_now(2, 1));
    let fields: Vec<_> = authorization.iter().map(|value| ("authorization", *value)).collect();
    let runtime = Runtime::new()?;
    let http = runtime.block_on(send_http_with(preamp.http, &request, &fields))?;
    let grpc = runtime.block_on(send_grpc_with(preamp.grpc, &request, &fields))?;
    Ok((http.code, grpc.code))
}

const TAKEN: (u16, u16) = (200, 0);
const REFUSED: (u16, u16) = (401, UNAUTHENTICATED);

fn start(extension: &str, name: &str, folder: &Path) -> anyhow::Result<Running> {
    let auth = format!(", auth: {{authenticator: {name}}}");
    let keys = Keys {
        grpc: &auth,
        http: &auth,
        extensions: &format!(", {extension}"),
        extension_names: &format!(", {name}"),
        ..Keys::default()
    };
    Running::start(&keys.text(receiver()?), &[], folder)
}

#[test]
fn a_bearer_token_is_asked_for_and_its_file_is_read_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    fs::write(&file, "first-token\n")?;
    let extension = format!("bearertokenauth: {{filename: '{}'}}", file.display());
    let preamp = start(&extension, "bearertokenauth", folder.path())?;
    let wrong = [
        "Bearer second-token",
        "Bearer first-toke",
        "Bearer first-token2",
        "Bearer ",
        "Basic first-token",
        "",
    ];
    for authorization in wrong.map(Some).into_iter().chain([None]) {
        let answers = answers(&preamp, authorization)?;
        ensure!(answers == REFUSED, "{authorization:?} is answered {answers:?}");
    }
    ensure!(answers(&preamp, Some("Bearer first-token"))? == TAKEN, "the right token is refused");
    fs::write(&file, "second-token\n")?;
    wait_for("the new token to be in use", || {
        Ok((answers(&preamp, Some("Bearer second-token"))? == TAKEN).then_some(()))
    })?;
    let old = answers(&preamp, Some("Bearer first-token"))?;
    ensure!(old == REFUSED, "the old token is answered {old:?}");
    let said = format!("{}{}", preamp.said(), preamp.self_metrics()?);
    ensure!(!said.contains("first-token") && !said.contains("second-token"), "a token is printed: {said}");
    Ok(())
}

#[test]
fn a_password_is_asked_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let extension = "basicauth: {htpasswd: {inline: 'otel:right-password'}}";
    let preamp = start(extension, "basicauth", folder.path())?;
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for pair in ["otel:wrong", "other:right-password", "otel:", ":", "otel", "otel:right-password2"] {
        let answers = answers(&preamp, Some(&basic(pair)))?;
        ensure!(answers == REFUSED, "{pair:?} is answered {answers:?}");
    }
    ensure!(answers(&preamp, None)? == REFUSED, "nobody needs a password");
    ensure!(answers(&preamp, Some("Basic !!!"))? == REFUSED, "what is no base64 is taken");
    ensure!(answers(&preamp, Some(&basic("otel:right-password")))? == TAKEN, "the right password is refused");
    let said = format!("{}{}", preamp.said(), preamp.self_metrics()?);
    ensure!(!said.contains("right-password"), "a password is printed: {said}");
    Ok(())
}

fn get(to: SocketAddr, path: &str, host: &str) -> anyhow::Result<u16> {
    Ok(exchange(to, "GET", path, &[("host", host)], b"").context("no answer")?.status)
}

#[test]
fn a_browser_that_takes_a_stranger_for_loopback_reaches_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let preamp = Running::start(&Keys::default().text(receiver()?), &[], folder.path())?;
    let payload = payloads::of_now(1, 1);
    let posted = |host: &str| {
        let headers = [("host", host), ("content-type", "application/x-protobuf")];
        Ok(exchange(preamp.http, "POST", "/v1/metrics", &headers, &payload).context("no answer")?.status)
    };
    let port = preamp.http.port();
    let local = ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"].map(|name| format!("{name}:{port}"));
    for host in local.iter().map(String::as_str).chain(["localhost", "127.0.0.1"]) {
        let status: anyhow::Result<u16> = posted(host);
        ensure!(status? == 200, "{host} is refused");
        ensure!(get(preamp.metrics(), "/metrics", host)? == 200, "{host} is refused at /metrics");
    }
    let mut wrong = Vec::new();
    let foreign = [
        "evil.example",
        "evil.example:4318",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "10.0.0.1.evil.example",
    ];
    for host in foreign {
        let (sent, read) = (posted(host)?, get(preamp.metrics(), "/metrics", host)?);
        if (400..500).contains(&sent) && (400..500).contains(&read) {
            continue;
        }
        wrong.push(format!("{host}: POST is answered {sent}, /metrics {read}"));
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn a_form_of_another_site_is_refused_and_no_answer_is_for_its_scripts() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let preamp = Running::start(&Keys::default().text(receiver()?), &[], folder.path())?;
    let host = preamp.http.to_string();
    for media_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    {
        let headers = [("host", &*host), ("origin", "http://evil.example"), ("content-type", media_type)];
        let reply = exchange(preamp.http, "POST", "/v1/metrics", &headers, b"{}").context("no answer")?;
        ensure!(reply.status == 415, "{media_type} is answered {reply:?}");
        let open: Vec<_> = reply.headers.keys().filter(|name| name.starts_with("access-control-")).collect();
        ensure!(open.is_empty(), "{open:?}");
    }
    let headers =
        [("host", &*host), ("origin", "http://evil.example"), ("access-control-request-method", "POST")];
    let reply = exchange(preamp.http, "OPTIONS", "/v1/metrics", &headers, b"").context("no answer")?;
    ensure!(
        reply.status >= 400 && !reply.headers.keys().any(|name| name.starts_with("access-control-")),
        "{reply:?}"
    );
    Ok(())
}
