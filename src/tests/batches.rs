//! Cutting, merging, halving and pruning: nothing is lost and nothing changes its order.

use super::payload::*;
use preamp_contract::{Batch, BatchError, Protocol};

fn many(count: u64) -> Vec<u8> {
    let points = (0..count).map(|n| point_at(TIME + n, n as f64, &[text("id", &format!("series-{n}"))]));
    encode(vec![resource(&[], vec![gauge("g", points.collect())])])
}

fn check(batch: &Batch) {
    let body = snap::raw::Decoder::new().decompress_vec(&batch.body).unwrap();
    assert_eq!(body.len() as u32, batch.uncompressed_size);
    assert_eq!(batch.digest, Some(<sha2::Sha256 as sha2::Digest>::digest(&batch.body).into()));
    assert_eq!(batch.protocol, Protocol::RemoteWriteV1);
}

#[test]
fn batches_stay_under_the_limit_and_hold_everything_in_order() {
    let mut exporter = exporter(r#""max_batch_size_bytes":2000"#);
    let acceptance = accept(&mut exporter, &many(500));
    assert!(acceptance.batches.len() > 5);
    for batch in &acceptance.batches {
        check(batch);
        assert!(batch.uncompressed_size <= 2000);
        let lines = explained(&exporter, std::slice::from_ref(batch));
        assert_eq!(
            (batch.series as usize, batch.samples as usize, batch.points as usize),
            (lines.len(), lines.len(), lines.len())
        );
        assert!(lines[0].ends_with(&batch.first.to_string()));
        assert!(lines[lines.len() - 1].ends_with(&batch.last.to_string()));
    }
    let values: Vec<_> = explained(&exporter, &acceptance.batches);
    assert_eq!(values.len(), 500);
    assert!(values.iter().enumerate().all(|(n, line)| line.contains(&format!("series-{n}\""))));
}

#[test]
fn a_point_larger_than_a_batch_is_cut_between_its_series() {
    let buckets = HistogramDataPoint {
        time_unix_nano: NOW,
        explicit_bounds: (0..200).map(f64::from).collect(),
        bucket_counts: vec![1; 201],
        ..Default::default()
    };
    let metrics = vec![
        gauge("before", vec![point(1.0, &[])]),
        histogram("h", vec![buckets]),
        gauge("after", vec![point(1.0, &[])]),
    ];
    let mut exporter = exporter(r#""max_batch_size_bytes":2000"#);
    let acceptance = accept(&mut exporter, &encode(vec![resource(&[], metrics)]));
    assert_eq!(acceptance.accepted_points, 3);
    assert!(acceptance.batches.iter().all(|batch| batch.uncompressed_size <= 2000));
    assert_eq!(explained(&exporter, &acceptance.batches).len(), 2 + 202);
    assert_eq!(acceptance.batches.iter().map(|batch| batch.series).sum::<u32>(), 204);
}

#[test]
fn samples_of_a_batch_are_in_the_order_of_time() {
    let points = vec![
        point_at(TIME + 2, 2.0, &[]),
        point_at(TIME + 1, 1.0, &[]),
        point_at(TIME + 2, 3.0, &[text("a", "b")]),
    ];
    let mut exporter = exporter("");
    let acceptance = accept(&mut exporter, &encode(vec![resource(&[], vec![gauge("g", points)])]));
    let expected = [
        format!("g{{}} 1 {}", TIME + 1),
        format!("g{{}} 2 {}", TIME + 2),
        format!("g{{a=\"b\"}} 3 {}", TIME + 2),
    ];
    assert_eq!(explained(&exporter, &acceptance.batches), expected);
}

#[test]
fn merging_joins_without_changing_anything() {
    let mut small = exporter(r#""max_batch_size_bytes":2000"#);
    let batches = accept(&mut small, &many(500)).batches;
    let large = exporter(r#""max_batch_size_bytes":100000"#);
    let merged = large.merge(batches.clone()).unwrap();
    assert_eq!(merged.len(), 1);
    check(&merged[0]);
    assert_eq!(explained(&large, &merged), explained(&large, &batches));
    assert_eq!((merged[0].points, merged[0].series), (500, 500));
    assert_eq!((merged[0].first, merged[0].last), (batches[0].first, batches[batches.len() - 1].last));
    let unmerged = small.merge(batches.clone()).unwrap();
    assert_eq!(unmerged, batches);
    assert_eq!(small.merge(Vec::new()).unwrap(), []);
}

#[test]
fn batches_of_two_partitions_are_not_merged() {
    let mut exporter = exporter(r#""partitions":2"#);
    let batches = accept(&mut exporter, &many(10)).batches;
    assert_eq!(exporter.merge(batches), Err(BatchError::MixedPartitions(0, 1)));
}

#[test]
fn halving_ends_at_single_series() {
    let mut exporter = exporter("");
    let batch = accept(&mut exporter, &many(11)).batches.remove(0);
    let parts = halved_to_series(&exporter, &batch, check);
    assert_eq!(parts.len(), 11);
    assert_eq!(explained(&exporter, &parts), explained(&exporter, &[batch]));
}

#[test]
fn pruning_parts_old_from_young() {
    let mut exporter = exporter("");
    let batch = accept(&mut exporter, &many(10)).batches.remove(0);
    let time = TIME as i64;
    let pruned = exporter.prune(batch.clone(), time + 4).unwrap();
    let (kept, expired) = (pruned.kept.unwrap(), pruned.expired.unwrap());
    check(&kept);
    check(&expired);
    assert_eq!((kept.points, expired.points), (6, 4));
    assert_eq!((expired.first, expired.last, kept.first, kept.last), (time, time + 3, time + 4, time + 9));
    assert_eq!(explained(&exporter, &[expired, kept]), explained(&exporter, std::slice::from_ref(&batch)));
    assert_eq!(exporter.prune(batch.clone(), time).unwrap().kept, Some(batch.clone()));
    assert_eq!(exporter.prune(batch.clone(), time + 10).unwrap().expired, Some(batch));
}

#[test]
fn damaged_batches_are_told() {
    let mut exporter = exporter("");
    let batch = accept(&mut exporter, &many(10)).batches.remove(0);
    for length in 0..batch.body.len() {
        let cut = Batch { body: batch.body[..length].to_vec(), ..batch.clone() };
        assert!(matches!(exporter.halve(&cut), Err(BatchError::Malformed(_))), "{length}");
        assert!(matches!(exporter.explain(&cut), Err(BatchError::Malformed(_))), "{length}");
    }
    let empty = Batch { body: Vec::new(), ..batch.clone() };
    assert!(matches!(exporter.merge(vec![empty]), Err(BatchError::Malformed(_))));
    assert_eq!(exporter.downgrade(&batch), Err(BatchError::UnsupportedProtocol(Protocol::RemoteWriteV1)));
}

#[test]
fn the_same_payload_gives_the_same_bytes() {
    let payload = many(1000);
    let options = r#""partitions":4,"max_batch_size_bytes":5000"#;
    let (mut first, mut second) = (exporter(options), exporter(options));
    let expected = accept(&mut first, &payload);
    accept(&mut second, &many(3));
    assert_eq!(accept(&mut second, &payload), expected);
    assert_eq!(accept(&mut first, &payload), expected);
}

#[test]
fn the_digest_can_be_left_to_the_host() {
    let mut with = exporter("");
    let mut without = exporter(r#""digest":false"#);
    let batch = accept(&mut without, &many(10)).batches.remove(0);
    assert_eq!(Batch { digest: None, ..accept(&mut with, &many(10)).batches.remove(0) }, batch);
    let (first, second) = without.halve(&batch).unwrap();
    assert_eq!((first.digest, second.digest), (None, None));
    assert_eq!(without.merge(vec![first, second]).unwrap()[0].digest, None);
    assert_eq!(without.prune(batch, TIME as i64 + 1).unwrap().kept.unwrap().digest, None);
}

/// Metadata stands before the first series of its family, and what becomes of a batch must not lose it.
#[test]
fn metadata_goes_with_its_series() {
    let described = |name: &str, times: [u64; 2]| Metric {
        description: format!("What {name} is"),
        ..gauge(name, times.map(|time| point_at(TIME + time, 1.0, &[text("n", &time.to_string())])).to_vec())
    };
    let metrics = vec![described("a", [0, 9]), described("b", [1, 2]), described("c", [8, 9])];
    let mut exporter = exporter(r#""send_metadata":true"#);
    let batch = accept(&mut exporter, &encode(vec![resource(&[], metrics)])).batches.remove(0);
    let all = explained(&exporter, std::slice::from_ref(&batch));
    let (families, series): (Vec<String>, Vec<String>) =
        all.iter().cloned().partition(|line| line.starts_with('#'));
    assert_eq!((families.len(), series.len()), (6, 6), "{all:?}");

    let (first, second) = exporter.halve(&batch).unwrap();
    let parts = explained(&exporter, &[first.clone(), second.clone()]);
    assert_eq!(sorted(&parts), sorted(&all));
    assert_eq!(explained(&exporter, &exporter.merge(vec![first, second]).unwrap()), all);

    let pruned = exporter.prune(batch, TIME as i64 + 5).unwrap();
    let kept = explained(&exporter, pruned.kept.as_slice());
    let expired = explained(&exporter, pruned.expired.as_slice());
    let of_kept: Vec<_> = kept.iter().filter(|line| line.starts_with('#')).cloned().collect();
    assert_eq!(sorted(&of_kept), sorted(&families));
    assert_eq!((kept.len(), expired.len()), (6 + 3, 3));
}

/// Families stand where the first of their series does, which depends on how a batch was cut.
fn sorted(lines: &[String]) -> Vec<&String> {
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort();
    lines
}

#[test]
fn inspection_is_json_with_all_there_is() {
    let mut stale = point(1.0, &[text("quote", "a\"b\\c\n\u{1}é")]);
    stale.flags = 1;
    let mut observed = point(f64::INFINITY, &[]);
    observed.exemplars = vec![exemplar(-0.5, text("user", "u"))];
    let mut counter = sum("s", AggregationTemporality::Cumulative, vec![observed]);
    counter.description = "Help".to_owned();
    let metrics = vec![gauge("g", vec![stale]), counter, exponential(exponential_point())];
    let mut exporter = exporter(r#""send_metadata":true"#);
    let batch = accept(&mut exporter, &encode(vec![resource(&[], metrics)])).batches.remove(0);
    assert_eq!((batch.samples, batch.histograms, batch.exemplars), (2, 1, 1));
    let json = exporter.inspect(&batch).unwrap();
    let found: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metadata = |name, kind, help| serde_json::json!({"metadata": {"name": name, "type": kind, "help": help, "unit": ""}});
    let series = |labels: serde_json::Value, samples, histograms, exemplars| {
        serde_json::json!({
            "labels": labels, "samples": samples, "histograms": histograms, "exemplars": exemplars
        })
    };
    let nothing = || serde_json::json!([]);
    let histogram = serde_json::json!([{
        "schema": 1, "count": 13, "sum": "2.5", "zero_threshold": "1e-128", "zero_count": 3,
        "positive": {"spans": [[3, 3], [3, 1]], "deltas": [1, -1, 2, 1]},
        "negative": {"spans": [[-2, 1]], "deltas": [4]},
        "custom_values": [], "time": TIME
    }]);
    let ids = [["span_id", &"ab".repeat(8)], ["trace_id", &"12".repeat(16)], ["user", "u"]];
    let expected = [
        metadata("g", "gauge", ""),
        series(
            serde_json::json!([["__name__", "g"], ["quote", "a\"b\\c\n\u{1}é"]]),
            serde_json::json!([{"value": "StaleNaN", "time": TIME}]),
            nothing(),
            nothing(),
        ),
        metadata("s_total", "counter", "Help"),
        series(
            serde_json::json!([["__name__", "s_total"]]),
            serde_json::json!([{"value": "+Inf", "time": TIME}]),
            nothing(),
            serde_json::json!([{"labels": ids, "value": "-0.5", "time": TIME - 2}]),
        ),
        metadata("e", "histogram", ""),
        series(serde_json::json!([["__name__", "e"]]), nothing(), histogram, nothing()),
    ];
    assert_eq!(found, expected);
}
