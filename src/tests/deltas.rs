//! Delta metrics that are added up.

use super::payload::*;
use crate::Exporter;
use preamp_contract::{Acceptance, Encoding};

const ACCUMULATE: &str = r#""delta":"accumulate","export_created_metric":{"enabled":true}"#;

const SECOND: u64 = 1_000_000_000;

/// A payload with a point of each kind, that covers ten seconds up to `at` seconds after `NOW`.
fn deltas(at: u64) -> Vec<u8> {
    let time = NOW + at * SECOND;
    let start = time - 10 * SECOND;
    let delta = AggregationTemporality::Delta;
    let number = |value| NumberDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        value: Some(value),
        ..point(0.0, &[text("k", "v")])
    };
    let mut level = sum("level", delta, vec![number(number_data_point::Value::AsDouble(-0.5))]);
    if let Some(Data::Sum(sum)) = &mut level.data {
        sum.is_monotonic = false;
    }
    let classic = HistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: 3,
        sum: Some(1.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        ..Default::default()
    };
    let mut classic = histogram("latency", vec![classic]);
    if let Some(Data::Histogram(histogram)) = &mut classic.data {
        histogram.aggregation_temporality = delta.into();
    }
    let native = ExponentialHistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        scale: 1 - (at / 10) as i32,
        ..exponential_point()
    };
    let mut native = exponential(native);
    if let Some(Data::ExponentialHistogram(histogram)) = &mut native.data {
        histogram.aggregation_temporality = delta.into();
    }
    let counter = sum("requests", delta, vec![number(number_data_point::Value::AsInt(7))]);
    encode(vec![resource(&[], vec![counter, level, classic, native])])
}

fn take(exporter: &mut Exporter, at: u64) -> Acceptance {
    exporter.accept(&deltas(at), Encoding::Protobuf, NOW + at * SECOND).unwrap()
}

/// The samples of a payload with their times as seconds after `TIME`.
fn said(exporter: &mut Exporter, at: u64) -> Vec<String> {
    let acceptance = take(exporter, at);
    assert_eq!(acceptance.rejections, []);
    let time = format!(" {}", TIME + at * 1_000);
    lines(exporter, &acceptance).iter().map(|line| line.replace(&time, &format!(" @{at}"))).collect()
}

#[test]
fn totals_of_every_kind_count_since_the_first_start() {
    let mut exporter = exporter(ACCUMULATE);
    said(&mut exporter, 0);
    let created = (TIME - 10_000).to_string();
    let lines = said(&mut exporter, 10);
    let classic: Vec<_> = lines.iter().filter(|line| !line.starts_with("e{")).collect();
    assert_eq!(
        classic,
        [
            &format!("e_created{{}} {created} @10"),
            r#"latency_seconds_bucket{le="+Inf"} 6 @10"#,
            r#"latency_seconds_bucket{le="0.5"} 2 @10"#,
            "latency_seconds_count{} 6 @10",
            &format!("latency_seconds_created{{}} {created} @10"),
            "latency_seconds_sum{} 3 @10",
            r#"level{k="v"} -1 @10"#,
            r#"requests_total_created{k="v"} CREATED @10"#.replace("CREATED", &created).as_str(),
            r#"requests_total{k="v"} 14 @10"#,
        ]
    );
}

