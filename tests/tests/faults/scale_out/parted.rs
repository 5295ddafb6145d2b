//! Networks that are cut: between the servers, between a process and the servers, and between a process and all others.

use super::rig::{balances, configuration, receiver, start};
use super::servers::{NATS, STREAM, check_all, senders};
use amp_stand_in::Script;
use anyhow::{Context as _, ensure};
use preamp_tests::nats::{Cluster, Setup};
use preamp_tests::network::Network;
use preamp_tests::running::Running;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The machine of a process, after those of the servers.
const PROCESS: usize = 3;

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Lets machines of a network reach what listens on loopback, under an address of its own.
async fn open(network: &Network, behind: SocketAddr) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind((network.here(), 0)).await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut to) = TcpStream::connect(behind).await else { return };
                let _ended = copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    Ok((address, serving))
}

/// A cluster on a network of as many machines.
fn cluster_of(machines: u8, folder: &Path) -> anyhow::Result<(Arc<Network>, Cluster)> {
    let network = Arc::new(Network::start(machines)?);
    let setup = Setup { network: Some(network.clone()), ..Setup::default() };
    Ok((network, Cluster::start_with(folder, &setup)?))
}

/// The leader is cut off from the other servers and from all clients, takes itself for the leader for a while, and is
/// back.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_on_the_wrong_side_of_a_cut_costs_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (network, cluster) = cluster_of(3, folder.path())?;
    let stand_in = receiver(Script::default()).await?;
    let running = start(&configuration(&cluster, &stand_in.url(), NATS, ""), folder.path(), "one")?;
    let senders = senders(&running);
    for _ in 0..2 {
        sleep(2).await;
        let leader = cluster.leader(STREAM)?;
        network.cut(leader)?;
        sleep(8).await;
        network.mend(leader)?;
    }
    sleep(3).await;
    check_all(&senders.stop()?, &stand_in, &[&running]).await
}

/// Starts a process on a machine of a network, which others can reach.
fn start_on(
    network: &Network,
    machine: usize,
    configuration: &str,
    folder: &Path,
) -> anyhow::Result<Running> {
    let folder = folder.join("there");
    std::fs::create_dir_all(&folder)?;
    let address = network.address(machine).to_string();
    let configuration = configuration.replace(&Ipv4Addr::LOCALHOST.to_string(), &address);
    Running::start_through(&configuration, |command| network.on(machine, command), &[], &folder)
}

/// A process that loses the servers and still reaches the receiver has to stop sending before another one begins to.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_loses_the_servers_leaves_its_partitions_to_another() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (network, cluster) = cluster_of(4, folder.path())?;
    let stand_in = receiver(Script::default()).await?;
    let (address, _serving) = open(&network, stand_in.address()).await?;
    let endpoint = stand_in.url().replace(&stand_in.address().to_string(), &address.to_string());
    let configuration = configuration(&cluster, &endpoint, NATS, "");
    let there = start_on(&network, PROCESS, &configuration, folder.path())?;
    let here = start(&configuration, folder.path(), "here")?;
    let senders = senders(&here);
    sleep(3).await;
    ensure!(there.points("delivered")? > 0.0, "it has no partition: {}", there.said());
    for server in 0..cluster.len() {
        network.part(PROCESS, server)?;
    }
    // Longer than a lease, so that the other one takes over what it had.
    sleep(6).await;
    let before = here.points("delivered")?;
    sleep(1).await;
    ensure!(here.points("delivered")? > before, "nobody delivers: {}", here.said());
    for server in 0..cluster.len() {
        network.rejoin(PROCESS, server)?;
    }
    sleep(8).await;
    // And now from everything.
    network.cut(PROCESS)?;
    sleep(6).await;
    network.mend(PROCESS)?;
    sleep(8).await;
    let records = senders.stop()?;
    check_all(&records, &stand_in, &[&here, &there]).await?;
    balances(&there).context("the one that was parted")
}
