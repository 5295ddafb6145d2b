//! Gateways in `wasmtime serve`, on both worlds, and in `jco serve`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::all;
use super::scenarios::{CREDENTIALS, REGION, options};
use amp_stand_in::{Fault, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::gateway::{Gateway, World};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::running::signing;
use preamp_tests::sockets::{Payload, Socket};
use serde_json::{Value, json};

/// What compiles a gateway of a test and holds it to 16 MiB, where 8 MB of OTLP are too much.
const LITTLE_MEMORY: &str = "-Wmax-memory-size=16777216";

/// A payload that is too much for it.
fn too_much() -> Vec<u8> {
    payloads::requests(60_000)
}

/// A configuration that sends to the stand-in, with more keys of the exporter.
pub fn configuration(stand_in: &StandIn, keys: &Value) -> String {
    let keys = keys.as_object().into_iter().flatten().map(|(key, value)| format!("{key}: {value}"));
    let keys: Vec<_> = std::iter::once("target_info: {enabled: false}".to_owned()).chain(keys).collect();
    signing(REGION, "", &stand_in.url(), &keys.join("\n    "))
}

/// A gateway to the stand-in in `wasmtime serve`.
fn gateway(stand_in: &StandIn, world: World, keys: &Value, folder: &Path) -> anyhow::Result<Gateway> {
    Gateway::start(&configuration(stand_in, keys), world, &CREDENTIALS, &[], folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_in_wasmtime_serve() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| gateway(stand_in, World::Http02, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_on_0_3_in_wasmtime_serve() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| gateway(stand_in, World::Http03, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
async fn a_gateway_in_jco_serve() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| {
        Gateway::start_in_node(&configuration(stand_in, keys), &CREDENTIALS, &[], folder)
    })
    .await
}

/// What is no payload of metrics is answered as OTLP/HTTP wants, and whatever is refused is in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_takes_nothing_but_metrics_and_says_what_it_refuses() -> anyhow::Result<()> {
    for world in [World::Http02, World::Http03] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let mut gateway = gateway(&stand_in, world, &json!({}), folder.path())?;
        let headers = [("host", "gateway"), ("content-type", "application/x-protobuf")];
        let http = gateway.http;
        let status = |method, path: &str, headers: &[_], body: &[u8]| {
            exchange(http, method, path, headers, body).map(|reply| reply.status)
        };
        ensure!(status("POST", "/v1/traces", &headers, b"") == Some(404));
        ensure!(status("GET", "/v1/metrics", &headers, b"") == Some(405));
        ensure!(status("POST", "/v1/metrics", &headers[..1], b"") == Some(415));
        let large = vec![0; 33 << 20];
        ensure!(status("POST", "/v1/metrics", &headers, &large).is_none_or(|status| status == 413));
        ensure!(gateway.deliver(Payload::protobuf(b"\xff"))?.status == 400);
        let now = payloads::now_ms();
        let old = payloads::power([("good".to_owned(), now), ("old".to_owned(), now - 7_200_000)]);
        ensure!(gateway.deliver(Payload::protobuf(&old))?.rejected()? == 1);
        let said = gateway.said();
        for line in [
            "preamp: a request was refused with status 404: only metrics are taken here: POST them to /v1/metrics",
            "preamp: a request was refused with status 405: /v1/metrics takes POST requests",
            "preamp: invalid: Content-Type must be application/x-protobuf or application/json; ",
            "preamp: a request was refused with status 413: more than ",
            "preamp: invalid: not an OTLP metrics request: ",
            "preamp: too-old: 1 points, the first: metric \"power\"",
            "(answered 200; points: 1 delivered, 0 partly rejected, 1 rejected, 0 to be sent again)",
        ] {
            ensure!(said.contains(line), "{world:?}: {line} is not in\n{said}");
        }
    }
    Ok(())
}

/// A body that ends early is no payload, though what came of it could be read as one.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_takes_no_part_of_a_payload() -> anyhow::Result<()> {
    use std::io::{Read as _, Write as _};
    for world in [World::Http02, World::Http03] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let gateway = gateway(&stand_in, world, &json!({}), folder.path())?;
        let body = payloads::of_now(1, 1);
        let mut connection = std::net::TcpStream::connect(gateway.http)?;
        write!(
            connection,
            "POST /v1/metrics HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/x-protobuf\r\n\
             content-length: {}\r\n\r\n",
            2 * body.len()
        )?;
        connection.write_all(&body)?;
        connection.shutdown(std::net::Shutdown::Write)?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut answer = String::new();
        let _may_be_cut = connection.read_to_string(&mut answer);
        ensure!(!answer.starts_with("HTTP/1.1 200"), "{world:?}: {answer}");
        // The next one comes through, and is all there is.
        exchange_small(gateway.http).context("no answer")?;
        ensure!(stand_in.report().requests == 1, "{world:?}: {:?}", stand_in.report());
    }
    Ok(())
}

