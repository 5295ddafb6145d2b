//! What an operator's other tools see of `preamp run`: health, reloads, and what systemd is told.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use preamp_tests::children::wait_for;
use preamp_tests::loopback::{Reply, exchange};
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running, post};

/// An endpoint where nobody listens, so that what was accepted stays queued.
const NOWHERE: &str = "http://127.0.0.1:9/api/v1/write";

/// A configuration with a health extension of this kind.
fn configuration(extension: &str) -> String {
    let (id, _) = extension.split_once(':').unwrap_or((extension, ""));
    let pipeline = PIPELINE.replace("service:\n", &format!("service:\n  extensions: [{id}]\n"));
    format!(
        "{pipeline}\nextensions:\n  {extension}\nexporters: {{prometheusremotewrite: {{endpoint: {NOWHERE}}}}}\n"
    )
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<Reply> {
    exchange(address, "GET", path, &[("host", "preamp")], b"").context("no answer")
}

fn json(reply: &Reply) -> serde_json::Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply:?}"))
}

#[test]
fn health_is_told_in_the_words_of_the_collector_and_of_prometheus() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut preamp =
        Running::start(&configuration("health_check: {endpoint: 127.0.0.1:0}"), &[], folder.path())?;
    let health = preamp.health.context("no health server")?;
    let reply = get(health, "/")?;
    let body = json(&reply);
    assert_eq!((reply.status, &body["status"]), (200, &"Server available".into()), "{reply:?}");
    assert!(body["upSince"].as_str().is_some_and(|since| since.starts_with("20")), "{reply:?}");
    assert!(body["uptime"].as_str().is_some_and(|uptime| uptime.ends_with('s')), "{reply:?}");
    assert_eq!(get(health, "/other")?.status, 404);
    for reply in [get(health, "/-/ready")?, preamp.ask("/-/ready")?] {
        assert_eq!((reply.status, reply.body.as_str()), (200, "preamp is ready.\n"));
    }
    assert_eq!(preamp.ask("/-/healthy")?.status, 200);

    // What is queued keeps it from ending at once, and it says that it takes nothing any more.
    post(preamp.http, &payloads::of_now(5, 1))?;
    preamp.stop()?;
    let stopping = wait_for("it to say that it stops", || {
        Ok(Some(get(health, "/")?).filter(|reply| reply.status == 503))
    })?;
    assert_eq!(json(&stopping)["status"], "Server not available");
    assert_eq!((get(health, "/-/ready")?.status, preamp.ask("/-/ready")?.status), (503, 503));
    assert_eq!(preamp.ask("/-/healthy")?.status, 200);
    let ended = preamp.terminate()?;
    ensure!(!ended.success(), "what nobody took is lost, and the exit status says so");
    Ok(())
}

#[test]
fn the_second_style_tells_the_status_of_the_pipeline() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let preamp = Running::start(
        &configuration("healthcheckv2: {use_v2: true, http: {endpoint: '127.0.0.1:0'}}"),
        &[],
        folder.path(),
    )?;
    let health = preamp.health.context("no health server")?;
    let reply = get(health, "/status?verbose")?;
    let body = json(&reply);
    assert_eq!((reply.status, &body["healthy"], &body["status"]), (200, &true.into(), &"StatusOK".into()));
    assert_eq!(body["components"]["pipeline:metrics"]["status"], "StatusOK", "{reply:?}");
    assert_eq!(json(&get(health, "/status?pipeline=metrics")?)["status"], "StatusOK");
    assert_eq!((get(health, "/status?pipeline=logs")?.status, get(health, "/")?.status), (404, 404));
    Ok(())
}

#[test]
fn an_exporter_that_waits_for_credentials_is_unhealthy_after_a_while() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let signer = "sigv4auth: {region: eu-west-1, service: aps}";
    let text = configuration(
        "healthcheckv2: {use_v2: true, http: {endpoint: '127.0.0.1:0'}, component_health: \
         {include_recoverable_errors: true, recovery_duration: 300ms}}",
    );
    let text = text
        .replace("extensions: [healthcheckv2]", "extensions: [healthcheckv2, sigv4auth]")
        .replace("extensions:\n  health", &format!("extensions:\n  {signer}\n  health"))
        .replace(
            &format!("endpoint: {NOWHERE}"),
            &format!("endpoint: {NOWHERE}, auth: {{authenticator: sigv4auth}}"),
        );
    let preamp = Running::start(&text, &[], folder.path())?;
    let health = preamp.health.context("no health server")?;
    assert_eq!(get(health, "/status")?.status, 200);
    post(preamp.http, &payloads::of_now(5, 1))?;
    let unhealthy = wait_for("it to be unhealthy", || {
        Ok(Some(get(health, "/status")?).filter(|reply| reply.status == 500))
    })?;
    let body = json(&unhealthy);
    assert_eq!((&body["healthy"], &body["status"]), (&false.into(), &"StatusRecoverableError".into()));
    assert!(body["error"].as_str().is_some_and(|error| error.contains("credentials")), "{unhealthy:?}");
    Ok(())
}

#[test]
fn a_changed_file_is_read_again_and_counted() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = configuration("health_check: {endpoint: 127.0.0.1:0}");
    let mut preamp = Running::start_with(&text, &["--watch-config"], &[], folder.path())?;
    preamp.write(&text.replace(NOWHERE, "nowhere"))?;
    preamp.wait_for("the broken file", |log| log.contains("the one of before stays in use").then_some(()))?;
    preamp.write(&text.replace("write}", "write, timeout: 3s}"))?;
    preamp.wait_for("the good file", |log| log.contains("read again and is in use").then_some(()))?;
    let page = wait_for("the reload to be counted", || {
        Ok(Some(preamp.self_metrics()?)
            .filter(|page| page.contains("preamp_config_last_reload_successful 1")))
    })?;
    for line in [
        "preamp_config_reloads_total{outcome=\"failure\"} 1",
        "preamp_config_reloads_total{outcome=\"success\"} 1",
    ] {
        assert!(page.contains(line), "{page}");
    }
    Ok(())
}

#[test]
fn systemd_is_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let next = || -> anyhow::Result<String> {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned())
    };
    // What is not about being alive.
    let told = || -> anyhow::Result<String> {
        loop {
            let told = next()?;
            if told != "WATCHDOG=1" {
                return Ok(told);
            }
        }
    };
    let environment = [("NOTIFY_SOCKET", path.to_str().context("a path")?), ("WATCHDOG_USEC", "200000")];
    let text = configuration("health_check: {endpoint: 127.0.0.1:0}");
    let mut preamp = Running::start(&text, &environment, folder.path())?;
    assert_eq!(next()?, "READY=1");
    assert_eq!((next()?.as_str(), next()?.as_str()), ("WATCHDOG=1", "WATCHDOG=1"));
    for text in [&text, "broken"] {
        preamp.reload(text)?;
        let reloading = told()?;
        ensure!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        assert_eq!(told()?, "READY=1");
    }
    ensure!(preamp.terminate()?.success(), "{}", preamp.said());
    assert_eq!(told()?, "STOPPING=1");
    Ok(())
}
