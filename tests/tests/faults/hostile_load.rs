//! Good load beside an attack, in the pod of `deploy/kubernetes`: the process lives, good senders hardly notice, and
//! nothing that was acknowledged to them is lost. `PREAMP_HOSTILE_SECONDS` says how long both phases last together,
//! `PREAMP_HOSTILE_PAYLOADS` how many hostile payloads the attack has; without it they come one after the other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::StatusCode;
use preamp_tests::any_sender::{Anything, send_grpc, send_http};
use preamp_tests::children::wait_for;
use preamp_tests::control_group::ControlGroup;
use preamp_tests::hostile_payloads::random;
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;
use preamp_tests::running::Running;
use preamp_tests::sink;
use tokio::task::JoinSet;

/// The manifest's limit.
const POD_BYTES: u64 = 512 << 20;

/// Good senders, which send a payload of so many points five times a second each.
const SENDERS: usize = 10;
const POINTS: usize = 100;
const EVERY: Duration = Duration::from_millis(200);

/// How many hostile payloads are sent at a time.
const AT_A_TIME: usize = 16;

/// What an answer may always take: the attackers and the receiver share two processors with what is measured. Without
/// lanes and with memory that does not go back to the system it was 300 to 900 ms.
const FLOOR: Duration = Duration::from_millis(200);

/// How long a sender waits before it tries again.
const PAUSE: Duration = Duration::from_millis(50);

const SEED: u64 = 21;

/// How many of them there are at least.
fn enough() -> usize {
    if seconds() < 60 { 250 } else { 1_000 }
}

fn seconds() -> u64 {
    std::env::var("PREAMP_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

/// The settings of the manifest, but for addresses and signature.
fn configuration(receiver: SocketAddr) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      grpc: {{endpoint: '127.0.0.1:0'}}
      http: {{endpoint: '127.0.0.1:0'}}
processors:
  memory_limiter: {{check_interval: 1s, limit_percentage: 80, spike_limit_percentage: 20}}
exporters:
  prometheusremotewrite:
    endpoint: http://{receiver}/api/v1/remote_write
    external_labels: {{cluster: test}}
extensions:
  health_check: {{endpoint: '127.0.0.1:0'}}
service:
  extensions: [health_check]
  telemetry:
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}
  pipelines:
    metrics: {{receivers: [otlp], processors: [memory_limiter], exporters: [prometheusremotewrite]}}
"
    )
}

/// How many hostile payloads are spread over the attack, in bursts, if there is a limit.
fn payloads_in_all() -> Option<usize> {
    std::env::var("PREAMP_HOSTILE_PAYLOADS").ok().and_then(|text| text.parse().ok())
}

