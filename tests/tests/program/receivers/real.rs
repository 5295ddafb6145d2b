//! Real receivers that are no Prometheus: what they store is what was sent less what they refuse, and the ledger says so.
//! They are built from their modules, so only `soak receivers` runs this.

use super::{configuration, says};
use anyhow::{Context as _, ensure};
use preamp_tests::other_receivers::OtherReceiver;
use preamp_tests::payloads::{gauge, integer_point, metrics, now_ms, text};
use preamp_tests::running::{Running, post};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const GOOD: usize = 200;
const TICKS: i64 = 5;
const TICK_MS: i64 = 1_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const REMOTE_WRITE_2: &str = "protobuf_message: io.prometheus.write.v2.Request";

/// A sample: the label `phase`, its time in milliseconds and its value.
type Sample = (String, i64, i64);

/// The samples of the series that every receiver takes.
fn good(tick: i64, at: i64) -> Vec<Sample> {
    (0..GOOD).map(|number| (format!("good{number}"), at, tick)).collect()
}

fn payload(samples: &[Sample], more: usize) -> Vec<u8> {
    let point = |(phase, time, value): &Sample| {
        let mut attributes = vec![text("phase", phase)];
        if phase.starts_with("wide") {
            attributes.extend((0..more).map(|number| text(&format!("k{number}"), "v")));
        }
        let mut point = integer_point(attributes, *value);
        point.time_unix_nano = time.unsigned_abs() * 1_000_000;
        point.start_time_unix_nano = point.time_unix_nano;
        point
    };
    metrics(vec![gauge("power", "W", samples.iter().map(point).collect())])
}

fn run(receiver: &OtherReceiver, keys: &str, folder: &Path) -> anyhow::Result<Running> {
    let keys = format!("remote_write_queue: {{num_consumers: 1}}\n    max_sample_age: 0s\n    {keys}");
    Running::start(&configuration(&receiver.write_url, &keys), &[], folder)
}

/// What the receiver has, as samples.
fn stored(receiver: &OtherReceiver) -> anyhow::Result<BTreeSet<Sample>> {
    let mut samples = BTreeSet::new();
    for (labels, series) in receiver.stored(now_ms())? {
        let phase = labels.get("phase").cloned().unwrap_or_default();
        samples.extend(series.values.iter().map(|(time, value)| (phase.clone(), *time, *value as i64)));
    }
    Ok(samples)
}

fn same(found: &BTreeSet<Sample>, wanted: &BTreeSet<Sample>) -> anyhow::Result<()> {
    let missing: Vec<_> = wanted.difference(found).take(3).collect();
    let surplus: Vec<_> = found.difference(wanted).take(3).collect();
    ensure!(missing.is_empty() && surplus.is_empty(), "missing: {missing:?}, surplus: {surplus:?}");
    Ok(())
}

/// It answers 204 and leaves out what is beyond its limits; its own counters say how many rows.
#[test]
#[ignore = "soak receivers"]
fn victoria_metrics_has_what_was_sent_less_what_it_leaves_out() -> anyhow::Result<()> {
    for keys in ["", REMOTE_WRITE_2] {
        let folder = tempfile::tempdir()?;
        let limits = ["-maxLabelsPerTimeseries=20", "-maxLabelValueLen=100", "-retentionPeriod=1d"];
        let receiver = OtherReceiver::victoria_metrics(folder.path(), &limits)?;
        // The port is the system's choice, so the address does not name the receiver.
        let mut running = run(&receiver, &format!("profile: victoriametrics\n    {keys}"), folder.path())?;
        let start = now_ms() - TICKS * TICK_MS;
        let mut wanted = BTreeSet::new();
        let mut sent = 0;
        for tick in 0..TICKS {
            let at = start + tick * TICK_MS;
            let mut samples = good(tick, at);
            wanted.extend(samples.iter().cloned());
            samples.push((format!("wide{tick}"), at, 1));
            samples.push(("x".repeat(101), at, 1));
            samples.push(("old".to_owned(), at - 40 * DAY_MS, 1));
            sent += samples.len();
            post(running.http, &payload(&samples, 30))?;
        }
        running.wait_until_delivered()?;
        ensure!(running.points("delivered")? == sent as f64, "{}", running.self_metrics()?);
        receiver.page("/internal/force_flush")?;
        same(&stored(&receiver)?, &wanted)?;
        let page = receiver.page("/metrics")?;
        for reason in ["too_many_labels", "too_long_label_value", "small_timestamp"] {
            let ignored = format!("vm_rows_ignored_total{{reason=\"{reason}\"}} {TICKS}");
            ensure!(page.contains(&ignored), "{ignored}\n{page}");
        }
        ensure!(running.terminate()?.success(), "{}", running.said());
    }
    Ok(())
}

