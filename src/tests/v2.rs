//! Remote write 2.0, read with messages of its own.

mod message;

use super::payload::*;
use crate::Exporter;
use message::{Request, Sample, check};
use preamp_contract::{Batch, Protocol};
use std::collections::BTreeSet;

const V2: &str = r#""protobuf_message":"io.prometheus.write.v2.Request""#;

/// Everything at once: all types, several resources, scopes, attributes and times, exemplars.
fn mixed(points: u64) -> Vec<u8> {
    let labelled = |n: u64| {
        vec![text("id", &format!("series-{n}")), text("Zone", ["a", "b"][n as usize % 2]), text("zz", "last")]
    };
    let metrics = |offset: u64| {
        let numbers = |n: u64| {
            let mut number = point_at(TIME + n % 3, (n + offset) as f64, &labelled(n));
            number.start_time_unix_nano = NOW - 10_000_000_000;
            number
        };
        let buckets = |n: u64| HistogramDataPoint {
            attributes: labelled(n),
            time_unix_nano: NOW + n * 1_000_000,
            count: 6,
            sum: Some(1.5),
            explicit_bounds: vec![0.1, 0.5, 1.0],
            bucket_counts: vec![1, 2, 0, 3],
            exemplars: vec![exemplar(0.3, text("user", &format!("u{n}")))],
            ..Default::default()
        };
        let quantiles = |n: u64| SummaryDataPoint {
            attributes: labelled(n),
            time_unix_nano: NOW,
            count: 2,
            sum: 3.0,
            quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 1.0 }],
            ..Default::default()
        };
        let mut exponential = exponential(exponential_point());
        if let Some(Data::ExponentialHistogram(data)) = &mut exponential.data {
            let attributes =
                |n| ExponentialHistogramDataPoint { attributes: labelled(n), ..exponential_point() };
            data.data_points = (0..points / 5).map(attributes).collect();
        }
        vec![
            Metric {
                description: "How long it is".to_owned(),
                ..gauge("queue.length", (0..points).map(numbers).collect())
            },
            sum("requests", AggregationTemporality::Cumulative, (0..points).map(numbers).collect()),
            histogram("latency", (0..points / 5).map(buckets).collect()),
            metric(
                "size",
                "By",
                Data::Summary(Summary { data_points: (0..points / 5).map(quantiles).collect() }),
            ),
            exponential,
        ]
    };
    let named =
        |name: &str| [text("service.name", name), text("service.instance.id", "1"), text("host", name)];
    encode(vec![resource(&named("shop"), metrics(0)), resource(&named("store"), metrics(7))])
}

fn inspected(exporter: &Exporter, batches: &[Batch]) -> Vec<String> {
    lines_of(batches, |batch| exporter.inspect(batch).unwrap())
}

#[test]
fn a_series_says_all_there_is_to_say() {
    let mut number = point(1.5, &[text("id", "1")]);
    number.start_time_unix_nano = NOW - 1_000_000_000;
    number.exemplars = vec![exemplar(1.25, text("user", "u"))];
    let mut requests = sum("requests", AggregationTemporality::Cumulative, vec![number]);
    requests.description = "Requests served".to_owned();
    requests.unit = "By".to_owned();
    let mut exporter = exporter(V2);
    let payload = encode(vec![resource(&[], vec![requests, exponential(exponential_point())])]);
    let batches = accept(&mut exporter, &payload).batches;
    assert_eq!(batches.len(), 1);
    check(&batches[0]);

    let request = Request::of(&batches[0]);
    let [counter, native] = &request.timeseries[..] else { panic!("{request:?}") };
    let labels = request.labels(&counter.labels_refs);
    assert_eq!(labels, [("__name__", "requests_bytes_total"), ("id", "1")]);
    let time = TIME as i64;
    let sample = Sample { value: 1.5, timestamp: time, start_timestamp: time - 1000 };
    assert_eq!(counter.samples, [sample]);
    let metadata = counter.metadata.unwrap();
    assert_eq!(metadata.kind, 1);
    assert_eq!(request.text(metadata.help_ref), "Requests served");
    assert_eq!(request.text(metadata.unit_ref), "bytes");
    let [exemplar] = &counter.exemplars[..] else { panic!("{counter:?}") };
    assert_eq!((exemplar.value, exemplar.timestamp), (1.25, time - 2));
    let exemplar = request.labels(&exemplar.labels_refs);
    assert_eq!(exemplar, [("span_id", &*"ab".repeat(8)), ("trace_id", &*"12".repeat(16)), ("user", "u")]);

    assert_eq!(request.labels(&native.labels_refs), [("__name__", "e")]);
    let [histogram] = &native.histograms[..] else { panic!("{native:?}") };
    assert_eq!((histogram.count_int, histogram.sum), (13, 2.5));
    assert_eq!((histogram.timestamp, histogram.start_timestamp), (time, time - 5000));
    assert_eq!(native.metadata.unwrap().kind, 3);
}

