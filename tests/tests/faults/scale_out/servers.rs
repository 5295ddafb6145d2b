//! Servers that are killed or stand still, power cuts, and processes that stand still.

use super::rig::{balances, check, configuration, receiver, start};
use amp_stand_in::{Script, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::children::wait_for;
use preamp_tests::images::Mounted;
use preamp_tests::nats::Cluster;
use preamp_tests::recorder::{Records, Senders};
use preamp_tests::running::Running;
use std::path::Path;
use std::time::Duration;

const SERIES: usize = 50;
pub const STREAM: &str = "preamp_prometheusremotewrite";
pub const NATS: &str = "partitions: 16\nlease: 3s";

pub fn senders(running: &Running) -> Senders {
    let senders = Senders::start(4, SERIES, Duration::from_millis(5));
    senders.send_to(Some(running.http));
    senders
}

pub async fn check_all(records: &Records, stand_in: &StandIn, all: &[&Running]) -> anyhow::Result<()> {
    ensure!(records.acknowledged() > 1000, "there was hardly any load");
    let arrived = wait_for("everything to arrive", || {
        Ok((stand_in.report().samples_stored >= records.acknowledged()).then_some(()))
    });
    let said = || all.iter().map(|running| running.said()).collect::<String>();
    arrived.with_context(|| format!("{:?}, {}", stand_in.report(), said()))?;
    for running in all {
        running.wait_for_empty_queue()?;
        balances(running)?;
        ensure!(running.points("rejected")? + running.points("partly_rejected")? == 0.0);
    }
    check(records, stand_in, SERIES as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_are_killed_and_then_all_servers_and_nothing_is_lost() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut cluster = Cluster::start(folder.path(), "always")?;
    let stand_in = receiver(Script::default()).await?;
    let running = start(&configuration(&cluster, &stand_in.url(), NATS, ""), folder.path(), "one")?;
    let senders = senders(&running);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let leader = cluster.leader(STREAM)?;
        cluster.kill(leader);
        tokio::time::sleep(Duration::from_secs(2)).await;
        cluster.revive(leader)?;
        cluster.wait_until_ready()?;
    }
    for server in 0..cluster.len() {
        cluster.kill(server);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for server in 0..cluster.len() {
        cluster.revive(server)?;
    }
    cluster.wait_until_ready()?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    check_all(&senders.stop()?, &stand_in, &[&running]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_costs_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path(), "always")?;
    let stand_in = receiver(Script::default()).await?;
    let running = start(&configuration(&cluster, &stand_in.url(), NATS, ""), folder.path(), "one")?;
    let senders = senders(&running);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let leader = cluster.leader(STREAM)?;
    // Nobody gets an answer of it, as if the network were cut, and it takes itself for the leader when it is back.
    cluster.signal(leader, "STOP")?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    cluster.signal(leader, "CONT")?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    check_all(&senders.stop()?, &stand_in, &[&running]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_goes_on_without_doing_harm() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path(), "always")?;
    let stand_in = receiver(Script::default()).await?;
    let configuration = configuration(&cluster, &stand_in.url(), NATS, "");
    let first = start(&configuration, folder.path(), "first")?;
    let second = start(&configuration, folder.path(), "second")?;
    let senders = senders(&second);
    tokio::time::sleep(Duration::from_secs(3)).await;
    first.freeze()?;
    // Longer than a lease.
    tokio::time::sleep(Duration::from_secs(5)).await;
    first.go_on()?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let records = senders.stop()?;
    let delivered = first.points("delivered")?;
    check_all(&records, &stand_in, &[&first, &second]).await?;
    ensure!(delivered > 0.0, "the first did nothing");
    Ok(())
}

/// What is there after a power cut of all servers, and what was acknowledged before it.
async fn power_cut(folder: &Path, sync: &str) -> anyhow::Result<(Records, StandIn)> {
    let (image, copy) = (folder.join("image"), folder.join("copy"));
    let mounted = Mounted::make(&image, folder.join("mounted"))?;
    let mut cluster = Cluster::start(&mounted.0, sync)?;
    let trusting = |cluster: &Cluster, endpoint: &str| {
        let asked = configuration(cluster, endpoint, NATS, "    max_queue_bytes: 33554432\n");
        // Servers that are not to be trusted would be refused.
        let line = |line: &str| match line.trim_start().starts_with("monitoring:") {
            true => "    sync_always: true\n".to_owned(),
            false => format!("{line}\n"),
        };
        asked.lines().map(line).collect::<String>()
    };
    let running = start(&trusting(&cluster, "'http://localhost:9/api/v1/write'"), folder, "one")?;
    let senders = senders(&running);
    tokio::time::sleep(Duration::from_secs(4)).await;
    for server in 0..cluster.len() {
        cluster.signal(server, "STOP")?;
    }
    senders.send_to(None);
    std::fs::copy(&image, &copy)?;
    running.kill();
    let records = senders.stop()?;
    for server in 0..cluster.len() {
        cluster.kill(server);
    }
    drop((cluster, mounted));
    let left = Mounted::mount(&copy, folder.join("left"))?;
    let cluster = Cluster::start(&left.0, "always")?;
    let stand_in = receiver(Script::default()).await?;
    let running = start(&trusting(&cluster, &stand_in.url()), folder, "two")?;
    let all_is_there = || Ok((stand_in.report().samples_stored >= records.acknowledged()).then_some(()));
    let _lost = wait_for("everything to arrive", all_is_there);
    drop((running, cluster));
    Ok((records, stand_in))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_of_all_servers_loses_nothing_that_was_acknowledged() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (records, stand_in) = power_cut(folder.path(), "always").await?;
    ensure!(records.acknowledged() > 1000, "there was hardly any load");
    check(&records, &stand_in, SERIES as u64)
}

/// Without this, the test of power cuts might see nothing.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_default_of_nats_a_power_cut_is_seen_to_lose_something() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (records, stand_in) = power_cut(folder.path(), "2m").await?;
    let stored = stand_in.report().samples_stored;
    println!("{} samples acknowledged, {stored} stored", records.acknowledged());
    ensure!(records.acknowledged() > 1000, "there was hardly any load");
    ensure!(stored < records.acknowledged(), "nothing was lost");
    Ok(())
}
