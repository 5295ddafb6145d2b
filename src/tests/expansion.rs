//! How far a payload may expand.

use super::payload::*;
use crate::Exporter;
use crate::translate::expansion::{MULTIPLE, SPARE_BYTES};
use preamp_contract::{Acceptance, Batch, Encoding, Refusal};

const V2: &str = r#""protobuf_message":"io.prometheus.write.v2.Request""#;
const RESOURCE_LABELS: &str = r#""resource_to_telemetry_conversion":{"enabled":true}"#;

fn limit(payload: &[u8]) -> u64 {
    SPARE_BYTES + MULTIPLE * payload.len() as u64
}

fn try_accept(exporter: &mut Exporter, payload: &[u8]) -> Result<Acceptance, String> {
    match exporter.accept(payload, Encoding::Protobuf, NOW) {
        Ok(acceptance) => Ok(acceptance),
        Err(Refusal::ExpandsTooFar(what)) => Err(what),
        Err(other) => panic!("{other:?}"),
    }
}

/// The size of the batches, before compression.
fn size<'b>(batches: impl IntoIterator<Item = &'b Batch>) -> u64 {
    batches.into_iter().map(|batch| u64::from(batch.uncompressed_size)).sum()
}

fn buckets(count: usize, label: &KeyValue) -> Metric {
    histogram(
        "h",
        vec![HistogramDataPoint {
            attributes: vec![label.clone()],
            time_unix_nano: NOW,
            sum: Some(1.0),
            bucket_counts: vec![1; count + 1],
            explicit_bounds: (0..count).map(|bound| bound as f64).collect(),
            ..Default::default()
        }],
    )
}

fn quantiles(count: usize, label: &KeyValue) -> Metric {
    let value = |n| ValueAtQuantile { quantile: 1.0 / (n + 1) as f64, value: 1.0 };
    let point = SummaryDataPoint {
        attributes: vec![label.clone()],
        time_unix_nano: NOW,
        quantile_values: (0..count).map(value).collect(),
        ..Default::default()
    };
    metric("s", "", Data::Summary(Summary { data_points: vec![point] }))
}

/// At most 2,100 series come of a point, so there are several.
fn exponential_buckets(count: usize, label: &KeyValue) -> Metric {
    let point = |n: usize| ExponentialHistogramDataPoint {
        attributes: vec![label.clone(), text("n", &n.to_string())],
        time_unix_nano: NOW,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![1; 1_000] }),
        ..Default::default()
    };
    let data = ExponentialHistogram {
        data_points: (0..count / 1_000).map(point).collect(),
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
    };
    metric("e", "", Data::ExponentialHistogram(data))
}

fn points(count: usize) -> Metric {
    gauge("g", (0..count).map(|n| point(n as f64, &[text("n", &n.to_string())])).collect())
}

/// A payload of so many series that have a label of this length.
type Make = fn(usize, &KeyValue) -> Vec<u8>;

const MADE: [(&str, Make); 6] = [
    ("", |count, label| encode(vec![resource(&[], vec![buckets(count, label)])])),
    ("", |count, label| encode(vec![resource(&[], vec![quantiles(count, label)])])),
    (r#""exponential_histograms":"classic""#, |count, label| {
        encode(vec![resource(&[], vec![exponential_buckets(count, label)])])
    }),
    (RESOURCE_LABELS, |count, label| {
        encode(vec![resource(std::slice::from_ref(label), vec![points(count)])])
    }),
    ("", |count, label| {
        let mut resource = resource(&[], vec![points(count)]);
        resource.scope_metrics[0].scope =
            Some(InstrumentationScope { attributes: vec![label.clone()], ..Default::default() });
        encode(vec![resource])
    }),
    ("", |count, label| {
        let metric = Metric { name: format!("m{}", "x".repeat(label_length(label))), ..points(count) };
        encode(vec![resource(&[], vec![metric])])
    }),
];

fn label_length(label: &KeyValue) -> usize {
    match label.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.len(),
        _ => 0,
    }
}

/// The longest label with which so many series are taken.
fn longest(exporter: &mut Exporter, make: Make, count: usize) -> usize {
    let (mut taken, mut refused) = (500usize, 40_000);
    while refused - taken > 1 {
        let length = taken.midpoint(refused);
        match try_accept(exporter, &make(count, &text("k", &"x".repeat(length)))) {
            Ok(_) => taken = length,
            Err(_) => refused = length,
        }
    }
    taken
}

