//! A long run under load with one fault after the other: nothing acknowledged is lost, the ledger is balanced, and memory
//! and disk are as before once what waited is delivered. `PREAMP_LONG_RUN_SECONDS` says how long it lasts: an hour, if
//! nothing is said.

use anyhow::{Context as _, ensure};
use preamp_tests::children::{resident_mib, wait_for};
use preamp_tests::disks::{MemoryDisk, disk_usage};
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running, self_metric};
use preamp_tests::sink::{self, Taken, Trouble};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const SENDERS: usize = 20;
/// A payload of so many points from each sender, ten times a second: 20,000 points a second.
const POINTS: usize = 100;
const EVERY: Duration = Duration::from_millis(100);

/// How long the way back may take: a pause of a minute ends, and what waited is delivered.
const WAY_BACK: Duration = Duration::from_secs(240);

/// What may still be under way when the queue counts as empty.
const UNDER_WAY: f64 = 40_000.0;

const DISK_MIB: u64 = 512;
const MEMORY_MIB: f64 = 64.0;
const LEFT_ON_DISK: u64 = 80 << 20;

/// What goes wrong.
enum Fault {
    Receiver(&'static str, Trouble),
    Killed,
    Reloaded,
    DiskFull,
}

const AMP: &str = "user=111122223333_ws-1: err: out of order sample. timestamp=2026-12-01T16:00:00Z, series={__name__=\"m\"}";
const EXPIRED: &str = "{\"message\":\"The security token included in the request is expired\"}";
const DENIED: &str =
    "{\"Message\":\"User: arn:aws:iam::111122223333:user/w is not authorized to perform: aps:RemoteWrite\"}";
const RATE: &str = "ingestion rate limit (1666666) exceeded while adding 2000 samples and 0 metadata";

const FAULTS: [Fault; 11] = [
    Fault::Receiver("503", Trouble::Refuses(503, "")),
    Fault::Receiver("429", Trouble::Refuses(429, RATE)),
    Fault::Receiver("no answer", Trouble::Hangs(Duration::from_secs(3))),
    Fault::Killed,
    Fault::Receiver("expired keys", Trouble::Refuses(403, EXPIRED)),
    Fault::Receiver("denied", Trouble::Refuses(403, DENIED)),
    Fault::Reloaded,
    Fault::Receiver("wrong workspace", Trouble::Refuses(404, "{\"Message\":\"Workspace not found\"}")),
    Fault::Receiver("500", Trouble::Refuses(500, "the storage is not ready")),
    Fault::Receiver("400 of AMP", Trouble::TakesAndRefuses(400, AMP)),
    Fault::DiskFull,
];

fn seconds() -> u64 {
    std::env::var("PREAMP_LONG_RUN_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3600)
}

/// Who sends, and how much of it was acknowledged.
struct Senders {
    to: Mutex<SocketAddr>,
    stop: AtomicBool,
    acknowledged: AtomicU64,
}

impl Senders {
    /// Sends each payload until it is acknowledged, as SDKs do.
    async fn send(self: Arc<Self>, number: usize) {
        let (mut client, mut known) = (None, None);
        let mut due = tokio::time::interval(EVERY);
        let (mut value, mut time) = (0, 0);
        while !self.stop.load(Ordering::Relaxed) {
            due.tick().await;
            value += 1;
            // What is due at once after a pause has times of its own, or it would count as a repeat.
            time = payloads::now_ms().max(time + 1);
            let payload = payloads::of_sender(number, POINTS, time, value);
            while !self.stop.load(Ordering::Relaxed) {
                let to = *self.to.lock().unwrap_or_else(PoisonError::into_inner);
                if known != Some(to) {
                    (client, known) = (Some(OtlpClient::new(to)), Some(to));
                }
                let Some(client) = &client else { continue };
                if client.send(payload.clone().into()).await.is_ok() {
                    self.acknowledged.fetch_add(POINTS as u64, Ordering::Relaxed);
                    break;
                }
                tokio::time::sleep(EVERY).await;
            }
        }
    }
}

/// Waits until hardly anything waits.
async fn back(running: &Running) -> anyhow::Result<Duration> {
    let began = Instant::now();
    while running.queued()? > UNDER_WAY {
        ensure!(began.elapsed() < WAY_BACK, "still {} points wait\n{}", running.queued()?, running.said());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(began.elapsed())
}

/// accepted + recovered = delivered + … + queued. A page that is made while a payload is taken may have it in one of
/// these and not yet in the other.
fn check_ledger(running: &Running) -> anyhow::Result<()> {
    wait_for("a balanced ledger", || Ok(is_balanced(&running.self_metrics()?)?.then_some(())))
}

fn is_balanced(page: &str) -> anyhow::Result<bool> {
    let all = |state: &str| self_metric(page, "preamp_points_total", &format!("state=\"{state}\""));
    let ends =
        ["delivered", "partly_rejected", "rejected", "expired", "quarantined", "damaged", "handed_over"];
    let (came, went) = (all("accepted") + all("recovered"), ends.map(all).iter().sum::<f64>());
    let queued = self_metric(page, "preamp_points_queued", "");
    ensure!(page.contains("\npreamp_points_queued "), "no preamp_points_queued\n{page}");
    let lost: f64 = ["rejected", "expired", "quarantined", "damaged"].map(all).iter().sum();
    ensure!(lost == 0.0, "{lost} points were lost\n{page}");
    Ok(came == went + queued)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an hour"]
async fn nothing_is_lost_and_nothing_grows_through_one_fault_after_the_other() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = MemoryDisk::mount(&folder.path().join("disk"), DISK_MIB)?;
    let queue = disk.path().join("queue");
    let (address, taken) = sink::start_looking().await?;
    let configuration = format!(
        "{PIPELINE}
exporters:
  prometheusremotewrite:
    endpoint: http://{address}/api/v1/write
    profile: aps
    target_info: {{enabled: false}}
    timeout: 1s
    wal: {{directory: {}}}
    max_queue_bytes: 268435456
    retry_on_failure: {{max_interval: 1s}}
",
        queue.display()
    )
    .replace("level: debug", "level: info");
    let running = Running::start(&configuration, &[], folder.path())?;
    let senders = Arc::new(Senders {
        to: Mutex::new(running.http),
        stop: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
    });
    let tasks: Vec<_> = (0..SENDERS).map(|number| tokio::spawn(senders.clone().send(number))).collect();
    let share = Duration::from_secs(seconds()) / (FAULTS.len() as u32 + 1);
    tokio::time::sleep(share).await;
    let before = (resident_mib(running.id())?, disk_usage(&queue)?);
    println!("before: {:.0} MiB resident, {} KiB on the disk", before.0, before.1 >> 10);
    let mut scene = Scene { folder, disk, taken, senders, configuration, running };
    for fault in &FAULTS {
        let began = Instant::now();
        let name = scene.suffer(fault, share / 2).await?;
        let way_back = back(&scene.running).await.with_context(|| format!("after {name}"))?;
        check_ledger(&scene.running).with_context(|| format!("after {name}"))?;
        println!(
            "{name}: back after {way_back:.1?}; {:.0} MiB resident, {} KiB on the disk, {} points acknowledged",
            resident_mib(scene.running.id())?,
            disk_usage(&queue)? >> 10,
            scene.senders.acknowledged.load(Ordering::Relaxed)
        );
        tokio::time::sleep(share.saturating_sub(began.elapsed())).await;
    }
    let Scene { taken, senders, running, .. } = &mut scene;
    let after = (resident_mib(running.id())?, disk_usage(&queue)?);
    senders.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await?;
    }
    running.wait_for_empty_queue()?;
    check_ledger(running)?;
    let acknowledged = senders.acknowledged.load(Ordering::Relaxed);
    let (came, again) =
        (taken.of_senders.load(Ordering::Relaxed), taken.out_of_order.load(Ordering::Relaxed));
    println!("{acknowledged} points acknowledged; {came} samples came, {again} of all samples once more");
    ensure!(
        came - again.min(came) >= acknowledged,
        "{acknowledged} acknowledged, {came} came, {again} again"
    );
    ensure!(after.0 < before.0 + MEMORY_MIB, "{:.0} MiB became {:.0}", before.0, after.0);
    ensure!(after.1 < LEFT_ON_DISK, "{} bytes of the disk are still used", after.1);
    ensure!(running.terminate()?.success(), "{}", running.said());
    Ok(())
}

/// Everything that a fault may touch.
struct Scene {
    folder: tempfile::TempDir,
    disk: MemoryDisk,
    taken: Arc<Taken>,
    senders: Arc<Senders>,
    configuration: String,
    running: Running,
}

impl Scene {
    /// Lets something go wrong for a while, and says what it was.
    async fn suffer(&mut self, fault: &Fault, lasting: Duration) -> anyhow::Result<&'static str> {
        Ok(match fault {
            Fault::Receiver(name, trouble) => {
                self.taken.be_in(Some(*trouble));
                tokio::time::sleep(lasting).await;
                self.taken.be_in(None);
                name
            }
            Fault::Killed => {
                self.taken.be_in(Some(Trouble::Refuses(503, "")));
                tokio::time::sleep(lasting / 2).await;
                let id = self.running.id().to_string();
                ensure!(Command::new("kill").args(["-KILL", &id]).status()?.success(), "cannot kill");
                tokio::time::sleep(Duration::from_millis(200)).await;
                self.running = Running::start(&self.configuration, &[], self.folder.path())?;
                *self.senders.to.lock().unwrap_or_else(PoisonError::into_inner) = self.running.http;
                tokio::time::sleep(lasting / 2).await;
                self.taken.be_in(None);
                "kill -9 during an outage"
            }
            Fault::Reloaded => {
                for round in 0..4 {
                    let timeout = format!("timeout: {}s", 1 + round % 2);
                    self.running.reload(&self.configuration.replace("timeout: 1s", &timeout))?;
                    tokio::time::sleep(lasting / 4).await;
                }
                "reloads"
            }
            Fault::DiskFull => {
                self.disk.fill()?;
                tokio::time::sleep(lasting).await;
                self.disk.free()?;
                "disk full"
            }
        })
    }
}
