//! What is not taken as a queue.

use super::rig::{configuration, start};
use anyhow::{Context as _, ensure};
use preamp_tests::children::{fetched, program};
use preamp_tests::nats::{Cluster, Setup};
use preamp_tests::recorder::Senders;
use std::path::Path;
use std::time::Duration;

const NOWHERE: &str = "http://127.0.0.1:9/api/v1/write";

/// Why a process does not start with it.
pub fn refusal(configuration: &str, folder: &Path) -> anyhow::Result<String> {
    let refused = start(configuration, folder, "refused").err().context("it started")?;
    Ok(format!("{refused:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_acknowledge_before_they_synchronize_are_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path(), "2m")?;
    let refused = refusal(&configuration(&cluster, NOWHERE, "", ""), folder.path())?;
    ensure!(refused.contains("set `sync_interval: always`"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_do_not_take_batches_whole_are_refused() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = Some(program("PREAMP_OLD_NATS_SERVER", fetched("old-nats/bin/nats-server"))?);
    let cluster = Cluster::start_with(folder.path(), &Setup { program, ..Setup::default() })?;
    let refused = refusal(&configuration(&cluster, NOWHERE, "", ""), folder.path())?;
    ensure!(refused.contains("2.11.11") && refused.contains("2.12"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_use_keeps_its_partitions_and_its_exporter() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path(), "always")?;
    let with = |nats: &str| configuration(&cluster, NOWHERE, nats, "");
    let mut running = start(&with("stream: q\npartitions: 4"), folder.path(), "first")?;
    let senders = Senders::start(1, 10, Duration::from_millis(20));
    senders.send_to(Some(running.http));
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(senders.stop()?.acknowledged() > 0);
    ensure!(running.terminate()?.success(), "{}", running.said());
    let other = refusal(&with("stream: q\npartitions: 5"), folder.path())?;
    ensure!(other.contains("holds batches in 4 partitions, and 5 are configured"), "{other}");
    let exporter =
        with("stream: q\npartitions: 4").replace("prometheusremotewrite", "prometheusremotewrite/b");
    let other = refusal(&exporter, folder.path())?;
    ensure!(other.contains("the stream q is not of this exporter but of prometheusremotewrite;"), "{other}");
    Ok(())
}