#[test]
fn a_payload_is_taken_up_to_the_limit_and_refused_one_byte_beyond() {
    for (number, (options, make)) in MADE.into_iter().enumerate() {
        for protocol in ["", V2] {
            let options = [options, protocol].into_iter().filter(|option| !option.is_empty());
            let options = options.collect::<Vec<_>>().join(",");
            let mut exporter = exporter(&options);
            let good = encode(vec![resource(&[], vec![points(3)])]);
            let before = accept(&mut exporter, &good);

            let length = longest(&mut exporter, make, 2_000);
            let at_limit = make(2_000, &text("k", &"x".repeat(length)));
            let taken = try_accept(&mut exporter, &at_limit).unwrap();
            // One byte of the label is 2,000 bytes of series and more.
            let as_v1: Vec<Batch> = match protocol {
                "" => taken.batches.clone(),
                _ => taken.batches.iter().flat_map(|batch| exporter.downgrade(batch).unwrap()).collect(),
            };
            let (size, limit) = (size(&as_v1), limit(&at_limit));
            // In 2.0 a name counts twice: that of the family may stand before each series once it is 1.0.
            let least = if (number, protocol) == (MADE.len() - 1, V2) { 49 } else { 98 };
            assert!(size <= limit && size > limit * least / 100, "{options}: {size} of {limit}");

            let beyond = make(2_000, &text("k", &"x".repeat(length + 1)));
            let refused = try_accept(&mut exporter, &beyond).unwrap_err();
            assert!(refused.contains("MiB") && refused.chars().count() < 700, "{refused}");
            assert_eq!(accept(&mut exporter, &good), before, "{options}: another answer after a refusal");
        }
    }
}

#[test]
fn the_refusal_names_the_metric_its_longest_label_and_what_to_change() {
    let long = text("k\u{1b}", &"x".repeat(100_000));
    let shorter = text("k\u{1b}", &"x".repeat(10_000));
    let refusal = |options, payload: &[u8]| try_accept(&mut exporter(options), payload).unwrap_err();
    let payload = encode(vec![resource(&[], vec![buckets(3_000, &shorter)])]);
    assert_eq!(
        refusal("", &payload),
        format!(
            "metric \"h\", 3003 series of one point, 3003 of the payload so far, each with its label \"k_\" \
             (10002 bytes, from the point), comes to more than {} bytes of series: a payload of {} bytes \
             may come to 256 times its size and 4 MiB; shorten what is repeated, send fewer buckets, or \
             smaller payloads",
            limit(&payload),
            payload.len(),
        )
    );
    // What is too long for compression to find it again counts for more.
    let refused = refusal("", &encode(vec![resource(&[], vec![buckets(100, &long)])]));
    assert!(refused.contains("bytes of compressed series: a payload of"), "{refused}");
    assert!(refused.contains("may come to 16 times its size and 4 MiB"), "{refused}");
    let of_resource = encode(vec![resource(std::slice::from_ref(&long), vec![points(3_000)])]);
    let refused = refusal(RESOURCE_LABELS, &of_resource);
    assert!(refused.contains("from the resource") && refused.contains("promote fewer"), "{refused}");
    let named = Metric { name: "x\n".repeat(50_000), ..points(3_000) };
    let refused = refusal("", &encode(vec![resource(&[], vec![named])]));
    assert!(refused.contains("its name (") && refused.len() < 600, "{refused}");
    let described = Metric { description: "x".repeat(100_000), ..points(3_000) };
    let refused = refusal(V2, &encode(vec![resource(&[], vec![described])]));
    assert!(refused.contains("its description and unit"), "{refused}");
    let scopes = vec![resource(&[long], vec![]).scope_metrics.remove(0); 3_000];
    let mut many = resource(&[text("r", &"x".repeat(100_000))], vec![]);
    many.scope_metrics = scopes;
    let refused = refusal("", &encode(vec![many]));
    assert!(refused.contains("a resource of 100") && refused.contains("fewer or shorter"), "{refused}");
}

