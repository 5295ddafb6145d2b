//! An outage of the receiver under full load: the queue on disk takes it all, memory stays as it is, and what waited is
//! delivered in order. `PREAMP_OUTAGE_SECONDS` says how long it lasts.

use anyhow::{Context as _, ensure};
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running};
use preamp_tests::sink;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SENDERS: usize = 10;
/// A payload of so many points from each sender, five times a second: 50,000 points a second.
const POINTS: usize = 1_000;
const EVERY: Duration = Duration::from_millis(200);

/// How much memory may differ: what is kept of the queue in memory, and a place in it for each batch.
const MEMORY_MIB: f64 = 160.0;

fn seconds() -> u64 {
    std::env::var("PREAMP_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

async fn send(number: usize, to: SocketAddr, stop: Arc<AtomicBool>, acknowledged: Arc<AtomicU64>) {
    let client = OtlpClient::new(to);
    let mut due = tokio::time::interval(EVERY);
    let mut value = 0;
    while !stop.load(Ordering::Relaxed) {
        due.tick().await;
        value += 1;
        let payload = payloads::of_sender(number, POINTS, payloads::now_ms(), value);
        let is_taken = client.send(payload.into()).await.is_ok();
        acknowledged.fetch_add(u64::from(is_taken) * POINTS as u64, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_during_an_outage_is_delivered_in_order_with_memory_as_before() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (address, taken) = sink::start_looking().await?;
    let configuration = format!(
        "{PIPELINE}
exporters:
  prometheusremotewrite:
    endpoint: http://{address}/api/v1/write
    profile: aps
    wal: {{directory: {}}}
    max_queue_bytes: 8589934592
    remote_write_queue: {{queue_size: 1000000}}
    retry_on_failure: {{max_interval: 1s}}
",
        folder.path().join("queue").display()
    );
    let running = Running::start(&configuration, &[], folder.path())?;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| tokio::spawn(send(number, running.http, stop.clone(), acknowledged.clone())))
        .collect();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = running.memory_mib()?;
    taken.is_away.store(true, Ordering::Relaxed);
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds())).await;
    let during = running.memory_mib()?;
    let waiting = acknowledged.load(Ordering::Relaxed) - taken.samples.load(Ordering::Relaxed);
    let rate = acknowledged.load(Ordering::Relaxed) as f64 / (began.elapsed().as_secs_f64() + 3.0);
    taken.is_away.store(false, Ordering::Relaxed);
    let back = Instant::now();
    // Senders go on until all that waited is delivered.
    while taken.samples.load(Ordering::Relaxed) + SENDERS as u64 * POINTS as u64 * 2
        < acknowledged.load(Ordering::Relaxed)
    {
        ensure!(back.elapsed() < Duration::from_secs(3600), "not within AMP's hour");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = back.elapsed();
    let peak = running.memory_mib()?;
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await?;
    }
    running.wait_for_empty_queue()?;
    let (sent, came) = (acknowledged.load(Ordering::Relaxed), taken.samples.load(Ordering::Relaxed));
    println!(
        "{} s away at {rate:.0} points/s: {waiting} points waited and were delivered in {took:?} beside what came; memory \
         {before:.0} MiB before, {during:.0} at the end of the outage, {peak:.0} at most",
        seconds()
    );
    ensure!(came >= sent, "{sent} points were acknowledged, {came} came");
    ensure!(taken.out_of_order.load(Ordering::Relaxed) == 0, "{taken:?}");
    ensure!(waiting > POINTS as u64 * seconds(), "there was hardly any load");
    ensure!(during < before + MEMORY_MIB, "{before} MiB became {during}");
    running.points("delivered").context("it is still there")?;
    Ok(())
}
