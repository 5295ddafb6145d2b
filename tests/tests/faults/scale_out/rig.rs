//! What these tests are made of.

use amp_stand_in::{Limits, Options, Script, StandIn};
use anyhow::ensure;
use preamp_tests::nats::Cluster;
use preamp_tests::recorder::Records;
use preamp_tests::running::{PIPELINE, Running};
use std::path::Path;
use std::time::Duration;

/// A receiver that takes nothing out of order.
pub async fn receiver(faults: Script) -> anyhow::Result<StandIn> {
    let limits = Limits { out_of_order_window: Duration::ZERO, ..Limits::default() };
    Ok(StandIn::start(Options { limits, faults, ..Options::unsigned() }).await?)
}

/// A configuration with the queue in the cluster.
pub fn configuration(cluster: &Cluster, endpoint: &str, nats: &str, exporter: &str) -> String {
    let pipeline = PIPELINE.replace("service:\n", "service:\n  extensions: [nats]\n");
    format!(
        "{pipeline}
{}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    profile: aps
    timeout: 1s
    sending_queue: {{storage: nats, num_consumers: 8}}
    retry_on_failure: {{initial_interval: 10ms, max_interval: 100ms}}
{exporter}",
        cluster.extension(nats)
    )
}

/// Starts a process in a folder of its own.
pub fn start(configuration: &str, folder: &Path, name: &str) -> anyhow::Result<Running> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder)?;
    Running::start(configuration, &[], &folder)
}

/// The ledger of the processes that were there to the end, as long as none was killed.
pub fn balances(running: &Running) -> anyhow::Result<()> {
    let of = |state| running.points(state);
    let taken = of("accepted")? + of("recovered")?;
    let settled =
        of("delivered")? + of("partly_rejected")? + of("rejected")? + of("expired")? + of("handed_over")?;
    ensure!(taken == settled, "{taken} came, {settled} went:\n{}", running.self_metrics()?);
    Ok(())
}

/// Checks that the receiver has all that was acknowledged, and nothing else. What came out of order would be missing.
pub fn check(records: &Records, stand_in: &StandIn, series: u64) -> anyhow::Result<()> {
    let report = stand_in.report();
    let unknown: u64 = records.senders.iter().map(|record| record.unknown.len() as u64 * series).sum();
    let sent = records.acknowledged()..=records.acknowledged() + unknown;
    println!("{} samples acknowledged, {} may be; {report:?}", records.acknowledged(), unknown);
    ensure!(sent.contains(&report.samples_stored), "{sent:?} were sent: {report:?}");
    Ok(())
}
