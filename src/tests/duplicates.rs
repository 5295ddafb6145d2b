//! Two values of one series at one time: the first is sent, the second refused with both origins named.

use super::payload::{NOW, TIME, explained, exporter};
use preamp_contract::{Acceptance, Encoding};

/// What becomes of metrics in JSON, each list of them in a scope `s1`, `s2` …: the lines, and what was rejected.
fn taken(options: &str, scopes: &[&str]) -> (Vec<String>, Acceptance) {
    let scopes = (1..)
        .zip(scopes)
        .map(|(number, metrics)| format!(r#"{{"scope":{{"name":"s{number}"}},"metrics":[{metrics}]}}"#));
    let scopes = scopes.collect::<Vec<_>>().join(",");
    let payload = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[
            {{"key":"service.name","value":{{"stringValue":"j"}}}},
            {{"key":"k","value":{{"stringValue":"v"}}}}]}},"scopeMetrics":[{scopes}]}}]}}"#
    );
    let separator = if options.is_empty() { "" } else { "," };
    let mut exporter = exporter(&format!(r#""disable_scope_info":true{separator}{options}"#));
    let acceptance = exporter.accept(payload.as_bytes(), Encoding::Json, NOW).unwrap();
    let lines = explained(&exporter, &acceptance.batches);
    let lines = lines.iter().filter(|line| !line.starts_with("target_info"));
    let lines = lines.map(|line| line.replace(&format!(" {TIME}"), "").replace(r#"{job="j"}"#, "")).collect();
    (lines, acceptance)
}

fn metric(name: &str, data: &str) -> String {
    format!(r#"{{"name":"{name}",{data}}}"#)
}

fn gauge(name: &str, value: u32) -> String {
    metric(name, &format!(r#""gauge":{{"dataPoints":[{{"timeUnixNano":"{NOW}","asInt":{value}}}]}}"#))
}

fn sum(name: &str, value: u32) -> String {
    let points = format!(r#"[{{"timeUnixNano":"{NOW}","asInt":{value}}}]"#);
    metric(name, &format!(r#""sum":{{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":{points}}}"#))
}

fn histogram(name: &str, bounds: &str, counts: &str) -> String {
    let point = format!(
        r#"{{"timeUnixNano":"{NOW}","count":6,"sum":9,"bucketCounts":{counts},"explicitBounds":{bounds}}}"#
    );
    metric(name, &format!(r#""histogram":{{"aggregationTemporality":2,"dataPoints":[{point}]}}"#))
}

fn summary(name: &str, quantiles: &str) -> String {
    let point = format!(r#"{{"timeUnixNano":"{NOW}","count":6,"sum":9,"quantileValues":{quantiles}}}"#);
    metric(name, &format!(r#""summary":{{"dataPoints":[{point}]}}"#))
}

/// The points refused as duplicates, and what is said of the first.
fn refused(acceptance: &Acceptance) -> (u64, &str) {
    let [rejection] = &acceptance.rejections[..] else { panic!("{:?}", acceptance.rejections) };
    assert_eq!(&*rejection.reason, "duplicate-sample");
    (rejection.points, &rejection.example)
}

#[test]
fn one_metric_in_two_scopes_without_scope_labels() {
    let second = format!("{},{}", gauge("my.metric.a", 3), sum("my_metric_a", 20));
    let (lines, acceptance) = taken("", &[&sum("my_metric_a", 10), &second]);
    assert_eq!(lines, ["my_metric_a_total 10", "my_metric_a 3"]);
    let (points, example) = refused(&acceptance);
    assert_eq!((points, acceptance.accepted_points), (1, 2));
    for origin in ["of scope \"s1\"", "of scope \"s2\"", "my_metric_a_total"] {
        assert!(example.contains(origin), "{example}");
    }
    // With the labels of the scopes they are two series.
    let (_, acceptance) = taken(r#""disable_scope_info":false"#, &[&sum("a", 1), &sum("a", 2)]);
    assert_eq!((acceptance.accepted_points, acceptance.rejections.len()), (2, 0));
}

#[test]
fn names_that_become_one() {
    let (lines, acceptance) = taken("", &[&format!("{},{}", gauge("a.b", 1), gauge("a-b", 2))]);
    assert_eq!((lines, refused(&acceptance).0), (vec!["a_b 1".to_owned()], 1));
}

#[test]
fn a_metric_named_like_a_series_of_another() {
    for (other, is_refused) in [("h.count", true), ("h_sum", true), ("h.max", false), ("h", false)] {
        let (lines, acceptance) =
            taken("", &[&format!("{},{}", histogram("h", "[5]", "[1,5]"), gauge(other, 17))]);
        assert_eq!(acceptance.accepted_points, if is_refused { 1 } else { 2 }, "{other}");
        assert!(lines.contains(&"h_count 6".to_owned()), "{other}");
        if is_refused {
            let example = refused(&acceptance).1;
            assert!(
                example.contains(&format!("metric {other:?}")) && example.contains("metric \"h\""),
                "{example}"
            );
        }
        // Where the gauge comes first, the histogram is the second.
        let (lines, acceptance) =
            taken("", &[&format!("{},{}", gauge(other, 17), histogram("h", "[5]", "[1,5]"))]);
        assert_eq!(lines.len(), if is_refused { 1 } else { 5 }, "{lines:?}");
        assert_eq!(acceptance.accepted_points, if is_refused { 1 } else { 2 }, "{other}");
    }
    let bucket = gauge("h_bucket", 1)
        .replace(r#""asInt""#, r#""attributes":[{"key":"le","value":{"stringValue":"5"}}],"asInt""#);
    let (_, acceptance) = taken("", &[&format!("{},{bucket}", histogram("h", "[5]", "[1,5]"))]);
    assert_eq!(refused(&acceptance).0, 1);
    let quantile = gauge("s", 1)
        .replace(r#""asInt""#, r#""attributes":[{"key":"quantile","value":{"stringValue":"0.5"}}],"asInt""#);
    let values = r#"[{"quantile":0.5,"value":1}]"#;
    let (_, acceptance) = taken("", &[&format!("{},{quantile}", summary("s", values))]);
    assert_eq!(refused(&acceptance).0, 1);
    let (_, acceptance) = taken("", &[&format!("{},{}", summary("s", values), histogram("s", "[]", "[6]"))]);
    assert_eq!(refused(&acceptance).0, 1);
}

#[test]
fn a_native_histogram_beside_a_gauge_of_its_name() {
    let custom = r#""convert_explicit_histograms_to_nhcb":true"#;
    let (_, acceptance) = taken(custom, &[&format!("{},{}", histogram("h", "[5]", "[1,5]"), gauge("h", 1))]);
    assert_eq!(refused(&acceptance).0, 1);
    let (_, acceptance) =
        taken(custom, &[&format!("{},{}", histogram("h", "[5]", "[1,5]"), gauge("h_count", 1))]);
    assert_eq!((acceptance.accepted_points, acceptance.rejections.len()), (2, 0));
}

/// Such a point is not lost: only the second bucket, or value of a quantile, is left out.
#[test]
fn equal_bounds_and_quantiles() {
    for (bounds, counts) in [("[5,5]", "[1,2,3]"), ("[5,7,5]", "[1,0,2,3]")] {
        let (lines, acceptance) = taken("", &[&histogram("h", bounds, counts)]);
        let fives = lines.iter().filter(|line| line.contains(r#"le="5""#)).collect::<Vec<_>>();
        assert_eq!(fives, [r#"h_bucket{job="j",le="5"} 1"#], "{bounds}");
        assert!(lines.contains(&r#"h_bucket{job="j",le="+Inf"} 6"#.to_owned()));
        let (points, example) = refused(&acceptance);
        assert_eq!((points, acceptance.accepted_points), (0, 1));
        assert!(example.contains("the bound 5 twice") && example.contains("buckets 1 and "), "{example}");
    }
    let values = r#"[{"quantile":0.5,"value":1},{"quantile":0.5,"value":2}]"#;
    let (lines, acceptance) = taken("", &[&summary("s", values)]);
    assert_eq!(lines, ["s_sum 9", "s_count 6", r#"s{job="j",quantile="0.5"} 1"#]);
    assert!(refused(&acceptance).1.contains("the quantile 0.5 twice"));
}

#[test]
fn the_collector_sends_both() {
    let scopes = [&*gauge("a", 1), &*gauge("a", 2), &*histogram("h", "[5,5]", "[1,2,3]")];
    let (lines, acceptance) = taken(r#""duplicate_samples":"send""#, &scopes);
    assert_eq!(lines[..2], ["a 1", "a 2"]);
    assert_eq!(lines.iter().filter(|line| line.contains(r#"le="5""#)).count(), 2);
    assert_eq!((acceptance.accepted_points, acceptance.rejections.len()), (3, 0));
}

/// Nothing of the first look at a payload is left in what the second one makes.
#[test]
fn what_is_written_does_not_depend_on_the_second_look() {
    let many: Vec<_> = (0..500).map(|n| gauge(&format!("g{n}"), n)).collect();
    for options in [
        "",
        r#""partitions":4,"send_metadata":true"#,
        r#""protobuf_message":"io.prometheus.write.v2.Request""#,
    ] {
        let (once, _) = taken(options, &[&many.join(",")]);
        let (twice, acceptance) = taken(options, &[&format!("{},{}", many.join(","), gauge("g0", 7))]);
        assert_eq!(once, twice);
        assert_eq!((refused(&acceptance).0, acceptance.accepted_points), (1, 500));
    }
}

#[test]
fn equal_resources_have_one_target_info() {
    let resource = format!(
        r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"j"}}}},
            {{"key":"k","value":{{"stringValue":"v"}}}}]}},"scopeMetrics":[{{"metrics":[{}]}}]}}"#,
        gauge("NAME", 1)
    );
    let payload = format!(
        r#"{{"resourceMetrics":[{},{}]}}"#,
        resource.replace("NAME", "a"),
        resource.replace("NAME", "b")
    );
    let mut exporter = exporter("");
    let acceptance = exporter.accept(payload.as_bytes(), Encoding::Json, NOW).unwrap();
    let lines = explained(&exporter, &acceptance.batches);
    assert_eq!(lines.iter().filter(|line| line.starts_with("target_info")).count(), 1, "{lines:?}");
    assert_eq!((acceptance.accepted_points, acceptance.rejections.len()), (2, 0));
}
