//! A few bad series cost only themselves in time. Each test prints its figures.

use super::{configuration, payload, url};
use anyhow::ensure;
use preamp_tests::running::{Running, post};
use preamp_tests::scripted_receiver::{Asked, Says, ScriptedReceiver, Stores};
use std::time::{Duration, Instant};

const PAYLOADS: usize = 6;
const SERIES: usize = 1_000;
const ALL: usize = PAYLOADS * SERIES;
/// One in so many is bad.
const BAD_EVERY: usize = 20;
/// How long a receiver takes to answer.
const LATENCY: Duration = Duration::from_millis(5);

fn receiver(status: u16, text: &'static str, stores: Stores) -> std::io::Result<ScriptedReceiver> {
    ScriptedReceiver::start(move |Asked { bad, .. }| {
        let says = if bad == 0 { Says::taken(204) } else { Says::refused(status, text, stores) };
        Says { after: LATENCY, ..says }
    })
}

fn start(receiver: &ScriptedReceiver, keys: &str, folder: &std::path::Path) -> anyhow::Result<Running> {
    Running::start(&configuration(&url(receiver.address(), "/api/v1/write"), keys), &[], folder)
}

/// Waits until so many good samples are stored, and says how long it took.
fn until_stored(
    receiver: &ScriptedReceiver,
    samples: usize,
    since: Instant,
    most: Duration,
) -> anyhow::Result<Duration> {
    while receiver.samples() < samples {
        let stored = receiver.samples();
        ensure!(since.elapsed() < most, "{stored} of {samples} good samples are stored after {most:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(since.elapsed())
}

#[test]
fn a_receiver_that_stores_the_valid_part_settles_everything_at_once() -> anyhow::Result<()> {
    const LIMIT: &str = "failed pushing to ingester: user=anonymous: per-user series limit of 990000 exceeded \
                         (err-mimir-max-series-per-user)";
    let receiver = receiver(400, LIMIT, Stores::ValidPart)?;
    let folder = tempfile::tempdir()?;
    let running = start(&receiver, "", folder.path())?;
    let since = Instant::now();
    (0..PAYLOADS).try_for_each(|_| post(running.http, &payload(SERIES, BAD_EVERY)))?;
    while running.points("delivered")? + running.points("partly_rejected")? < ALL as f64 {
        ensure!(since.elapsed() < Duration::from_secs(10), "{}", running.self_metrics()?);
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{ALL} points settled after {:?}, {} requests", since.elapsed(), receiver.requests());
    ensure!(receiver.samples() == ALL - ALL / BAD_EVERY, "{}", receiver.samples());
    Ok(())
}

#[test]
fn a_receiver_that_rolls_back_gets_the_good_ones_within_a_minute() -> anyhow::Result<()> {
    let good = ALL - ALL / BAD_EVERY;
    for consumers in [5, 1] {
        let receiver = receiver(400, "out of order sample\n", Stores::Nothing)?;
        let folder = tempfile::tempdir()?;
        let keys = format!("remote_write_queue: {{num_consumers: {consumers}}}");
        let running = start(&receiver, &keys, folder.path())?;
        let since = Instant::now();
        (0..PAYLOADS).try_for_each(|_| post(running.http, &payload(SERIES, BAD_EVERY)))?;
        let most = until_stored(&receiver, good * 9 / 10, since, Duration::from_secs(60))?;
        let all = until_stored(&receiver, good, since, Duration::from_secs(120))?;
        running.wait_for_empty_queue()?;
        let requests = receiver.requests();
        println!(
            "{consumers} consumers: 90 % of {good} good points after {most:?}, all after {all:?}, {requests} requests"
        );
        ensure!(running.points("delivered")? == good as f64, "{}", running.self_metrics()?);
        ensure!(running.points("rejected")? == (ALL - good) as f64, "{}", running.self_metrics()?);
    }
    Ok(())
}

/// One such payload each ten seconds must be settled before the next one comes.
#[test]
fn a_receiver_that_rolls_back_lets_no_backlog_grow() -> anyhow::Result<()> {
    let receiver = receiver(400, "out of order sample\n", Stores::Nothing)?;
    let folder = tempfile::tempdir()?;
    let running = start(&receiver, "remote_write_queue: {num_consumers: 1}", folder.path())?;
    // As much as may be spared of what comes back in a minute is spent by the first ones.
    for round in 1..=4 {
        let (since, before) = (Instant::now(), receiver.requests());
        post(running.http, &payload(SERIES, BAD_EVERY))?;
        running.wait_for_empty_queue()?;
        let (took, requests) = (since.elapsed(), receiver.requests() - before);
        println!("payload {round}: settled after {took:?}, {requests} requests");
        ensure!(took < Duration::from_secs(10), "payload {round} took {took:?}");
    }
    Ok(())
}
