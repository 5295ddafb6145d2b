//! Native histograms, histograms for receivers without them, and exemplars.

use super::payload::*;

fn exponential_series(options: &str) -> Vec<String> {
    let point = ExponentialHistogramDataPoint {
        exemplars: vec![exemplar(3.0, text("a", "b"))],
        ..exponential_point()
    };
    series(options, vec![resource(&[], vec![exponential(point)])])
}

#[test]
fn an_exponential_histogram_becomes_a_native_one() {
    assert_eq!(
        exponential_series(r#""exemplars":false"#),
        [
            "e{} {count:13 sum:2.5 schema:1 zero:3 zero_threshold:1e-128 negative:(-2+1)[4] positive:(3+3,3+1)[1,-1,2,1]}"
        ]
    );
}

#[test]
fn scales_that_are_too_fine_are_merged_down() {
    let buckets = Buckets { offset: -1, bucket_counts: vec![1, 0, 0, 3, 4] };
    let point = ExponentialHistogramDataPoint {
        scale: 9,
        zero_threshold: 0.5,
        sum: Some(0.0),
        positive: Some(buckets),
        negative: None,
        ..exponential_point()
    };
    assert_eq!(
        series("", vec![resource(&[], vec![exponential(point)])]),
        ["e{} {count:13 sum:0 schema:8 zero:3 zero_threshold:0.5 positive:(0+3)[1,-1,7]}"]
    );
}

#[test]
fn a_native_histogram_that_ended_has_the_stale_sum_and_count() {
    let point =
        ExponentialHistogramDataPoint { flags: 1, negative: None, positive: None, ..exponential_point() };
    assert_eq!(
        series("", vec![resource(&[], vec![exponential(point)])]),
        ["e{} {count:9218868437227405314 sum:StaleNaN schema:1 zero:3 zero_threshold:1e-128}"]
    );
}

#[test]
fn an_exponential_histogram_becomes_classic_buckets_on_request() {
    let classic = exponential_series(r#""exponential_histograms":"classic""#);
    let exemplar = format!(
        " {} # {{a=\"b\",span_id=\"{}\",trace_id=\"{}\"}} 3 {}",
        TIME,
        "ab".repeat(8),
        "12".repeat(16),
        TIME - 2
    );
    assert_eq!(
        classic,
        [
            r#"e_bucket{le="+Inf"} 13"#.to_owned(),
            r#"e_bucket{le="-0.25"} 4"#.to_owned(),
            r#"e_bucket{le="-0.5"} 0"#.to_owned(),
            r#"e_bucket{le="0"} 7"#.to_owned(),
            r#"e_bucket{le="2"} 7"#.to_owned(),
            format!(r#"e_bucket{{le="4"}} 8{exemplar}"#).replace(&format!(" {TIME}"), ""),
            r#"e_bucket{le="8"} 10"#.to_owned(),
            r#"e_bucket{le="16"} 10"#.to_owned(),
            r#"e_bucket{le="32"} 13"#.to_owned(),
            "e_count{} 13".to_owned(),
            "e_sum{} 2.5".to_owned(),
        ]
        .sorted()
    );
    let both = exponential_series(r#""exponential_histograms":"both""#);
    assert_eq!(both.len(), classic.len() + 1);
}

#[test]
fn a_coarse_scale_is_no_obstacle_to_classic_buckets() {
    let point = ExponentialHistogramDataPoint {
        scale: -6,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![2] }),
        negative: None,
        ..exponential_point()
    };
    let payload = vec![resource(&[], vec![exponential(point)])];
    let bound = 2f64.powi(64);
    assert_eq!(
        series(r#""exponential_histograms":"classic""#, payload.clone()),
        [
            r#"e_bucket{le="+Inf"} 13"#.to_owned(),
            r#"e_bucket{le="0"} 3"#.to_owned(),
            r#"e_bucket{le="1"} 3"#.to_owned(),
            format!(r#"e_bucket{{le="{bound}"}} 5"#),
            "e_count{} 13".to_owned(),
            "e_sum{} 2.5".to_owned(),
        ]
    );
    // With both wanted the classic series go, and the missing native one is told without a point lost.
    let mut exporter = exporter(r#""exponential_histograms":"both""#);
    let acceptance = accept(&mut exporter, &encode(payload));
    assert_eq!(acceptance.accepted_points, 1);
    assert_eq!(
        (&*acceptance.rejections[0].reason, acceptance.rejections[0].points),
        ("unsupported-scale", 0)
    );
}

fn classic_point() -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: vec![text("zone", "b")],
        start_time_unix_nano: NOW - 5_000_000_000,
        time_unix_nano: NOW,
        count: 10,
        sum: Some(2.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.1, 1.0],
        exemplars: vec![
            exemplar(5.0, text("n", "1")),
            exemplar(0.1, text("n", "2")),
            exemplar(f64::NAN, text("n", "3")),
        ],
        ..Default::default()
    }
}

#[test]
fn custom_buckets_take_what_no_bucket_has() {
    let with_infinite = HistogramDataPoint {
        explicit_bounds: vec![0.1, 1.0, f64::INFINITY],
        attributes: vec![],
        exemplars: vec![],
        ..classic_point()
    };
    let payload = vec![resource(&[], vec![histogram("h", vec![classic_point(), with_infinite])])];
    assert_eq!(
        series(r#""convert_explicit_histograms_to_nhcb":true,"exemplars":false"#, payload.clone()),
        [
            r#"h_seconds{zone="b"} {count:10 sum:2.5 schema:-53 zero:0 zero_threshold:0 positive:(0+3)[1,1,5] bounds:[0.1,1]}"#,
            "h_seconds{} {count:10 sum:2.5 schema:-53 zero:0 zero_threshold:0 positive:(0+3)[1,1,5] bounds:[0.1,1]}",
        ]
    );
    let kept =
        series(r#""convert_explicit_histograms_to_nhcb":true,"keep_classic_histograms":true"#, payload);
    assert_eq!(kept.len(), 2 + 2 * 5);
}

#[test]
fn bounds_that_do_not_ascend_make_no_custom_buckets() {
    let point = HistogramDataPoint { explicit_bounds: vec![1.0, f64::NAN], ..classic_point() };
    let mut exporter = exporter(r#""convert_explicit_histograms_to_nhcb":true"#);
    let acceptance = accept(&mut exporter, &encode(vec![resource(&[], vec![histogram("h", vec![point])])]));
    assert_eq!(acceptance.batches, []);
    assert_eq!((&*acceptance.rejections[0].reason, acceptance.rejections[0].points), ("invalid-bounds", 1));
}

#[test]
fn exemplars_go_to_the_bucket_of_their_value() {
    let lines = series("", vec![resource(&[], vec![histogram("h", vec![classic_point()])])]);
    let with_exemplars: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_once(" # "))
        .map(|(series, exemplar)| (series, exemplar.split(',').next().unwrap()))
        .collect();
    assert_eq!(
        with_exemplars,
        [
            (r#"h_seconds_bucket{le="+Inf",zone="b"} 10"#, r#"{n="1""#),
            (r#"h_seconds_bucket{le="0.1",zone="b"} 1"#, r#"{n="2""#),
        ]
    );
}

#[test]
fn exemplars_are_sent_where_protocol_and_receiver_take_them() {
    let with_exemplar =
        || NumberDataPoint { exemplars: vec![exemplar(1.0, text("a", "b"))], ..point(1.0, &[]) };
    let metrics = vec![
        gauge("gauge", vec![with_exemplar()]),
        sum("sum", AggregationTemporality::Cumulative, vec![with_exemplar()]),
    ];
    let names = |options: &str| {
        let lines = series(options, vec![resource(&[], metrics.clone())]);
        let with = lines.iter().filter(|line| line.contains(" # {"));
        with.map(|line| line.split('{').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["sum_total"]);
    assert_eq!(names(r#""protobuf_message":"io.prometheus.write.v2.Request""#), ["gauge", "sum_total"]);
    assert!(names(r#""exemplars":false"#).is_empty());
    assert!(names(r#""profile":"aps""#).is_empty());
}

#[test]
fn labels_of_exemplars_are_cut_to_what_openmetrics_allows() {
    let exemplars_of = |attribute: KeyValue, ids: bool| {
        let mut exemplar = exemplar(1.0, attribute);
        if !ids {
            (exemplar.trace_id, exemplar.span_id) = (vec![], vec![0; 8]);
        }
        let point = NumberDataPoint { exemplars: vec![exemplar], ..point(1.0, &[]) };
        let sum = sum("s", AggregationTemporality::Cumulative, vec![point]);
        let lines = series("", vec![resource(&[], vec![sum])]);
        lines[0].split_once(" # ").unwrap().1.split('}').next().unwrap().to_owned()
    };
    let ids = format!("span_id=\"{}\",trace_id=\"{}\"", "ab".repeat(8), "12".repeat(16));
    // Ids and their names are 63 characters; 65 are left.
    let fitting = "é".repeat(64);
    assert_eq!(exemplars_of(text("k", &fitting), true), format!("{{k=\"{fitting}\",{ids}"));
    assert_eq!(exemplars_of(text("k", &"é".repeat(65)), true), format!("{{{ids}"));
    assert_eq!(exemplars_of(text("trace_id", "mine"), true), format!("{{{ids}"));
    assert_eq!(exemplars_of(text("trace_id", "mine"), false), "{trace_id=\"mine\"");
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<const N: usize> Sorted for [String; N] {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}