#[test]
fn a_refused_payload_adds_nothing_up() {
    let delta =
        |value: f64, time: u64| sum("d", AggregationTemporality::Delta, vec![point_at(time, value, &[])]);
    let mut exporter = exporter(r#""delta":"accumulate""#);
    let first = encode(vec![resource(&[], vec![delta(1.0, TIME)])]);
    assert_eq!(text_of(&mut exporter, &first), ["d_total{} 1"]);
    let before = exporter.snapshot();
    let long = text("k", &"x".repeat(100_000));
    let refused = encode(vec![resource(&[], vec![delta(5.0, TIME + 1), buckets(3_000, &long)])]);
    assert!(try_accept(&mut exporter, &refused).is_err());
    assert_eq!(exporter.snapshot(), before);
    let next = encode(vec![resource(&[], vec![delta(2.0, TIME + 2)])]);
    assert_eq!(text_of(&mut exporter, &next), [format!("d_total{{}} 3 {}", TIME + 2)]);
}

fn text_of(exporter: &mut Exporter, payload: &[u8]) -> Vec<String> {
    let acceptance = accept(exporter, payload);
    lines(exporter, &acceptance)
}

/// Points of which nothing comes are looked at with all labels of their resource.
#[test]
fn rejected_points_count_too() {
    let long = text("r", &"x".repeat(500_000));
    let options = format!(r#"{RESOURCE_LABELS},"max_labels_bytes":1000"#);
    let payload = encode(vec![resource(&[long], vec![points(10_000)])]);
    assert!(try_accept(&mut exporter(&options), &payload).is_err());
}

/// What JSON says shorter than protobuf may not come to more for that.
#[test]
fn json_counts_as_it_was_given() {
    let zeros = vec!["0"; 50_000].join(",");
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"h","histogram":{{
            "aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":"{NOW}","bucketCounts":[{zeros}],
            "explicitBounds":[{zeros}],"attributes":[{{"key":"k","value":{{"stringValue":"{}"}}}}]}}]
        }}}}]}}]}}]}}"#,
        "x".repeat(1_300)
    );
    let refused = exporter("").accept(json.as_bytes(), Encoding::Json, NOW).unwrap_err();
    let Refusal::ExpandsTooFar(what) = refused else { panic!("{refused:?}") };
    assert!(what.contains(&format!("a payload of {} bytes", json.len())), "{what}");
}

/// What can be done with the batches of a payload that is as bad as may be comes to no more than a few
/// times what the payload may.
#[test]
fn what_is_made_of_batches_is_bounded_too() {
    for protocol in ["", V2] {
        let mut exporter = exporter(protocol);
        let described = Metric { description: "\u{1}".repeat(8_000), ..points(700) };
        let metrics = vec![described, buckets(700, &text("k", &"\u{1}".repeat(8_000)))];
        let payload = encode(vec![resource(&[], metrics)]);
        let acceptance = try_accept(&mut exporter, &payload).unwrap();
        let limit = limit(&payload);
        let batches = &acceptance.batches;
        assert!(size(batches) <= limit);
        let shown = |show: &dyn Fn(&Batch) -> String| {
            batches.iter().map(|batch| show(batch).len() as u64).sum::<u64>()
        };
        assert!(shown(&|batch| exporter.explain(batch).unwrap()) <= 2 * limit);
        // JSON takes six bytes for a control character.
        assert!(shown(&|batch| exporter.inspect(batch).unwrap()) <= 7 * limit);
        for batch in batches.iter().filter(|batch| batch.series > 1) {
            let (one, two) = exporter.halve(batch).unwrap();
            assert!(size([&one, &two]) <= 2 * size([batch]));
        }
        assert!(size(&exporter.merge(batches.clone()).unwrap()) <= size(batches) + 100);
        if protocol == V2 {
            let downgraded = batches.iter().flat_map(|batch| exporter.downgrade(batch).unwrap());
            assert!(size(&downgraded.collect::<Vec<_>>()) <= limit);
        }
    }
}

/// A point of many batches is never whole in memory; its batches are the same as if it were.
#[test]
fn a_point_is_cut_as_it_is_written() {
    for protocol in ["", V2] {
        let size = r#""max_batch_size_bytes":20000,"duplicate_samples":"send""#;
        let options = [size, protocol].into_iter().filter(|option| !option.is_empty()).collect::<Vec<_>>();
        let mut exporter = exporter(&options.join(","));
        let metrics = vec![points(5), buckets(2_000, &text("k", &"x".repeat(1_000))), points(7)];
        let acceptance = accept(&mut exporter, &encode(vec![resource(&[], metrics)]));
        assert_eq!(acceptance.accepted_points, 13);
        let batches = &acceptance.batches;
        assert!(
            batches
                .iter()
                .all(|batch| batch.uncompressed_size <= 20_000 && batch.protocol == batches[0].protocol)
        );
        let series: u32 = batches.iter().map(|batch| batch.series).sum();
        assert_eq!(series, 5 + 2_003 + 7);
        let of_points: Vec<u32> =
            batches.iter().map(|batch| batch.points).filter(|points| *points > 0).collect();
        assert_eq!(of_points, [5, 1, 7]);
        // All but the last are about as full as each other.
        let wide: Vec<u32> = batches[1..batches.len() - 2].iter().map(|batch| batch.series).collect();
        assert!(wide.iter().all(|series| series.abs_diff(wide[0]) * 10 <= wide[0]), "{wide:?}");
        let mut all: Vec<String> = lines(&exporter, &acceptance);
        all.retain(|line| !line.starts_with('#'));
        assert_eq!(all.len(), 2_015);
        all.dedup();
        // Five gauges come twice, since they are sent so.
        assert_eq!(all.len(), 2_010);
    }
}
