//! Order under a receiver that takes nothing out of order, while it fails, the process is killed, and the number of
//! partitions changes.

use super::rig::{audit, settled, times};
use amp_stand_in::{Fault, Limits, Options, Script, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::recorder::Senders;
use preamp_tests::running::{PIPELINE, Running};
use std::num::NonZeroU64;
use std::time::Duration;

const SERIES: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn each_series_stays_in_order_over_64_partitions() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let faults = [
        Fault::LoseAnswer,
        Fault::Unavailable,
        Fault::RateExceeded,
        Fault::CutAfterBody,
        Fault::Hang(Duration::from_millis(30)),
        Fault::CutBeforeBody,
    ];
    let limits = Limits { out_of_order_window: Duration::ZERO, ..Limits::default() };
    let faults = Script::every(NonZeroU64::new(11).context("not zero")?, faults);
    let stand_in = StandIn::start(Options { limits, faults, ..Options::unsigned() }).await?;
    let configuration = |partitions: u32| {
        format!(
            "{PIPELINE}
exporters:
  prometheusremotewrite:
    endpoint: {}
    profile: aps
    wal: {{directory: {}}}
    remote_write_queue: {{num_consumers: {partitions}}}
    retry_on_failure: {{initial_interval: 10ms, max_interval: 100ms}}
",
            stand_in.url(),
            folder.path().join("queue").display()
        )
    };
    let senders = Senders::start(4, SERIES, Duration::from_millis(2));
    for round in 0..times("PREAMP_ORDER_ROUNDS", 4) {
        let partitions = [64, 7, 64, 16][round as usize % 4];
        let mut running = Running::start(&configuration(partitions), &[], folder.path())?;
        senders.send_to(Some(running.http));
        tokio::time::sleep(Duration::from_millis(500)).await;
        senders.send_to(None);
        if round % 2 == 0 {
            running.kill();
        } else {
            ensure!(running.terminate()?.success(), "{}", running.said());
        }
    }
    let records = senders.stop()?;
    let mut running = Running::start(&configuration(64), &[], folder.path())?;
    running.wait_for_empty_queue()?;
    ensure!(running.terminate()?.success(), "{}", running.said());

    let (report, audit) = (stand_in.report(), audit(folder.path())?);
    println!("{} samples acknowledged; {report:?}; {audit}", records.acknowledged());
    // A sample that came out of order would have been refused and be missing; what was refused was there already.
    ensure!(settled(&audit, "delivered") == audit["accepted"] && audit["queued"] == 0, "{audit}");
    let unknown: u64 = records.senders.iter().map(|record| record.unknown.len() as u64 * SERIES as u64).sum();
    let sent = records.acknowledged()..=records.acknowledged() + unknown;
    ensure!(sent.contains(&report.samples_stored), "{sent:?}, {report:?}");
    Ok(())
}
