//! Crashes of the process under load: nothing that was acknowledged is lost, and every point is accounted for. The
//! receiver is a real Prometheus, which takes samples only in their order, behind the stand-in, which checks signatures.

use amp_stand_in::{Fault, Options, Script, Signer, StandIn, Storage};
use anyhow::{Context as _, ensure};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::recorder::Senders;
use preamp_tests::running::{Running, preamp, signing};
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
const ENVIRONMENT: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)];

const SENDERS: usize = 4;
const SERIES: usize = 25;
const PARTITIONS: u64 = 5;

/// How often it is killed; `./build.sh soak` makes it 200.
fn kills() -> u64 {
    std::env::var("PREAMP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

fn configuration(endpoint: &str, folder: &Path) -> String {
    let exporter = format!(
        "profile: prometheus\n    wal: {{directory: {}}}\n    remote_write_queue: {{num_consumers: {PARTITIONS}}}",
        folder.join("queue").display()
    );
    signing(REGION, "", endpoint, &exporter)
}

/// A stand-in in front of a Prometheus.
async fn receiver(prometheus: &Prometheus, faults: Script) -> anyhow::Result<StandIn> {
    let signer = Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION);
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    Ok(StandIn::start(Options { storage, faults, ..Options::signed(signer) }).await?)
}

/// What `preamp audit` says of the files.
fn audit(folder: &Path) -> anyhow::Result<serde_json::Value> {
    let output = preamp(&["audit", "--json"], &folder.join("preamp.yaml"))?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "audit: {said}{}", String::from_utf8_lossy(&output.stdout));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The points in a state, of an audit.
fn settled(audit: &serde_json::Value, state: &str) -> u64 {
    let states = audit["settled"].as_array().into_iter().flatten();
    states.filter(|each| each["state"] == state).filter_map(|each| each["points"].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_again_and_again_loses_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    // Some requests are stored although the answer is lost, and some are not taken at once.
    let faults = Script::every(
        NonZeroU64::new(7).context("not zero")?,
        [Fault::LoseAnswer, Fault::Unavailable, Fault::CutAfterBody],
    );
    let stand_in = receiver(&prometheus, faults).await?;
    let configuration = configuration(&stand_in.url(), folder.path());
    let senders = Senders::start(SENDERS, SERIES, Duration::from_millis(3));
    let mut random = fastrand::Rng::with_seed(kills());
    for _ in 0..kills() {
        let running = Running::start(&configuration, &ENVIRONMENT, folder.path())?;
        senders.send_to(Some(running.http));
        tokio::time::sleep(Duration::from_millis(random.u64(50..600))).await;
        senders.send_to(None);
        running.kill();
        audit(folder.path()).context("after a kill")?;
    }
    let mut running = Running::start(&configuration, &ENVIRONMENT, folder.path())?;
    senders.send_to(Some(running.http));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let records = senders.stop()?;
    running.wait_for_empty_queue()?;
    ensure!(running.terminate()?.success(), "{}", running.said());

    let stored = records.check(prometheus.address())?;
    let audit = audit(folder.path())?;
    let report = stand_in.report();
    println!(
        "{} kills: {} samples acknowledged, {stored} stored, {} payloads resent by senders; {audit}; {report:?}",
        kills(),
        records.acknowledged(),
        records.resent()
    );
    ensure!(records.acknowledged() > kills() * 100, "there was hardly any load");
    ensure!(audit["queued"] == 0 && settled(&audit, "delivered") == audit["accepted"], "{audit}");
    // What is there twice was sent twice: at most one request of each partition for each kill or fault.
    let faults: u64 = report.faults.values().sum();
    let sent_again = report.samples_stored - stored.min(report.samples_stored);
    let in_a_request = report.samples_stored.div_ceil(report.requests.max(1));
    let most = 2 * in_a_request * (kills() * PARTITIONS + faults) + records.resent() * SERIES as u64;
    ensure!(sent_again <= most, "{sent_again} samples were sent again, expected at most {most}");
    Ok(())
}

/// What was taken while the receiver was away is delivered by the next process, in order.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_outlives_a_stop_in_order() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let away = configuration(&format!("http://{closed}/api/v1/write"), folder.path());
    let mut running = Running::start(&away, &ENVIRONMENT, folder.path())?;
    let senders = Senders::start(2, 10, Duration::from_millis(1));
    senders.send_to(Some(running.http));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let records = senders.stop()?;
    ensure!(running.terminate()?.success(), "what waits is no reason to fail: {}", running.said());
    ensure!(running.said().contains("is delivered after the next start"), "{}", running.said());
    let before = audit(folder.path())?;
    ensure!(before["queued"].as_u64() >= Some(records.acknowledged()), "{before}");

    let stand_in = receiver(&prometheus, Script::default()).await?;
    let here = configuration(&stand_in.url(), folder.path());
    std::fs::write(folder.path().join("preamp.yaml"), here)?;
    let mut drain = preamp(&["queue", "drain"], &folder.path().join("preamp.yaml"))?;
    let drained = drain.envs(ENVIRONMENT).output()?;
    ensure!(drained.status.success(), "{}", String::from_utf8_lossy(&drained.stderr));
    records.check(prometheus.address())?;
    let report = stand_in.report();
    ensure!(report.refused() == 0 && report.unverified == 0, "{report:?}");
    ensure!(audit(folder.path())?["queued"] == 0, "{}", audit(folder.path())?);
    Ok(())
}