/// A sample that the receiver refuses, and the reason in the log line.
struct Refusal {
    reason: &'static str,
    sample: fn(i64) -> Sample,
}

/// The same series, before or at the time of what is stored.
const BACK_IN_TIME: [Refusal; 3] = [
    Refusal { reason: "out-of-order", sample: |start| ("bad".to_owned(), start - 1, 99) },
    Refusal { reason: "duplicate-sample", sample: |start| ("bad".to_owned(), start, 99) },
    Refusal { reason: "too-old", sample: |start| ("bad".to_owned(), start - DAY_MS, 99) },
];

/// The receiver stores the valid samples of a request that has an invalid one. Each tick after the first has one, as long
/// as there are refusals.
fn stores_the_rest(
    receiver: &OtherReceiver,
    keys: &str,
    refusals: &[Refusal],
    folder: &Path,
) -> anyhow::Result<()> {
    let mut running = run(receiver, keys, folder)?;
    let start = now_ms() - 60_000;
    let mut wanted = BTreeSet::new();
    let mut partly_refused = BTreeMap::new();
    let mut delivered = 0;
    for tick in 0..TICKS {
        let at = start + tick * TICK_MS;
        let mut samples = good(tick, at);
        if tick == 0 {
            samples.push(("bad".to_owned(), at, tick));
        }
        wanted.extend(samples.iter().cloned());
        match usize::try_from(tick - 1).ok().and_then(|number| refusals.get(number)) {
            Some(refusal) => {
                samples.push((refusal.sample)(start));
                partly_refused.insert(refusal.reason, samples.len());
            }
            None => delivered += samples.len(),
        }
        post(running.http, &payload(&samples, 40))?;
        running.wait_for_empty_queue().with_context(|| receiver.said())?;
    }
    same(&stored(receiver)?, &wanted)?;
    let page = running.self_metrics()?;
    ensure!(running.points("delivered")? == delivered as f64, "{page}");
    let points: usize = partly_refused.values().sum();
    ensure!(running.points("partly_rejected")? == points as f64, "{page}");
    for (reason, points) in partly_refused {
        let told = [format!("points={points}"), format!("reason={reason}")];
        ensure!(says(&running, &told.each_ref().map(String::as_str)), "{told:?}\n{}", running.said());
    }
    ensure!(running.terminate()?.success(), "{}", running.said());
    Ok(())
}

#[test]
#[ignore = "soak receivers"]
fn thanos_has_what_was_sent_less_what_it_refuses() -> anyhow::Result<()> {
    for keys in ["", REMOTE_WRITE_2] {
        let folder = tempfile::tempdir()?;
        let receiver = OtherReceiver::thanos(folder.path())?;
        stores_the_rest(&receiver, keys, &BACK_IN_TIME, folder.path())?;
    }
    Ok(())
}

#[test]
#[ignore = "soak receivers"]
fn mimir_has_what_was_sent_less_what_it_refuses() -> anyhow::Result<()> {
    let too_wide = Refusal { reason: "label-limit", sample: |start| ("wide".to_owned(), start, 99) };
    let refusals: Vec<Refusal> = BACK_IN_TIME.into_iter().chain([too_wide]).collect();
    for keys in ["", REMOTE_WRITE_2] {
        let folder = tempfile::tempdir()?;
        let receiver = OtherReceiver::mimir(folder.path())?;
        stores_the_rest(&receiver, keys, &refusals, folder.path())?;
    }
    Ok(())
}
