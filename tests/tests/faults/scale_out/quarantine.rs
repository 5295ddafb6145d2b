//! What the receiver refuses of a queue that is shared is kept by the process it was refused to.

use super::rig::{configuration, start};
use super::servers::NATS;
use amp_stand_in::{Options, Script, StandIn, Storage};
use anyhow::ensure;
use preamp_tests::children::wait_for;
use preamp_tests::nats::Cluster;
use preamp_tests::payloads::{now_ms, power};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql;
use preamp_tests::running::{post, printed};
use std::path::Path;

const GOOD: usize = 20;
const BAD: usize = 2;

fn command(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    printed(arguments, &[], &folder.join("one/preamp.yaml"))
}

async fn receiver(prometheus: &Prometheus) -> anyhow::Result<StandIn> {
    let storage = Storage::Prometheus(prometheus.write_url().parse()?);
    Ok(StandIn::start(Options { storage, faults: Script::default(), ..Options::unsigned() }).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_kept_and_can_be_put_back() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path(), "always")?;
    let prometheus = Prometheus::start(folder.path())?;
    let stand_in = receiver(&prometheus).await?;
    let quarantine = folder.path().join("aside");
    let nats = format!("{NATS}\nquarantine_directory: {}", quarantine.display());
    let with = |endpoint: &str| {
        configuration(&cluster, endpoint, &nats, "").replace("profile: aps", "profile: prometheus")
    };
    let mut running = start(&with(&stand_in.url()), folder.path(), "one")?;
    let now = now_ms();
    post(running.http, &power((0..BAD).map(|bad| (format!("bad{bad}"), now))))?;
    wait_for("those that are bad later", || Ok((running.points("delivered")? == BAD as f64).then_some(())))?;
    let good = (0..GOOD).map(|good| (format!("good{good}"), now));
    let bad = (0..BAD).map(|bad| (format!("bad{bad}"), now - 60_000));
    post(running.http, &power(good.chain(bad)))?;
    wait_for("all to be settled", || {
        let settled = running.points("delivered")? + running.points("quarantined")?;
        Ok((settled == (GOOD + 2 * BAD) as f64).then_some(()))
    })?;
    let stored = promql::query_at(prometheus.address(), "count(power_watts{phase=~\"good.*\"})", now + 1)?;
    ensure!(stored.values().copied().eq([GOOD as f64]), "{stored:?}");
    let list = command(folder.path(), &["quarantine", "list", "--all"])?;
    ensure!(list.lines().count() == BAD && list.contains("out-of-order"), "{list}");
    let shown = command(folder.path(), &["quarantine", "show"])?;
    ensure!((0..BAD).all(|bad| shown.contains(&format!("bad{bad}"))) && !shown.contains("good"), "{shown}");
    let in_use = command(folder.path(), &["quarantine", "replay"]);
    ensure!(in_use.is_err_and(|error| error.to_string().contains("in use by process ")));
    ensure!(running.terminate()?.success(), "{}", running.said());

    // A receiver that has nothing of them takes them.
    let elsewhere = tempfile::tempdir()?;
    let prometheus = Prometheus::start(elsewhere.path())?;
    let stand_in = receiver(&prometheus).await?;
    let replayed = command(folder.path(), &["quarantine", "replay"])?;
    ensure!(replayed.contains("2 data points replayed"), "{replayed}");
    ensure!(command(folder.path(), &["quarantine", "list", "--json"])?.is_empty());
    let running = start(&with(&stand_in.url()), folder.path(), "two")?;
    wait_for("what was replayed", || Ok((running.points("delivered")? == BAD as f64).then_some(())))?;
    let stored = promql::query_at(prometheus.address(), "count(power_watts)", now)?;
    ensure!(stored.values().copied().eq([BAD as f64]), "{stored:?}");
    Ok(())
}
