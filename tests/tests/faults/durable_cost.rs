//! What it costs to keep the queue on disk: the rate at which payloads are acknowledged, how long that takes, and
//! how long a large queue takes to open. Absolute times are those of the machine, so ratios are what is required.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use preamp_config::Directory;
use preamp_queue::Queue;
use preamp_queue::durable::{DurableQueue, Folder, Options};
use preamp_tests::queue::batch;
use preamp_tests::running::{PIPELINE, Running};
use preamp_tests::{payloads, sink};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const SENDERS: usize = 16;
const POINTS: usize = 1_000;
const LASTS: Duration = Duration::from_secs(4);
const ROUNDS: usize = 2;

/// Held by whoever measures, so that one measurement does not slow the other down.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Payloads acknowledged, and how long each took.
struct Measured {
    rate: f64,
    latencies: Vec<Duration>,
}

impl Measured {
    fn percentile(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() * percent / 100).min(self.latencies.len() - 1)]
    }
}

/// Sends payloads from many senders at once, each of which waits for the answer.
async fn measure(http: SocketAddr) -> anyhow::Result<Measured> {
    let payload = Bytes::from(payloads::requests(POINTS));
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let start = Instant::now();
    let senders = (0..SENDERS).map(|_| {
        let (client, payload) = (client.clone(), payload.clone());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < LASTS {
                let request = Request::post(format!("http://{http}/v1/metrics"))
                    .header("content-type", "application/x-protobuf")
                    .body(Full::new(payload.clone()))?;
                let sent = Instant::now();
                let answer = client.request(request).await?;
                if answer.status().is_success() {
                    latencies.push(sent.elapsed());
                }
            }
            anyhow::Ok(latencies)
        })
    });
    let mut latencies = Vec::new();
    for sender in senders.collect::<Vec<_>>() {
        latencies.extend(sender.await??);
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    ensure!(!latencies.is_empty(), "nothing was acknowledged");
    Ok(Measured { rate, latencies })
}

async fn measure_with(keys: &str, folder: &Path) -> anyhow::Result<Measured> {
    let (receiver, _) = sink::start(Duration::ZERO).await?;
    let configuration = format!(
        "{}
exporters:
  prometheusremotewrite:
    endpoint: http://{receiver}/api/v1/write
    profile: prometheus
    remote_write_queue: {{num_consumers: 4}}
    {keys}
",
        PIPELINE.replace("level: debug", "level: info")
    );
    let mut running = Running::start(&configuration, &[], folder)?;
    let measured = measure(running.http).await?;
    running.wait_for_empty_queue()?;
    ensure!(running.terminate()?.success(), "{}", running.said());
    Ok(measured)
}

/// How long the disk takes to synchronize what one payload comes to.
fn synchronizing(folder: &Path) -> anyhow::Result<Vec<Duration>> {
    let file = File::create(folder.join("synchronized"))?;
    let bytes = vec![7; 40_000];
    let mut times = Vec::new();
    for number in 0..200 {
        file.write_all_at(&bytes, number * bytes.len() as u64)?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_disk_at_least_three_fifths_of_the_rate_in_memory() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    // On a real disk, which the folder for temporary files need not be.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let wal = format!("wal: {{directory: {}}}", folder.path().join("queue").display());
    let mut best: [Option<Measured>; 2] = [None, None];
    for _ in 0..ROUNDS {
        for (keys, best) in ["", &wal].into_iter().zip(&mut best) {
            let measured = measure_with(keys, folder.path()).await?;
            if best.as_ref().is_none_or(|best| best.rate < measured.rate) {
                *best = Some(measured);
            }
        }
    }
    let [Some(memory), Some(disk)] = best else { anyhow::bail!("nothing was measured") };
    let synchronizing = synchronizing(folder.path())?;
    for (name, measured) in [("memory", &memory), ("disk", &disk)] {
        println!(
            "{name}: {:.0} payloads/s of {POINTS} points, acknowledged after {:?} (p50), {:?} (p99)",
            measured.rate,
            measured.percentile(50),
            measured.percentile(99)
        );
    }
    println!("fdatasync of 40,000 bytes: {:?} (p50), {:?} (p99)", synchronizing[100], synchronizing[198]);
    println!("ratio: {:.2}", disk.rate / memory.rate);
    ensure!(
        disk.rate >= 0.6 * memory.rate,
        "{:.0} payloads/s on disk, {:.0} in memory",
        disk.rate,
        memory.rate
    );
    Ok(())
}

/// Bytes of the queue that is opened; `./build.sh soak` makes it 1 GiB.
fn queue_bytes() -> u64 {
    std::env::var("PREAMP_QUEUE_BYTES").ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(128 << 20)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_queue_is_open_within_a_second() -> anyhow::Result<()> {
    const BATCH: usize = 32 * 1024;
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let options = Options {
        exporter: "prometheusremotewrite".to_owned(),
        partitions: 4,
        max_payloads: u64::MAX,
        max_points: u64::MAX,
        max_bytes: 4 * queue_bytes(),
        min_free_bytes: 0,
        cached_bytes: 1 << 20,
        index_bytes: u64::MAX,
    };
    let open = || {
        DurableQueue::open(Arc::new(Folder::reserve(&Directory::private(folder.path()))?), &options)
            .context("open")
    };
    let (queue, _) = open()?;
    let queue = Arc::new(queue);
    let batches = queue_bytes() / BATCH as u64;
    let writers = (0..SENDERS as u64).map(|writer| {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move {
            for number in (writer..batches).step_by(SENDERS) {
                queue.append(vec![batch((number % 4) as u32, number, BATCH)]).await?;
            }
            anyhow::Ok(())
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    // As after a crash.
    drop(Arc::into_inner(queue).context("one owner")?);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    let (queue, found) = open()?;
    let took = start.elapsed();
    println!("{} bytes in {} batches were open after {took:?}", queue_bytes(), found.batches);
    ensure!(found.batches == batches && !found.was_closed, "{found:?}");
    ensure!(took <= Duration::from_secs(1), "{took:?}");
    drop(queue);
    Ok(())
}
