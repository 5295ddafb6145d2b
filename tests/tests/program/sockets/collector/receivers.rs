//! What receivers do, and what becomes of payloads then.

use std::time::{Duration, Instant};

use amp_stand_in::{Fault, Options, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::children::wait_for;
use preamp_tests::collector::Collector;
use preamp_tests::loopback::free_ports;
use preamp_tests::payloads;
use preamp_tests::sockets::{Payload, Socket as _};

use super::super::scenarios::{CREDENTIALS, FAULTS, REGION, Scenario, deliver, options, stored};
use super::{NO_QUEUE, configuration, signed};

/// The time stands in the payload alone, and the Collector does not look at it.
const SCENARIOS: [Scenario; 3] = [Scenario::ClockAhead, Scenario::ClockBehind, Scenario::Downgrade];

fn play(faults: &[Fault], collector: &mut Collector, stand_in: &StandIn) -> anyhow::Result<()> {
    for (fault, value) in faults.iter().cloned().zip(1..) {
        stand_in.inject(fault);
        deliver(collector, &payloads::of_now(2, value)).context(fault.name())?;
        ensure!(stored(stand_in).len() as i64 == 2 * value, "{}", fault.name());
    }
    // Longer than the component waits: the Collector tries again.
    for _ in 0..12 {
        stand_in.inject(Fault::Unavailable);
    }
    deliver(collector, &payloads::of_now(2, 100)).context("503 for a while")?;
    let report = stand_in.report();
    ensure!(stored(stand_in).len() == 2 * (faults.len() + 1), "{:?}", stored(stand_in));
    ensure!(report.faults.len() == faults.len() && report.refused() == 0, "{report:?}");
    ensure!(
        collector.said().contains("Will retry the request after interval"),
        "the Collector did not try again"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn faults_cost_no_point() -> anyhow::Result<()> {
    let extension = ["auth: {authenticator: sigv4auth}", "profile: aps", NO_QUEUE];
    for keys in [&[&*signed(), NO_QUEUE][..], &extension] {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(options()).await?;
        let mut text = configuration(&stand_in, keys);
        if keys.len() == extension.len() {
            text = text.replace("service: {", "service: {extensions: [sigv4auth], ")
                + &format!("extensions: {{sigv4auth: {{region: {REGION}, service: aps}}}}\n");
        }
        let mut collector = Collector::start(&text, &CREDENTIALS, folder.path())?;
        // An extension keeps its credentials, so a token that is refused holds delivery for half a minute.
        let is_signed_here = keys.len() != extension.len();
        let faults: Vec<_> =
            FAULTS.into_iter().filter(|fault| is_signed_here || *fault != Fault::ExpiredToken).collect();
        play(&faults, &mut collector, &stand_in).map_err(|error| {
            error.context(format!("{keys:?}: {:?}\n{}", stand_in.report(), collector.said()))
        })?;
        ensure!(stand_in.report().unverified == 0, "{:?}", stand_in.report());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn clocks_and_versions_are_the_receivers() -> anyhow::Result<()> {
    for scenario in SCENARIOS {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(scenario.receiver()).await?;
        let more = scenario.options();
        let more = more.as_object().into_iter().flatten().map(|(key, value)| format!("{key}: {value}"));
        let keys: Vec<_> = [signed(), NO_QUEUE.to_owned()].into_iter().chain(more).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let mut collector = Collector::start(&configuration(&stand_in, &keys), &CREDENTIALS, folder.path())?;
        scenario.play(&mut collector, &stand_in).map_err(|error| {
            error.context(format!("{scenario:?}: {:?}\n{}", stand_in.report(), collector.said()))
        })?;
    }
    Ok(())
}

/// What nobody takes is counted and logged; a payload of nothing else is a permanent error, for which the Collector's receiver
/// answers 500. Senders do not repeat that.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn points_that_nobody_takes_are_told_of() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let text = configuration(&stand_in, &[&signed(), NO_QUEUE]);
    let mut collector = Collector::start(&text, &CREDENTIALS, folder.path())?;
    let now = payloads::now_ms();
    for _ in 0..3 {
        let points = [("good".to_owned(), payloads::now_ms()), ("old".to_owned(), now - 7_200_000)];
        deliver(&mut collector, &payloads::power(points))?;
    }
    let old = payloads::power([("old".to_owned(), now - 7_200_000)]);
    let answer = collector.deliver(Payload::protobuf(&old))?;
    ensure!(answer.status == 500 && answer.text().contains("all 1 points were rejected"), "{answer:?}");

    let said = collector.said();
    ensure!(said.matches("\tpoints were rejected: too-old\t").count() == 1, "once a minute: {said}");
    ensure!(said.contains("too-old") && said.contains("max_sample_age"), "{said}");
    for (name, value) in
        [("delivered_points", 3.0), ("rejected_points", 4.0), ("partly_rejected_points", 0.0)]
    {
        let name = format!("otelcol_exporter_preamp_{name}");
        let found = collector.metric(&name)?;
        ensure!((found - value).abs() < 0.5, "{name} is {found}, not {value}:\n{}", collector.metrics()?);
    }
    Ok(())
}

/// A payload that is too much for an instance of the component is an error, and the next one is delivered.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn a_payload_that_fails_an_instance_costs_no_other() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(options()).await?;
    let text = configuration(&stand_in, &[&signed(), NO_QUEUE, "instance_memory_bytes: 8388608"]);
    let mut collector = Collector::start(&text, &CREDENTIALS, folder.path())?;
    for value in [1, 2] {
        deliver(&mut collector, &payloads::of_now(1, value))?;
        let answer = collector.deliver(Payload::protobuf(&payloads::requests(60_000)))?;
        ensure!(answer.status == 500 && answer.text().contains("fails each instance"), "{answer:?}");
    }
    deliver(&mut collector, &payloads::of_now(1, 3))?;
    ensure!(stored(&stand_in) == [1.0, 2.0, 3.0], "{:?}", stored(&stand_in));
    let replaced = collector.metric("otelcol_exporter_preamp_replaced_instances")?;
    ensure!((replaced - 4.0).abs() < 0.5, "{replaced} instances were replaced");
    Ok(())
}

/// What is in a queue on disk outlives the receiver's absence and the Collector's end, and comes in order.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn nothing_acknowledged_is_lost_while_the_receiver_is_away() -> anyhow::Result<()> {
    const PAYLOADS: i64 = 20;
    let folder = tempfile::tempdir()?;
    let [port] = free_ports()?;
    let address = (std::net::Ipv4Addr::LOCALHOST, port).into();
    let storage = folder.path().join("queue");
    std::fs::create_dir(&storage)?;
    let stand_in = StandIn::start_on(address, options()).await?;
    let text = configuration(
        &stand_in,
        &[
            &signed(),
            "sending_queue: {storage: file_storage}",
            "retry_on_failure: {max_interval: 1s, max_elapsed_time: 0}",
        ],
    );
    let text = text.replace("service: {", "service: {extensions: [file_storage], ")
        + &format!("extensions: {{file_storage: {{directory: '{}', fsync: true}}}}\n", storage.display());
    stand_in.shutdown().await;

    let mut sent = 0;
    for _ in 0..2 {
        let mut collector = Collector::start(&text, &CREDENTIALS, folder.path())?;
        for _ in 0..PAYLOADS / 2 {
            sent += 1;
            deliver(&mut collector, &payloads::of_now(1, sent))?;
            std::thread::sleep(Duration::from_millis(2));
        }
        let asked = Instant::now();
        let ended = collector.terminate()?;
        ensure!(
            ended.success() && asked.elapsed() < Duration::from_secs(10),
            "{ended}: {}",
            collector.said()
        );
    }

    let stand_in = StandIn::start_on(address, options()).await?;
    let mut collector = Collector::start(&text, &CREDENTIALS, folder.path())?;
    let all: Vec<_> = (1..=sent).map(|value| value as f64).collect();
    wait_for("all payloads", || Ok((stored(&stand_in) == all).then_some(())))
        .with_context(|| format!("{:?} {:?}\n{}", stored(&stand_in), stand_in.report(), collector.said()))?;
    ensure!(collector.terminate()?.success(), "{}", collector.said());
    let report = stand_in.report();
    ensure!(report.refused() == 0 && report.unverified == 0, "{report:?}");
    Ok(())
}

/// A receiver of no signature, for header fields: those of the file, and those of senders.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn several_payloads_are_under_way_if_that_is_asked_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let text = configuration(
        &stand_in,
        &["sending_queue: {num_consumers: 4}", "retry_on_failure: {enabled: false}"],
    );
    let mut collector = Collector::start(&text, &[], folder.path())?;
    for _ in 0..4 {
        stand_in.inject(Fault::Hang(Duration::from_secs(3)));
    }
    let started = Instant::now();
    for value in 1..=4 {
        deliver(&mut collector, &payloads::of_now(1, value))?;
    }
    wait_for("four requests at once", || {
        Ok((stand_in.report().faults.values().sum::<u64>() == 4).then_some(()))
    })?;
    ensure!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    ensure!(collector.said().contains("payloads overtake each other"), "{}", collector.said());
    Ok(())
}
