//! What these tests are made of: a real Prometheus behind the stand-in, and a queue on disk in front of it.

use amp_stand_in::{Limits, Options, Script, Signer, StandIn, Storage};
use anyhow::ensure;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::running::{Running, preamp, signing};
use serde_json::Value;
use std::path::Path;

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
pub const ENVIRONMENT: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)];

pub const PARTITIONS: u64 = 5;

/// How often something is done, which `./build.sh soak` says in a variable.
pub fn times(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|times| times.parse().ok()).unwrap_or(usual)
}

/// A configuration that delivers to an endpoint, with its queue in a folder.
pub fn configuration(endpoint: &str, queue: &Path, more: &str) -> String {
    let exporter = format!(
        "profile: prometheus\n    wal: {{directory: {}}}\n    remote_write_queue: {{num_consumers: {PARTITIONS}}}\n    {more}",
        queue.display()
    );
    signing(REGION, "", endpoint, &exporter)
}

/// An endpoint at which nobody listens.
pub fn nowhere() -> anyhow::Result<String> {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    Ok(format!("http://{closed}/api/v1/write"))
}

/// A stand-in in front of a Prometheus.
pub async fn receiver(prometheus: &Prometheus, faults: Script) -> anyhow::Result<StandIn> {
    receiver_with(prometheus, faults, Limits::default()).await
}

/// The same with limits of its own.
pub async fn receiver_with(
    prometheus: &Prometheus,
    faults: Script,
    limits: Limits,
) -> anyhow::Result<StandIn> {
    let signer = Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION);
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    Ok(StandIn::start(Options { storage, faults, limits, ..Options::signed(signer) }).await?)
}

/// What `preamp audit` says of the files that the configuration in a folder names. Fails if it does not balance.
pub fn audit(folder: &Path) -> anyhow::Result<Value> {
    let output = preamp(&["audit", "--json"], &folder.join("preamp.yaml"))?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "audit: {said}{}", String::from_utf8_lossy(&output.stdout));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The points in a state, of an audit.
pub fn settled(audit: &Value, state: &str) -> u64 {
    let states = audit["settled"].as_array().into_iter().flatten();
    states.filter(|each| each["state"] == state).filter_map(|each| each["points"].as_u64()).sum()
}

/// Delivers all that waits, with a process that then ends in order, and checks that all of it was delivered.
pub fn deliver_rest(configuration: &str, folder: &Path) -> anyhow::Result<Value> {
    let mut running = Running::start(configuration, &ENVIRONMENT, folder)?;
    running.wait_for_empty_queue()?;
    ensure!(running.terminate()?.success(), "{}", running.said());
    let audit = audit(folder)?;
    ensure!(audit["queued"] == 0 && settled(&audit, "delivered") == audit["accepted"], "{audit}");
    Ok(audit)
}
