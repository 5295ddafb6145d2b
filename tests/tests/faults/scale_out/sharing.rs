//! Processes come and go.

use super::rig::{balances, check, configuration, receiver, start};
use amp_stand_in::Script;
use anyhow::ensure;
use preamp_tests::children::wait_for;
use preamp_tests::nats::Cluster;
use preamp_tests::recorder::Senders;
use std::time::Duration;

const SERIES: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn one_is_killed_and_one_added_under_load_and_nothing_is_lost() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path(), "always")?;
    let stand_in = receiver(Script::default()).await?;
    let configuration = configuration(&cluster, &stand_in.url(), "partitions: 16\nlease: 3s", "");
    let first = start(&configuration, folder.path(), "first")?;
    let second = start(&configuration, folder.path(), "second")?;
    let senders = Senders::start(4, SERIES, Duration::from_millis(5));
    senders.send_to(Some(first.http));
    tokio::time::sleep(Duration::from_secs(2)).await;
    senders.send_to(Some(second.http));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first_said = first.said();
    first.kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let third = start(&configuration, folder.path(), "third")?;
    senders.send_to(Some(third.http));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let records = senders.stop()?;
    ensure!(records.acknowledged() > 1000, "there was hardly any load");
    wait_for("everything to arrive", || {
        Ok((stand_in.report().samples_stored >= records.acknowledged()).then_some(()))
    })?;
    second.wait_for_empty_queue()?;
    third.wait_for_empty_queue()?;
    check(&records, &stand_in, SERIES as u64)?;
    for running in [&second, &third] {
        balances(running)?;
        ensure!(running.points("delivered")? > 0.0, "one did nothing");
        let refused = running.points("rejected")? + running.points("partly_rejected")?;
        ensure!(refused == 0.0, "first:\n{first_said}\nsecond:\n{}\nthird:\n{}", second.said(), third.said());
    }
    Ok(())
}