/// The text of 2.0 without what 1.0 cannot say.
fn as_in_v1(lines: Vec<String>) -> Vec<String> {
    let lines = lines.into_iter().filter(|line| !line.starts_with('#'));
    let without_start = |line: String| match line.split_once(" st@") {
        Some((before, behind)) => {
            format!("{before}{}", behind.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line,
    };
    lines.map(without_start).collect()
}

#[test]
fn both_protocols_say_the_same() {
    let payload = mixed(100);
    for (options, limit) in [(r#""partitions":3"#, 3_000_000), (r#""max_batch_size_bytes":4000"#, 4000)] {
        let mut first = exporter(options);
        let mut second = exporter(&format!("{V2},{options}"));
        let (one, two) = (accept(&mut first, &payload), accept(&mut second, &payload));
        assert_eq!(one.accepted_points, two.accepted_points);
        two.batches.iter().for_each(check);
        assert!(two.batches.iter().all(|batch| batch.uncompressed_size <= limit));
        for partition in 0..3 {
            let of = |batches: &[Batch]| -> Vec<Batch> {
                batches.iter().filter(|batch| batch.partition == partition).cloned().collect()
            };
            let mut expected = explained(&first, &of(&one.batches));
            let mut found = as_in_v1(explained(&second, &of(&two.batches)));
            if limit == 4000 {
                // Batches are cut at other places, and their samples are in the order of time.
                expected.sort();
                found.sort();
            }
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_request_is_a_third_of_one_of_the_old_protocol() {
    let payload = mixed(500);
    let size = |options: &str| {
        let batches = accept(&mut exporter(options), &payload).batches;
        batches.iter().map(|batch| batch.uncompressed_size).sum::<u32>()
    };
    let (one, two) = (size(""), size(V2));
    assert!(f64::from(two) < 0.5 * f64::from(one), "{two} bytes, {one} in 1.0");
}

#[test]
fn a_point_larger_than_a_batch_is_cut_between_its_series() {
    let buckets = HistogramDataPoint {
        time_unix_nano: NOW,
        explicit_bounds: (0..200).map(f64::from).collect(),
        bucket_counts: vec![1; 201],
        ..Default::default()
    };
    let large = gauge("large", vec![point(1.0, &[text("a", &"x".repeat(3000))])]);
    let metrics = vec![
        gauge("before", vec![point(1.0, &[])]),
        histogram("h", vec![buckets]),
        large,
        gauge("after", vec![point(1.0, &[])]),
    ];
    let mut exporter = exporter(&format!(r#"{V2},"max_batch_size_bytes":2000"#));
    let acceptance = accept(&mut exporter, &encode(vec![resource(&[], metrics)]));
    acceptance.batches.iter().for_each(check);
    assert_eq!(acceptance.accepted_points, 4);
    assert!(acceptance.batches.iter().all(|batch| batch.uncompressed_size <= 2000 || batch.series == 1));
    assert_eq!(acceptance.batches.iter().map(|batch| batch.series).sum::<u32>(), 3 + 202);
    let lines = as_in_v1(explained(&exporter, &acceptance.batches));
    assert!(lines[0].starts_with("before{}") && lines[204].starts_with("after{}"));
}

#[test]
fn merging_joins_under_one_symbol_table() {
    let mut small = exporter(&format!(r#"{V2},"max_batch_size_bytes":3000"#));
    let batches = accept(&mut small, &mixed(200)).batches;
    assert!(batches.len() > 10);
    let expected = inspected(&small, &batches);
    for limit in [3000, 10_000, 1_000_000] {
        let large = exporter(&format!(r#"{V2},"max_batch_size_bytes":{limit}"#));
        let merged = large.merge(batches.clone()).unwrap();
        merged.iter().for_each(check);
        assert!(merged.iter().all(|batch| batch.uncompressed_size <= limit));
        assert_eq!(inspected(&large, &merged), expected);
        let points = |batches: &[Batch]| batches.iter().map(|batch| batch.points).sum::<u32>();
        assert_eq!(points(&merged), points(&batches));
        match limit {
            3000 => assert!(merged.iter().filter(|batch| batches.contains(batch)).count() > 10),
            10_000 => assert!(merged.len() < batches.len() / 2),
            _ => assert_eq!(merged.len(), 1),
        }
    }
    assert_eq!(small.merge(Vec::new()), Ok(Vec::new()));
}

#[test]
fn batches_of_both_protocols_stay_apart() {
    let mut exporters = ["", V2].map(exporter);
    let [one, two] = exporters.each_mut().map(|exporter| accept(exporter, &mixed(5)).batches.remove(0));
    let mixed = vec![one.clone(), one.clone(), two.clone(), two, one.clone()];
    let merged = exporters[0].merge(mixed.clone()).unwrap();
    assert_eq!(
        merged.iter().map(|batch| batch.protocol).collect::<Vec<_>>(),
        [Protocol::RemoteWriteV1, Protocol::RemoteWriteV2, Protocol::RemoteWriteV1]
    );
    assert_eq!(inspected(&exporters[0], &merged), inspected(&exporters[0], &mixed));
}

#[test]
fn halving_ends_at_single_series() {
    let mut exporter = exporter(V2);
    let batch = accept(&mut exporter, &mixed(20)).batches.remove(0);
    let parts = halved_to_series(&exporter, &batch, check);
    assert_eq!(parts.len(), batch.series as usize);
    assert_eq!(inspected(&exporter, &parts), inspected(&exporter, &[batch]));
}

#[test]
fn pruning_parts_old_from_young() {
    let mut exporter = exporter(V2);
    let batch = accept(&mut exporter, &mixed(20)).batches.remove(0);
    let pruned = exporter.prune(batch.clone(), TIME as i64 + 1).unwrap();
    let (kept, expired) = (pruned.kept.unwrap(), pruned.expired.unwrap());
    check(&kept);
    check(&expired);
    assert_eq!(kept.points + expired.points, batch.points);
    assert!(expired.last <= TIME as i64 && kept.first > TIME as i64);
    let mut parts = inspected(&exporter, &[expired, kept]);
    let mut all = inspected(&exporter, &[batch]);
    parts.sort();
    all.sort();
    assert_eq!(parts, all);
}

#[test]
fn a_downgraded_batch_says_the_same_in_the_old_protocol() {
    let payload = mixed(100);
    let mut exporter = exporter(&format!(r#"{V2},"max_batch_size_bytes":20000"#));
    let batches = accept(&mut exporter, &payload).batches;
    let downgraded = batches.iter().map(|batch| exporter.downgrade(batch).unwrap().len());
    assert!(downgraded.sum::<usize>() > batches.len(), "1.0 is longer");
    for batch in batches {
        let old = exporter.downgrade(&batch).unwrap();
        for part in &old {
            assert_eq!(part.protocol, Protocol::RemoteWriteV1);
            assert!(part.uncompressed_size <= 20_000);
            assert_eq!(part.partition, batch.partition);
        }
        let total = |of: fn(&Batch) -> u32| old.iter().map(of).sum::<u32>();
        assert_eq!(total(|part| part.points), batch.points);
        assert_eq!(total(|part| part.series), batch.series);
        assert_eq!(total(|part| part.samples), batch.samples);
        assert_eq!(total(|part| part.histograms), batch.histograms);
        assert_eq!(total(|part| part.exemplars), batch.exemplars);
        // Metadata too: all lines but the start times are there.
        let without_start = |line: &String| !line.starts_with('#');
        let expected = as_in_v1(explained(&exporter, std::slice::from_ref(&batch)));
        let found: Vec<String> = explained(&exporter, &old).into_iter().filter(without_start).collect();
        assert_eq!(found, expected);
        let families = |batches: &[Batch]| -> BTreeSet<String> {
            explained(&exporter, batches).into_iter().filter(|line| line.starts_with('#')).collect()
        };
        assert_eq!(families(&old), families(&[batch]));
    }
}

#[test]
fn damaged_batches_are_told() {
    let mut exporter = exporter(V2);
    let batch = accept(&mut exporter, &mixed(5)).batches.remove(0);
    let body = snap::raw::Decoder::new().decompress_vec(&batch.body).unwrap();
    let mut refused = 0;
    for place in (0..body.len()).step_by(7) {
        let mut body = body.clone();
        body[place] ^= 0x55;
        let damaged = Batch { body: snap::raw::Encoder::new().compress_vec(&body).unwrap(), ..batch.clone() };
        // A text may be another and all is well; whatever it is, nothing panics.
        refused += u32::from(exporter.halve(&damaged).is_err());
        refused += u32::from(exporter.merge(vec![damaged.clone(), damaged.clone()]).is_err());
        refused += u32::from(exporter.downgrade(&damaged).is_err());
        let _any = (exporter.explain(&damaged), exporter.inspect(&damaged));
        let _any = exporter.prune(damaged, TIME as i64 + 1);
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn what_came_before_makes_no_difference() {
    let payload = mixed(100);
    let options = format!(r#"{V2},"partitions":4,"max_batch_size_bytes":5000"#);
    let (mut first, mut second) = (exporter(&options), exporter(&options));
    let expected = accept(&mut first, &payload);
    accept(&mut second, &mixed(3));
    let cut = &payload[..payload.len() - 1];
    assert!(second.accept(cut, preamp_contract::Encoding::Protobuf, NOW).is_err());
    assert_eq!(accept(&mut second, &payload), expected);
    assert_eq!(accept(&mut first, &payload), expected);
}
