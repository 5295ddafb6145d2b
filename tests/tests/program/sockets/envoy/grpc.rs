//! OTLP/gRPC, which a bridge in Envoy makes OTLP/HTTP of; and a real SDK over both.

use amp_stand_in::{Fault, Options, StandIn, Storage};
use anyhow::{Context as _, ensure};
use preamp_tests::any_sender::{Anything, send_grpc};
use preamp_tests::envoy::{Changes, Envoy};
use preamp_tests::payloads;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorded::record;

use super::start;
use crate::sockets::scenarios::{CREDENTIALS, REGION, options, packed, stored};

/// Codes of gRPC.
const OK: u16 = 0;
const INTERNAL: u16 = 13;
const UNAVAILABLE: u16 = 14;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn grpc_is_answered_in_its_own_codes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let envoy = start(&stand_in, folder.path()).await?;
    let send = async |body: Vec<u8>| send_grpc(envoy.grpc, &Anything::protobuf("a payload", body)).await;
    // All taken, which is an empty message; a part taken; nothing in it; nothing that can be read.
    let now = payloads::now_ms();
    let partly = payloads::power([("good".to_owned(), now), ("old".to_owned(), now - 7_200_000)]);
    for (name, body, code) in [
        ("all", payloads::of_now(2, 1), OK),
        ("a part", partly, OK),
        ("nothing", Vec::new(), OK),
        ("malformed", vec![0xff; 3], INTERNAL),
    ] {
        let answer = send(body).await.with_context(|| format!("{name}\n{}", envoy.said()))?;
        ensure!(answer.code == code, "{name}: {answer:?}\n{}", envoy.said());
    }
    ensure!(stored(&stand_in).len() == 3, "{:?}", stand_in.series());
    for _ in 0..12 {
        stand_in.inject(Fault::Unavailable);
    }
    let answer = send(payloads::of_now(1, 1)).await?;
    ensure!(answer.code == UNAVAILABLE, "{answer:?}\n{}", envoy.said());
    Ok(())
}

/// The Collector packs with gzip unless it is told otherwise. The bridge takes the frame of a message away, and with it what
/// says whether the message is packed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn packed_messages_are_taken() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let envoy = start(&stand_in, folder.path()).await?;
    let payload = payloads::of_now(5, 1);
    let message = Anything::packed("gzip", "gzip", packed("gzip", &payload)?);
    let answer = send_grpc(envoy.grpc, &message).await?;
    ensure!(answer.code == OK, "{answer:?}\n{}", envoy.said());
    ensure!(stored(&stand_in).len() == 5, "{:?}", stand_in.series());
    // One that is not packed, though the call says how it would be.
    let mut connection = preamp_tests::any_sender::GrpcConnection::open(envoy.grpc).await?;
    let plain = preamp_tests::any_sender::message(&payloads::of_now(5, 2), false);
    let answer = connection.call(plain, Some("gzip"), &[]).await?;
    ensure!(answer.code == OK, "{answer:?}\n{}", envoy.said());
    ensure!(stored(&stand_in).len() == 10, "{:?}", stand_in.series());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which fetches Envoy"]
async fn what_an_sdk_recorded_is_what_prometheus_answers() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let upstream = prometheus.write_url().parse()?;
    let stand_in = StandIn::start(Options { storage: Storage::Prometheus(upstream), ..options() }).await?;
    let envoy = Envoy::start(stand_in.address(), &Changes::few(REGION, &CREDENTIALS), folder.path()).await?;
    for protocol in ["http", "grpc"] {
        let recorded = record(protocol, envoy.http, envoy.grpc).with_context(|| envoy.said())?;
        recorded.examine(prometheus.address()).context(protocol)?;
    }
    let report = stand_in.report();
    println!("an SDK over HTTP and gRPC: {} of {} signatures verified", report.verified, report.requests);
    ensure!(report.verified > 0 && report.verified == report.requests && report.refused() == 0, "{report:?}");
    // Nothing that Envoy shows has the secret, and the filter could not have it.
    for place in [envoy.said(), envoy.page("/config_dump")?, envoy.page("/stats")?] {
        let (_, secret) = CREDENTIALS[1];
        ensure!(!place.contains(secret), "{place}");
    }
    Ok(())
}
