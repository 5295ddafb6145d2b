//! Two processes deliver about twice what one does, where the receiver's latency is what limits.

use super::rig::{configuration, start};
use anyhow::ensure;
use preamp_tests::nats::Cluster;
use preamp_tests::recorder::Senders;
use preamp_tests::sink::{self, Taken};
use std::sync::atomic::Ordering;
use std::time::Duration;

const LASTS: Duration = Duration::from_secs(6);

async fn rate(taken: &Taken) -> f64 {
    let before = taken.bytes.load(Ordering::Relaxed);
    tokio::time::sleep(LASTS).await;
    (taken.bytes.load(Ordering::Relaxed) - before) as f64 / LASTS.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_deliver_nearly_twice_as_much_as_one() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path(), "always")?;
    let (address, taken) = sink::start(Duration::from_millis(100)).await?;
    let endpoint = format!("http://{address}/api/v1/write");
    // Requests of the same size, however much waits.
    let configuration = configuration(&cluster, &endpoint, "lease: 3s", "    max_batch_size_bytes: 4000\n");
    let first = start(&configuration, folder.path(), "first")?;
    let senders = Senders::start(4, 500, Duration::from_millis(20));
    senders.send_to(Some(first.http));
    // Until more waits than one can deliver.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let of_one = rate(&taken).await;
    let second = start(&configuration, folder.path(), "second")?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let of_two = rate(&taken).await;
    drop(senders.stop()?);
    let delivered = (first.points("delivered")?, second.points("delivered")?);
    println!(
        "one: {of_one:.0} bytes/s, two: {of_two:.0} bytes/s, {:.2}; points {delivered:?}",
        of_two / of_one
    );
    ensure!(of_two >= 1.7 * of_one, "one: {of_one}, two: {of_two}");
    Ok(())
}
