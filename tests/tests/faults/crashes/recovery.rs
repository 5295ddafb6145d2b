//! What waited when the process was killed is delivered as fast as by a process that was not.

use super::rig::{audit, settled, times};
use anyhow::{Context as _, ensure};
use preamp_tests::good_sender;
use preamp_tests::payloads::{now_ms, power};
use preamp_tests::running::{PIPELINE, Running};
use preamp_tests::strict_receiver::{Manner, Seen, StrictReceiver};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const SERIES: usize = 1_000;
const SENDERS: usize = 8;

/// Slow, and fails one request in ten; it may store every other one of those.
fn open(stores_some: bool) -> Manner {
    Manner::Open { latency: Duration::from_millis(15), fails_every: 10, stores_some }
}

/// How many batches wait.
fn batches() -> usize {
    times("PREAMP_BATCHES", 10_000) as usize
}

fn configuration(receiver: &StrictReceiver, folder: &Path) -> String {
    format!(
        "{}
exporters:
  prometheusremotewrite:
    endpoint: {}
    profile: prometheus
    target_info: {{enabled: false}}
    wal: {{directory: {}}}
    retry_on_failure: {{initial_interval: 30ms, max_interval: 200ms}}
    remote_write_queue: {{queue_size: 100000, num_consumers: 5}}
",
        PIPELINE.replace("level: debug", "level: info"),
        receiver.url(),
        folder.join("queue").display()
    )
}

/// Sends payloads of one point each, each series in the order of time.
fn send(http: SocketAddr) -> anyhow::Result<()> {
    let start = now_ms() - batches() as i64;
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            std::thread::spawn(move || -> anyhow::Result<()> {
                for number in 0..batches() {
                    if number % SERIES % SENDERS == sender {
                        let phase = (number % SERIES).to_string();
                        good_sender::post(http, &power([(phase, start + number as i64)]))?;
                    }
                }
                Ok(())
            })
        })
        .collect();
    senders.into_iter().try_for_each(|sender| sender.join().ok().context("a sender failed")?)
}

/// How a process ends that has filled the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kill {
    No,
    Waiting,
    /// While its requests are stored, and not answered. Of those that fail later, some are stored, too.
    InFlight,
}

/// Fills the queue while the receiver is away, then has it delivered, by another process if this one is killed.
async fn drained(kill: Kill) -> anyhow::Result<(Seen, u64)> {
    let folder = tempfile::tempdir()?;
    let receiver = StrictReceiver::start().await?;
    let configuration = configuration(&receiver, folder.path());
    let mut running = Running::start(&configuration, &[], folder.path())?;
    let http = running.http;
    tokio::task::spawn_blocking(move || send(http)).await??;
    if kill == Kill::InFlight {
        receiver.set(Manner::Silent);
        tokio::time::sleep(Duration::from_millis(500)).await;
        ensure!(receiver.samples() > 0, "no request is in flight");
    }
    if kill == Kill::No {
        receiver.set(open(false));
    } else {
        running.kill();
        receiver.set(open(kill == Kill::InFlight));
        running = Running::start(&configuration, &[], folder.path())?;
    }
    running.wait_for_empty_queue()?;
    let presumed = presumed(&running.self_metrics()?);
    ensure!(running.terminate()?.success(), "{}", running.said());
    let audit = audit(folder.path())?;
    ensure!(audit["queued"] == 0 && settled(&audit, "delivered") == batches() as u64, "{audit}");
    ensure!(receiver.samples() == batches(), "{} of {} samples", receiver.samples(), batches());
    Ok((receiver.seen(), presumed))
}

/// Points that were taken for delivered.
fn presumed(page: &str) -> u64 {
    let mut lines = page.lines().filter(|line| line.starts_with("preamp_presumed_delivered_points_total"));
    lines.find_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_queue_is_emptied_at_no_less_than_half_the_speed() -> anyhow::Result<()> {
    let (usual, _) = drained(Kill::No).await?;
    let (killed, _) = drained(Kill::Waiting).await?;
    let (in_flight, presumed) = drained(Kill::InFlight).await?;
    for (name, seen) in
        [("no kill", &usual), ("killed", &killed), ("killed with requests in flight", &in_flight)]
    {
        println!("{name}: {} batches in {:?}, {seen:?}", batches(), seen.took());
    }
    println!("{presumed} points were refused as repeats");
    // On a machine that does other things as well, a moment more or less says nothing.
    let most = 2 * usual.took() + Duration::from_millis(300);
    ensure!(killed.took() <= most, "{:?} after a kill, {:?} without one", killed.took(), usual.took());
    ensure!(usual.refused + killed.refused == 0, "nothing was stored twice: {killed:?}");
    // Only what was sent before is refused: what came behind it was sent apart.
    ensure!(in_flight.requests < batches() as u64 / 4, "{in_flight:?}");
    Ok(())
}