/// The status of a small payload.
fn exchange_small(gateway: SocketAddr) -> Option<u16> {
    let headers = [("host", "gateway"), ("content-type", "application/x-protobuf")];
    exchange(gateway, "POST", "/v1/metrics", &headers, &payloads::of_now(1, 1)).map(|reply| reply.status)
}

/// A sender hears of a receiver that is silent before its own patience ends, which is ten seconds as a rule.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_hears_of_a_silent_receiver() -> anyhow::Result<()> {
    let mut waiting = Vec::new();
    for world in [World::Http02, World::Http03] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let gateway = gateway(&stand_in, world, &json!({}), folder.path())?;
        for _ in 0..9 {
            stand_in.inject(Fault::Hang(Duration::from_secs(30)));
        }
        waiting.push(std::thread::spawn(move || {
            let begun = Instant::now();
            let status = exchange_small(gateway.http);
            (world, status, begun.elapsed(), gateway.said(), stand_in, folder)
        }));
    }
    for waiting in waiting {
        let (world, status, after, said, ..) = waiting.join().ok().context("a sender panicked")?;
        ensure!(
            status == Some(503) && after < Duration::from_secs(9),
            "{world:?}: {status:?} {after:?}\n{said}"
        );
        ensure!(said.contains("preamp: unavailable: the receiver cannot be reached"), "{said}");
    }
    Ok(())
}

/// What the operator forgot is in the log of the runtime, and a payload that is too much for one instance costs nobody else
/// anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_says_what_is_missing_and_outlives_what_is_too_much() -> anyhow::Result<()> {
    for world in [World::Http02, World::Http03] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let configuration = configuration(&stand_in, &json!({}));
        let mut gateway =
            Gateway::start(&configuration, world, &CREDENTIALS[..1], &[LITTLE_MEMORY], folder.path())?;
        let small = payloads::of_now(1, 1);
        for (body, status) in [(&small, 503), (&too_much(), 500), (&small, 503)] {
            let answer = gateway.deliver(Payload::protobuf(body))?;
            ensure!(answer.status == status, "{world:?} {}: {answer:?}\n{}", body.len(), gateway.said());
        }
        ensure!(gateway.said().contains("AWS_SECRET_ACCESS_KEY is not set"), "{}", gateway.said());
    }
    Ok(())
}

/// What a payload that is too much does to one that is under way at the same time.
fn neighbour_of_too_much(stand_in: &StandIn, gateway: &Gateway) -> anyhow::Result<Option<u16>> {
    // The receiver lets the first one wait.
    stand_in.inject(Fault::Hang(Duration::from_secs(2)));
    let http = gateway.http;
    let neighbour = std::thread::spawn(move || exchange_small(http));
    std::thread::sleep(Duration::from_millis(700));
    let headers = [("host", "gateway"), ("content-type", "application/x-protobuf")];
    let too_much = exchange(http, "POST", "/v1/metrics", &headers, &too_much()).map(|reply| reply.status);
    ensure!(too_much == Some(500), "{too_much:?}\n{}", gateway.said());
    neighbour.join().ok().context("the neighbour panicked")
}

/// On 0.2, and on 0.3 with one request at a time for each instance, who sends at the same time notices nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_too_much_costs_its_neighbours_nothing() -> anyhow::Result<()> {
    for (world, options_of_world) in
        [(World::Http02, &[][..]), (World::Http03, &["--max-instance-concurrent-reuse-count=1"])]
    {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let serving = [&[LITTLE_MEMORY], options_of_world].concat();
        let configuration = configuration(&stand_in, &json!({}));
        let gateway = Gateway::start(&configuration, world, &CREDENTIALS, &serving, folder.path())?;
        let neighbour = neighbour_of_too_much(&stand_in, &gateway)?;
        ensure!(neighbour == Some(200), "{world:?}: {neighbour:?}\n{}", gateway.said());
    }
    Ok(())
}

/// On 0.3 with several requests at a time for each instance, the runtime ends them all with the instance: they are not
/// acknowledged, and the next ones have another instance.
#[tokio::test(flavor = "multi_thread")]
async fn neighbours_in_the_same_instance_are_not_acknowledged() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let configuration = configuration(&stand_in, &json!({}));
    let gateway =
        Gateway::start(&configuration, World::Http03, &CREDENTIALS, &[LITTLE_MEMORY], folder.path())?;
    let neighbour = neighbour_of_too_much(&stand_in, &gateway)?;
    println!("a neighbour in the same instance was answered {neighbour:?}");
    ensure!(neighbour != Some(200), "it was not in the same instance: {}", gateway.said());
    ensure!(exchange_small(gateway.http) == Some(200), "{}", gateway.said());
    Ok(())
}