/// What the good senders saw.
#[derive(Default)]
struct Seen {
    acknowledged: AtomicU64,
    /// Answers that ask for another try, and how often.
    asked_again: Mutex<BTreeMap<String, u64>>,
    refused: Mutex<Vec<String>>,
    took: Mutex<Vec<Duration>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// How long 99 of 100 answers took at most, of those since this was last asked.
    fn p99(&self) -> (usize, Duration) {
        let mut took = std::mem::take(&mut *lock(&self.took));
        took.sort();
        (
            took.len(),
            took.get((took.len() * 99 / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default(),
        )
    }
}

async fn send_well(number: usize, to: SocketAddr, stop: Arc<AtomicBool>, seen: Arc<Seen>) {
    let client = OtlpClient::new(to);
    let mut due = tokio::time::interval(EVERY);
    let (mut time, mut value) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        due.tick().await;
        (time, value) = (payloads::now_ms().max(time + 1), value + 1);
        let payload = Bytes::from(payloads::of_sender(number, POINTS, time, value));
        let began = Instant::now();
        loop {
            match client.offer(payload.clone()).await {
                Ok((StatusCode::OK, _)) => {
                    seen.acknowledged.fetch_add(POINTS as u64, Ordering::Relaxed);
                    lock(&seen.took).push(began.elapsed());
                    break;
                }
                // A good sender tries again when it is asked to. All of that is what the answer took.
                Ok((StatusCode::SERVICE_UNAVAILABLE, body)) => {
                    let text = String::from_utf8_lossy(&body)
                        .replace(|c: char| !c.is_ascii_graphic() || c.is_ascii_digit(), " ");
                    *lock(&seen.asked_again).entry(text).or_default() += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                other => {
                    lock(&seen.refused).push(format!("after {:?}: {other:?}", began.elapsed()));
                    break;
                }
            }
        }
    }
}

/// Starts good senders, on a thread of their own: what attackers and the receiver do in this process is not what is
/// measured.
fn good_senders(
    to: SocketAddr,
    stop: &Arc<AtomicBool>,
    seen: &Arc<Seen>,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, seen) = (Arc::clone(stop), Arc::clone(seen));
    Ok(std::thread::spawn(move || {
        runtime.block_on(async {
            let mut senders = JoinSet::new();
            for number in 0..SENDERS {
                senders.spawn(send_well(number, to, Arc::clone(&stop), Arc::clone(&seen)));
            }
            senders.join_all().await;
        });
    }))
}

/// What the attackers saw: how many payloads got which answer, and how long those of each kind took together.
#[derive(Default)]
struct Attacks {
    answers: Mutex<BTreeMap<String, u64>>,
    took: Mutex<BTreeMap<String, Duration>>,
}

/// Sends hostile payloads in turn until there were enough, and until the end of the attack at least.
async fn send_ill(
    requests: Arc<Vec<Anything>>,
    next: Arc<AtomicUsize>,
    (begin, lasting): (Instant, Duration),
    (grpc, http): (SocketAddr, SocketAddr),
    attacks: Arc<Attacks>,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        match payloads_in_all() {
            Some(all) if number >= all => return tokio::time::sleep_until((begin + lasting).into()).await,
            Some(all) => {
                let burst = number / AT_A_TIME * AT_A_TIME;
                let due = begin + lasting.mul_f64(burst as f64 / all as f64);
                tokio::time::sleep_until(due.into()).await;
            }
            None if number >= enough() && begin.elapsed() > lasting => return,
            None => {}
        }
        let request = &requests[number % requests.len()];
        // Each is sent over both protocols in turn, as far as there is JSON and deflate in them.
        let over_grpc = !request.is_json
            && request.packing != Some("deflate")
            && (number / requests.len() + number).is_multiple_of(2);
        let began = Instant::now();
        let answer = if over_grpc { send_grpc(grpc, request).await } else { send_http(http, request).await };
        *lock(&attacks.took).entry(request.name.clone()).or_default() += began.elapsed();
        let protocol = if over_grpc { "gRPC" } else { "HTTP" };
        let told = match answer {
            Ok(answer) => format!("{protocol} {}", answer.code),
            Err(error) => {
                // Nobody may be there any more.
                tokio::time::sleep(PAUSE).await;
                format!("{protocol}: {}", error.root_cause())
            }
        };
        *lock(&attacks.answers).entry(told).or_default() += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_senders_hardly_notice_a_thousand_hostile_payloads_and_lose_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (address, taken) = sink::start_looking().await?;
    let requests = Arc::new(random(SEED, 200));
    let bytes: usize = requests.iter().map(|request| request.body.len()).sum();
    println!("seed {SEED}: {} hostile payloads, {} MB", requests.len(), bytes / 1_000_000);
    let group = ControlGroup::new(POD_BYTES)?;
    let mut preamp =
        Running::start_through(&configuration(address), |run| group.command(run), &[], folder.path())?;
    let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
    let senders = good_senders(preamp.http, &stop, &seen)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    seen.p99();
    let phase = Duration::from_secs(seconds().div_ceil(4));
    tokio::time::sleep(phase).await;
    let (quiet, before) = seen.p99();

    let attacks = Arc::new(Attacks::default());
    let (next, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut attack = JoinSet::new();
    for _ in 0..AT_A_TIME {
        let to = (preamp.grpc, preamp.http);
        attack.spawn(send_ill(
            Arc::clone(&requests),
            Arc::clone(&next),
            (began, phase * 3),
            to,
            Arc::clone(&attacks),
        ));
    }
    attack.join_all().await;
    let lasted = began.elapsed();
    let (loud, during) = seen.p99();
    stop.store(true, Ordering::Relaxed);
    tokio::task::spawn_blocking(|| senders.join()).await?.ok().context("the good senders broke down")?;
    let (peak, killed) = (group.peak_bytes()?, group.killed()?);
    let sent: u64 = lock(&attacks.answers).values().sum();
    println!(
        "{sent} hostile payloads in {lasted:.1?}, {AT_A_TIME} at a time, answered {:?}",
        lock(&attacks.answers)
    );
    println!("they took together {:.1?}", lock(&attacks.took));
    println!("good senders were asked to try again: {:?}", lock(&seen.asked_again));
    println!(
        "the good senders' p99: {before:.1?} of {quiet} without the attack, {during:.1?} of {loud} beside it; \
         memory at most {:.0} of {} MiB",
        peak as f64 / f64::from(1 << 20),
        POD_BYTES >> 20
    );
    ensure!(killed == 0, "{killed} processes were killed for want of memory:\n{}", tail(&preamp.said()));
    let refused = std::mem::take(&mut *lock(&seen.refused));
    ensure!(refused.is_empty(), "{} good payloads were not taken, the first {}", refused.len(), refused[0]);
    ensure!(peak < POD_BYTES, "the limit of {POD_BYTES} bytes was reached");
    let acknowledged = seen.acknowledged.load(Ordering::Relaxed);
    let all_there = wait_for("all that was acknowledged to be delivered", || {
        Ok((taken.of_senders.load(Ordering::Relaxed) >= acknowledged).then_some(()))
    });
    let delivered = taken.of_senders.load(Ordering::Relaxed);
    println!("{acknowledged} points were acknowledged to the good senders, {delivered} delivered");
    all_there?;
    ensure!(delivered == acknowledged, "{delivered} delivered, {acknowledged} acknowledged");
    let page = preamp.self_metrics().context("it does not answer any more")?;
    ensure!(preamp.terminate()?.success(), "{}", tail(&preamp.said()));
    println!("{} lines in the log", preamp.said().lines().count());
    ensure!(during <= (before * 2).max(FLOOR), "p99 went from {before:?} to {during:?}:\n{page}");
    Ok(())
}

/// The end of a log, which may be long.
fn tail(said: &str) -> String {
    let lines: Vec<_> = said.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
