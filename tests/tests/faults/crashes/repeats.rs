//! What is taken for a repeat has to be one.

use super::rig::{ENVIRONMENT, audit, configuration, receiver_with, settled};
use amp_stand_in::{Fault, Limits, Script};
use anyhow::ensure;
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use preamp_tests::payloads::{gauge, integer_point, metrics, now_ms, text};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql;
use preamp_tests::running::{Running, post};

/// A request is too large, and is cut; the answer to its first half is lost, so that the series in it are refused one by
/// one when they are sent again. Its second half was never sent, and must not be taken for stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_that_was_never_sent_is_no_repeat() -> anyhow::Result<()> {
    const SAMPLES: usize = 400;
    let folder = tempfile::tempdir()?;
    let prometheus = Prometheus::start(folder.path())?;
    let faults = Script::steps([None, Some(Fault::LoseAnswer)]);
    let limits = Limits { body_bytes: 40_000, ..Limits::default() };
    let stand_in = receiver_with(&prometheus, faults, limits).await?;
    let more = "target_info: {enabled: false}\n    max_batch_request_parallelism: 1";
    let configuration = configuration(&stand_in.url(), &folder.path().join("queue"), more);
    let mut running = Running::start(&configuration, &ENVIRONMENT, folder.path())?;
    let now = now_ms();
    // Samples come in the order of their times. Each half has two of each series, of which the first is refused when it
    // comes again.
    let point = |number: usize| NumberDataPoint {
        time_unix_nano: (now.unsigned_abs() + number as u64 % 4) * 1_000_000,
        ..integer_point(vec![text("phase", &(number / 4).to_string())], 1)
    };
    post(running.http, &metrics(vec![gauge("power", "W", (0..SAMPLES).map(point).collect())]))?;
    running.wait_for_empty_queue()?;
    let report = stand_in.report();
    ensure!(running.points("delivered")? == SAMPLES as f64, "{report:?}");
    let repeats = running.self_metrics()?;
    ensure!(running.terminate()?.success(), "{}", running.said());

    ensure!(report.answers.contains_key(&413) && report.faults.contains_key("answer lost"), "{report:?}");
    let presumed = |line: &&str| line.starts_with("preamp_presumed_delivered_points_total");
    ensure!(repeats.lines().any(|line| presumed(&line) && !line.ends_with(" 0")), "{repeats}");
    let expression = "sum(count_over_time(power_watts[1h]))";
    let stored = promql::query_at(prometheus.address(), expression, now + 1_000)?;
    ensure!(stored.values().copied().eq([SAMPLES as f64]), "{stored:?}, {report:?}");
    let audit = audit(folder.path())?;
    ensure!(settled(&audit, "delivered") == SAMPLES as u64, "{audit}");
    Ok(())
}
