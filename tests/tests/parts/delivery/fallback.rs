//! Remote write 2.0 against receivers that take it, and against such as do not in each of the ways
//! there are: nothing is lost, and the first refusal is the last.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use amp_stand_in::StandIn;
use preamp_host::metrics::Snapshot;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql::query;

use super::recorder::Recorder;
use super::rig::{Rig, Setup, a_minute_ago, open_stand_in, payload};

const PARTITIONS: u32 = 4;
const SERIES: usize = 60;
const TICKS: u32 = 30;
const FALLBACK: &str = r#"preamp_remote_write_fallback{exporter="amp"}"#;

/// Sends payloads in 2.0, some of them faster than they can be delivered, and waits for their end.
async fn deliver(url: &str) -> (Rig, Snapshot) {
    let setup = Setup { partitions: PARTITIONS, remote_write_2: true, ..Setup::default() };
    let rig = Rig::start(url, setup);
    let start = a_minute_ago();
    for tick in 0..TICKS {
        rig.accept(payload(SERIES, start, tick)).await;
        if tick % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let ledger = rig.finish().await;
    (rig, ledger)
}

/// How many answers had a verdict.
fn verdicts(rig: &Rig, verdict: &str) -> u64 {
    let mark = format!(r#"preamp_verdicts_total{{exporter="amp",verdict="{verdict}"}} "#);
    let page = rig.metrics.encode();
    page.lines().find_map(|line| line.strip_prefix(&mark)?.parse().ok()).unwrap_or(0)
}

/// Every point arrived, and 2.0 was tried no more than once in each partition.
async fn check_fallback(rig: &Rig, ledger: &Snapshot) {
    assert_eq!(ledger.delivered, SERIES as u64 * u64::from(TICKS), "{ledger:?}");
    rig.wait_for_line(&format!("{FALLBACK} 1")).await;
    let refusals = verdicts(rig, "downgrade");
    assert!((1..=u64::from(PARTITIONS)).contains(&refusals), "{refusals} refusals");
}

/// A receiver from before 2.0 sees a request without series, and is content with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_overlooks_the_new_protocol_gets_the_old_one() {
    let receiver = Recorder::start(Box::new(|_, _| (200, Duration::from_millis(1))));
    let (rig, ledger) = deliver(&receiver.url()).await;

    check_fallback(&rig, &ledger).await;
    let seen = receiver.seen();
    assert_eq!(seen.shared.len(), 0, "series in two requests at the same time: {:?}", seen.shared);
    assert_eq!(seen.stored.len(), SERIES);
    for (labels, samples) in &seen.stored {
        let values: Vec<_> = samples.iter().map(|sample| sample.1).collect();
        assert_eq!(values, (0..TICKS).map(f64::from).collect::<Vec<_>>(), "{labels:?}");
    }
    let requests = seen.requests;
    assert!(requests < u64::from(PARTITIONS * TICKS), "waiting batches were not merged: {requests}");
}

/// Status 415, as AMP's stand-in answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_refuses_the_version_gets_the_old_protocol() {
    let stand_in = StandIn::start(open_stand_in()).await.expect("a port");
    let (rig, ledger) = deliver(&stand_in.url()).await;

    check_fallback(&rig, &ledger).await;
    let stored = stand_in.series();
    assert_eq!(stored.len(), SERIES);
    assert!(stored.values().all(|samples| samples.len() == TICKS as usize), "{stored:?}");
}

/// The last value of each shelf in Prometheus, and how many there were.
fn stock(prometheus: SocketAddr, expression: &str) -> anyhow::Result<BTreeMap<u32, f64>> {
    let found = query(prometheus, expression)?.into_iter();
    found.map(|(labels, value)| Ok((labels["shelf"].parse()?, value))).collect()
}

/// Status 415 with a text of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_of_the_old_protocol_gets_all_of_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start_of_1_0(folder.path())?;
    let (rig, ledger) = deliver(&prometheus.write_url()).await;

    check_fallback(&rig, &ledger).await;
    let counts = stock(prometheus.address(), "count_over_time(stock[5m])")?;
    assert_eq!(counts, (0..SERIES as u32).map(|shelf| (shelf, TICKS.into())).collect());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_of_the_new_protocol_is_sent_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let (rig, ledger) = deliver(&prometheus.write_url()).await;

    assert_eq!(ledger.delivered, SERIES as u64 * u64::from(TICKS), "{ledger:?}");
    rig.wait_for_line(&format!("{FALLBACK} 0")).await;
    assert_eq!(verdicts(&rig, "downgrade"), 0);
    let counts = stock(prometheus.address(), "count_over_time(stock[5m])")?;
    assert_eq!(counts, (0..SERIES as u32).map(|shelf| (shelf, TICKS.into())).collect());
    Ok(())
}

/// Prometheus stores what it can of a request of 2.0, and says how much that was.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_refused_costs_the_others_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let rig = Rig::start(&prometheus.write_url(), Setup { remote_write_2: true, ..Setup::default() });
    let start = a_minute_ago();
    rig.accept(payload(10, start, 7)).await;
    rig.wait_until("the first payload is delivered", || rig.metrics.ledger.snapshot().delivered == 10).await;
    // Out of order for ten series, the first sample for the others.
    rig.accept(payload(20, start, 3)).await;
    let ledger = rig.finish().await;

    assert_eq!((ledger.delivered, ledger.partly_rejected), (10, 20), "{ledger:?}");
    let last = stock(prometheus.address(), "stock")?;
    assert_eq!(last, (0..20).map(|shelf| (shelf, if shelf < 10 { 7.0 } else { 3.0 })).collect());
    Ok(())
}