#[test]
fn exponential_histograms_add_up_at_the_coarser_scale() {
    let mut exporter = exporter(r#""delta":"accumulate","exponential_histograms":"classic""#);
    said(&mut exporter, 0);
    let lines = said(&mut exporter, 10);
    let buckets: Vec<_> = lines.iter().filter(|line| line.starts_with("e_")).collect();
    // Scale 1: 1, 2, 3 at indexes 2, 4, 8, which scale 0 has at 1, 2, 4; and there 2, 4, 8 again.
    assert_eq!(
        buckets,
        [
            r#"e_bucket{le="+Inf"} 26 @10"#,
            r#"e_bucket{le="-0.125"} 8 @10"#,
            r#"e_bucket{le="-0.25"} 4 @10"#,
            r#"e_bucket{le="-0.5"} 0 @10"#,
            r#"e_bucket{le="0"} 14 @10"#,
            r#"e_bucket{le="128"} 23 @10"#,
            r#"e_bucket{le="16"} 18 @10"#,
            r#"e_bucket{le="2"} 14 @10"#,
            r#"e_bucket{le="256"} 23 @10"#,
            r#"e_bucket{le="32"} 23 @10"#,
            r#"e_bucket{le="4"} 15 @10"#,
            r#"e_bucket{le="512"} 26 @10"#,
            r#"e_bucket{le="64"} 23 @10"#,
            r#"e_bucket{le="8"} 18 @10"#,
            "e_count{} 26 @10",
            "e_sum{} 5 @10",
        ]
    );
}

#[test]
fn a_payload_sent_again_gives_the_same_bytes_again() {
    let mut exporter = exporter(ACCUMULATE);
    take(&mut exporter, 0);
    let first = take(&mut exporter, 10);
    assert_eq!(take(&mut exporter, 10), first);
    let late = take(&mut exporter, 0);
    let reasons: Vec<_> = late.rejections.iter().map(|r| (&*r.reason, r.points)).collect();
    assert_eq!(reasons, [("delta-out-of-order", 4)]);
    assert_eq!((late.accepted_points, late.batches.len()), (0, 0));
    let overlapping = take(&mut exporter, 15);
    let reasons: Vec<_> = overlapping.rejections.iter().map(|r| (&*r.reason, r.points)).collect();
    assert_eq!(reasons, [("delta-overlap", 4)]);
}

#[test]
fn an_unreadable_payload_adds_nothing() {
    let mut exporter = exporter(ACCUMULATE);
    take(&mut exporter, 0);
    let before = exporter.snapshot();
    let mut cut = deltas(10);
    cut.truncate(cut.len() - 3);
    // The resource is whole, and what follows it is not.
    let mut followed = deltas(10);
    followed.extend_from_slice(&[0x0a, 0x05, 0x00]);
    for payload in [cut, followed] {
        assert!(exporter.accept(&payload, Encoding::Protobuf, NOW).is_err());
        assert_eq!(exporter.snapshot(), before);
    }
}

#[test]
fn values_that_cannot_be_added_up_and_series_too_many_are_rejected() {
    let mut exporter = exporter(r#""delta":"accumulate","delta_max_series":1"#);
    let delta = AggregationTemporality::Delta;
    let points = vec![point(1.0, &[]), point(1.0, &[text("k", "v")])];
    let metrics = vec![sum("a", delta, vec![point(-1.0, &[])]), sum("b", delta, points)];
    let acceptance = accept(&mut exporter, &encode(vec![resource(&[], metrics)]));
    let reasons: Vec<_> =
        acceptance.rejections.iter().map(|r| (&*r.reason, r.points, r.example.as_str())).collect();
    assert_eq!(
        reasons,
        [
            ("invalid-delta", 1, r#"metric "a" has a delta with a negative value in a monotonic sum"#),
            ("delta-series-limit", 1, r#"metric "b" has a delta of one series too many"#),
        ]
    );
    assert_eq!(lines(&exporter, &acceptance), ["b_total{} 1"]);
}

#[test]
fn a_point_without_a_value_ends_the_total() {
    let mut exporter = exporter(ACCUMULATE);
    let delta = AggregationTemporality::Delta;
    let mut value = |at: u64, flags| {
        let point = NumberDataPoint { flags, ..point_at(TIME + at, 2.0, &[]) };
        let acceptance =
            accept(&mut exporter, &encode(vec![resource(&[], vec![sum("a", delta, vec![point])])]));
        assert_eq!(acceptance.rejections, []);
        lines(&exporter, &acceptance)
    };
    assert_eq!(value(0, 0), ["a_total{} 2"]);
    assert_eq!(value(1, 0), [format!("a_total{{}} 4 {}", TIME + 1)]);
    assert!(value(2, 1)[0].contains("NaN"));
    assert_eq!(value(3, 0), [format!("a_total{{}} 2 {}", TIME + 3)]);
}

#[test]
fn another_exporter_goes_on_from_a_snapshot() {
    let mut first = exporter(ACCUMULATE);
    take(&mut first, 0);
    take(&mut first, 10);
    let snapshot = first.snapshot();
    let mut second = exporter(ACCUMULATE);
    second.restore(&snapshot, true).unwrap();
    assert_eq!(take(&mut second, 20), take(&mut first, 20));
    let mut stale = exporter(ACCUMULATE);
    stale.restore(&snapshot, false).unwrap();
    let said = said(&mut stale, 20);
    assert!(said.contains(&r#"requests_total{k="v"} 7 @20"#.to_owned()), "a counter begins anew: {said:?}");
    assert!(said.contains(&r#"level{k="v"} -1.5 @20"#.to_owned()), "a level goes on: {said:?}");
}

#[test]
fn an_exporter_that_remembers_nothing_takes_no_state() {
    let mut plain = exporter("");
    assert_eq!(plain.snapshot(), b"");
    assert_eq!(plain.restore(b"", true), Ok(()));
    let mut accumulates = exporter(ACCUMULATE);
    assert!(plain.restore(&accumulates.snapshot(), true).unwrap_err().contains("keeps no state"));
    assert!(accumulates.restore(b"", true).unwrap_err().contains("no state of a preamp exporter"));
}
