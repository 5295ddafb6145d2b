//! Memory is bounded, whoever sends what over whatever protocol. Each of these once took more than 512 MiB.

use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use preamp_tests::any_sender::{Answer, Anything, GrpcConnection, message, send_grpc, send_http};
use preamp_tests::hostile_payloads::{GROWING, LABEL, growing, histogram};
use preamp_tests::http2_wire::{END_HEADERS, Wire, call, frame, kind};
use tokio::task::JoinSet;

use crate::hostile::rig::{Attacked, Keys, PATIENCE};

const PAYLOAD_TOO_LARGE: u16 = 413;
const RESOURCE_EXHAUSTED: u16 = 8;

/// Whether a refusal is final, is no book, and names what is to blame.
fn is_clear(answer: &Answer, names: &[&str]) -> bool {
    [PAYLOAD_TOO_LARGE, RESOURCE_EXHAUSTED].contains(&answer.code)
        && answer.text.len() < 4_000
        && names.iter().all(|name| answer.text.contains(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_150_kb_that_becomes_300_mb_is_refused_with_metric_and_label_named() -> anyhow::Result<()>
{
    let exporter = ", resource_to_telemetry_conversion: {enabled: true}";
    let attacked = Attacked::in_pod(Keys { exporter, ..Keys::default() })?;
    let mut wrong = Vec::new();
    for request in growing() {
        let names: &[_] = if request.name == "a name" { &[] } else { &[GROWING, LABEL] };
        let mut answers = vec![("HTTP", send_http(attacked.preamp.http, &request).await)];
        if !request.is_json {
            answers.push(("gRPC", send_grpc(attacked.preamp.grpc, &request).await));
        }
        for (protocol, answer) in answers {
            if !answer.as_ref().is_ok_and(|answer| is_clear(answer, names)) {
                wrong.push(format!("{} over {protocol}: {answer:?}", request.name));
            }
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of 11 are not refused as they should be:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    attacked.survives(PATIENCE)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_payloads_that_grow_at_once_take_no_more_than_there_is() -> anyhow::Result<()> {
    let attacked = Attacked::in_pod(Keys::default())?;
    // One grows to 30 MB, which is not much, but sixteen at once are: half of them are sent over each protocol.
    let payload = Bytes::from(histogram(1_000, 30_000));
    let mut sending = JoinSet::new();
    for number in 0..16 {
        let request = Anything::protobuf("buckets", payload.clone());
        let (http, grpc) = (attacked.preamp.http, attacked.preamp.grpc);
        sending.spawn(async move {
            if number % 2 == 0 { send_http(http, &request).await } else { send_grpc(grpc, &request).await }
        });
    }
    let answers = sending.join_all().await;
    let unanswered = answers.iter().filter(|answer| answer.is_err()).count();
    ensure!(unanswered == 0, "{unanswered} of 16 got no answer: {answers:?}");
    attacked.survives(PATIENCE)?;
    Ok(())
}

#[test]
fn two_hundred_thousand_open_streams_in_one_grpc_connection_are_not_taken() -> anyhow::Result<()> {
    const STREAMS: u32 = 200_000;
    let attacked = Attacked::in_pod(Keys::default())?;
    let mut wire = Wire::open(attacked.preamp.grpc)?;
    let head = call();
    let mut opened = 0;
    for numbers in (0..STREAMS).collect::<Vec<_>>().chunks(1_000) {
        let frames: Vec<u8> = numbers
            .iter()
            .flat_map(|number| frame(kind::HEADERS, END_HEADERS, number * 2 + 1, &head))
            .collect();
        if wire.send(&frames).is_err() {
            break;
        }
        opened += numbers.len();
    }
    let heard = wire.wait_for(Duration::from_secs(1), |heard| heard.ended.is_some());
    println!("{opened} streams were opened: {heard:?}");
    let memory = attacked.memory_mib();
    ensure!(memory.is_some_and(|mebibytes| mebibytes < 128.0), "{memory:?} MiB of memory");
    let most = heard.streams_max;
    ensure!(most.is_some_and(|most| most <= 1_000), "it says that it takes {most:?} streams at once");
    ensure!(heard.resets > 0 || heard.ended.is_some(), "no stream was refused: {heard:?}");
    attacked.survives(PATIENCE)?;
    Ok(())
}

/// Begins so many calls in each of some connections, with bytes that say more will follow.
async fn begin_calls(
    attacked: &Attacked,
    connections: usize,
    calls: usize,
    bytes: usize,
) -> anyhow::Result<Vec<GrpcConnection>> {
    let mut whole = message(&vec![0; bytes], false);
    // The last byte never comes.
    whole.truncate(whole.len() - 1);
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut connection = GrpcConnection::open(attacked.preamp.grpc).await?;
        for _ in 0..calls {
            // What is refused here is refused in time, which is what this is about.
            let _begun =
                tokio::time::timeout(Duration::from_millis(200), connection.begin(whole.clone())).await;
        }
        held.push(connection);
    }
    Ok(held)
}

/// The most memory that the process had, once that does not grow any more.
async fn settled(attacked: &Attacked) -> Option<f64> {
    let mut before = None;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let memory = attacked.memory_mib();
        if memory == before {
            break;
        }
        before = memory;
    }
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_grpc_that_never_end_share_the_room_for_requests() -> anyhow::Result<()> {
    let attacked = Attacked::in_pod(Keys::default())?;
    let held = begin_calls(&attacked, 4, 100, 4 << 20).await?;
    let memory = settled(&attacked).await;
    println!("400 calls of 4 MiB: {memory:?} MiB");
    drop(held);
    // While all room for requests is taken, others are asked to come again.
    attacked.lives_on(PATIENCE)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn large_calls_of_grpc_that_never_end_share_the_room_for_requests() -> anyhow::Result<()> {
    let grpc = ", max_recv_msg_size_mib: 66";
    let attacked = Attacked::in_pod(Keys { grpc, ..Keys::default() })?;
    let held = begin_calls(&attacked, 4, 6, 66 << 20).await?;
    let memory = settled(&attacked).await;
    println!("24 calls of 66 MiB: {memory:?} MiB");
    drop(held);
    // While all room for requests is taken, others are asked to come again.
    attacked.lives_on(PATIENCE)?;
    Ok(())
}

#[test]
fn two_thousand_idle_connections_take_little_memory() -> anyhow::Result<()> {
    let attacked = Attacked::start(Keys::default())?;
    let mut held = Vec::new();
    for number in 0..2_000 {
        let to = if number % 2 == 0 { attacked.preamp.http } else { attacked.preamp.grpc };
        held.extend(std::net::TcpStream::connect_timeout(&to, Duration::from_secs(1)));
    }
    let memory = attacked.memory_mib();
    ensure!(
        memory.is_some_and(|mebibytes| mebibytes < 100.0),
        "{memory:?} MiB for {} connections",
        held.len()
    );
    attacked.survives(PATIENCE)?;
    Ok(())
}
