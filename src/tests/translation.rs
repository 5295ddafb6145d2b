//! What series come of what metrics.

use super::payload::*;

#[test]
fn gauges_and_sums_become_one_series_each() {
    let integer = NumberDataPoint { value: Some(number_data_point::Value::AsInt(-3)), ..point(0.0, &[]) };
    let metrics = vec![
        gauge("system.load", vec![point(0.5, &[text("cpu.id", "0"), text("a", "x")]), integer]),
        sum("requests", AggregationTemporality::Cumulative, vec![point(7.0, &[])]),
    ];
    assert_eq!(
        series("", vec![resource(&[], metrics)]),
        ["requests_total{} 7", r#"system_load{a="x",cpu_id="0"} 0.5"#, "system_load{} -3"]
    );
}

#[test]
fn a_histogram_becomes_sum_count_and_cumulative_buckets() {
    let point = HistogramDataPoint {
        attributes: vec![text("zone", "b"), text("area", "a")],
        time_unix_nano: NOW,
        count: 10,
        sum: Some(2.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.1, 1.0],
        ..Default::default()
    };
    let without_sum = HistogramDataPoint {
        attributes: vec![],
        sum: None,
        explicit_bounds: vec![],
        bucket_counts: vec![],
        ..point.clone()
    };
    assert_eq!(
        series("", vec![resource(&[], vec![histogram("latency", vec![point, without_sum])])]),
        [
            r#"latency_seconds_bucket{area="a",le="+Inf",zone="b"} 10"#,
            r#"latency_seconds_bucket{area="a",le="0.1",zone="b"} 1"#,
            r#"latency_seconds_bucket{area="a",le="1",zone="b"} 3"#,
            r#"latency_seconds_bucket{le="+Inf"} 10"#,
            r#"latency_seconds_count{area="a",zone="b"} 10"#,
            "latency_seconds_count{} 10",
            r#"latency_seconds_sum{area="a",zone="b"} 2.5"#,
        ]
    );
}

#[test]
fn a_summary_becomes_sum_count_and_quantiles() {
    let at = |quantile, value| ValueAtQuantile { quantile, value };
    let point = SummaryDataPoint {
        attributes: vec![text("zone", "b"), text("quantile", "no")],
        time_unix_nano: NOW,
        count: 4,
        sum: 2.5,
        quantile_values: vec![at(0.0, 0.25), at(0.99, 1.5), at(1.0, 2.0)],
        ..Default::default()
    };
    let bare = SummaryDataPoint { attributes: Vec::new(), quantile_values: Vec::new(), ..point.clone() };
    let summary = Summary { data_points: vec![point, bare] };
    assert_eq!(
        series("", vec![resource(&[], vec![metric("wait", "s", Data::Summary(summary))])]),
        [
            r#"wait_seconds_count{zone="b"} 4"#,
            "wait_seconds_count{} 4",
            r#"wait_seconds_sum{zone="b"} 2.5"#,
            "wait_seconds_sum{} 2.5",
            r#"wait_seconds{quantile="0",zone="b"} 0.25"#,
            r#"wait_seconds{quantile="0.99",zone="b"} 1.5"#,
            r#"wait_seconds{quantile="1",zone="b"} 2"#,
        ]
    );
}

#[test]
fn an_explicit_infinite_bound_makes_no_series_twice() {
    let point = HistogramDataPoint {
        time_unix_nano: NOW,
        count: 3,
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![1.0, f64::INFINITY],
        ..Default::default()
    };
    assert_eq!(
        series("", vec![resource(&[], vec![histogram("h", vec![point])])]),
        [r#"h_seconds_bucket{le="+Inf"} 3"#, r#"h_seconds_bucket{le="1"} 1"#, "h_seconds_count{} 3"]
    );
}

#[test]
fn all_series_of_a_histogram_share_its_partition() {
    let mut exporter = exporter(r#""partitions":16"#);
    let point = HistogramDataPoint {
        time_unix_nano: NOW,
        explicit_bounds: (0..20).map(f64::from).collect(),
        bucket_counts: vec![1; 21],
        ..Default::default()
    };
    let points =
        (0..50).map(|n| HistogramDataPoint { attributes: vec![text("id", &n.to_string())], ..point.clone() });
    let acceptance =
        accept(&mut exporter, &encode(vec![resource(&[], vec![histogram("h", points.collect())])]));
    assert!(acceptance.batches.len() > 8);
    for batch in &acceptance.batches {
        assert_eq!(batch.series, batch.points * 22, "{}", exporter.explain(batch).unwrap());
    }
}

#[test]
fn the_resource_becomes_job_instance_and_target_info() {
    let attributes = [
        text("service.name", "shop"),
        text("service.namespace", "eu"),
        text("service.instance.id", "i-1"),
        text("host.name", "h"),
        attribute("cores", Value::IntValue(4)),
    ];
    assert_eq!(
        series("", vec![resource(&attributes, vec![gauge("g", vec![point(1.0, &[text("job", "mine")])])])]),
        [
            r#"g{instance="i-1",job="eu/shop"} 1"#,
            r#"target_info{cores="4",host_name="h",instance="i-1",job="eu/shop"} 1"#,
        ]
    );
    let without = series(
        r#""target_info":{"enabled":false}"#,
        vec![resource(&attributes[..1], vec![gauge("g", vec![point(1.0, &[])])])],
    );
    assert_eq!(without, [r#"g{job="shop"} 1"#]);
}

#[test]
fn resource_attributes_become_labels_on_request() {
    let attributes =
        [text("service.name", "shop"), attribute("n", Value::IntValue(4)), text("a", "resource")];
    let metrics =
        || vec![gauge("g", vec![point(1.0, &[text("a", "point"), attribute("b", Value::BoolValue(true))])])];
    let options = |more: &str| {
        format!(
            r#""target_info":{{"enabled":false}},"resource_to_telemetry_conversion":{{"enabled":true{more}}}"#
        )
    };
    assert_eq!(
        series(&options(""), vec![resource(&attributes, metrics()), resource(&[], metrics())]),
        [r#"g{a="point",b="true"} 1"#, r#"g{a="resource",b="true",job="shop",n="4",service_name="shop"} 1"#,]
    );
    assert_eq!(
        series(&options(r#","exclude_service_attributes":true"#), vec![resource(&attributes, metrics())]),
        [r#"g{a="resource",b="true",job="shop",n="4"} 1"#]
    );
}

#[test]
fn external_labels_yield_to_the_data_and_scope_labels_do_not() {
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![text("name", "ignored"), text("x.y", "z"), text("empty", "")],
        ..Default::default()
    };
    let metrics =
        vec![gauge("g", vec![point(1.0, &[text("cluster", "mine"), text("otel_scope_name", "no")])])];
    let scoped = |metrics| ResourceMetrics {
        scope_metrics: vec![ScopeMetrics { scope: Some(scope.clone()), metrics, ..Default::default() }],
        ..Default::default()
    };
    let external = r#""external_labels":{"cluster":"prod","__replica__":"r1","otel_scope_version":"0"}"#;
    assert_eq!(
        series(external, vec![scoped(metrics.clone())]),
        [concat!(
            r#"g{__replica__="r1",cluster="mine","#,
            r#"otel_scope_name="lib",otel_scope_version="1.2",otel_scope_x_y="z"} 1"#
        )]
    );
    assert_eq!(
        series(&format!(r#"{external},"disable_scope_info":true"#), vec![scoped(metrics)]),
        [r#"g{__replica__="r1",cluster="mine",otel_scope_name="no",otel_scope_version="0"} 1"#]
    );
}

#[test]
fn attributes_on_one_label_name_are_joined_in_the_order_of_their_keys() {
    let keys = |a: &str, b: &str, c: &str| [text("a.b", b), text("a_b", c), text("a-b", a)];
    let labels =
        |a, b, c| series("", vec![resource(&[], vec![gauge("g", vec![point(1.0, &keys(a, b, c))])])]);
    assert_eq!(labels("1", "1", "2"), [r#"g{a_b="1;2"} 1"#]);
    assert_eq!(labels("a", "b", "a"), [r#"g{a_b="a;b;a"} 1"#]);
    assert_eq!(labels("1", "1", "1"), [r#"g{a_b="1"} 1"#]);
    assert_eq!(labels("", "1", "2"), [r#"g{a_b="1;2"} 1"#]);
}

#[test]
fn reserved_names_do_not_make_a_label_twice() {
    let attributes = [text("__name__", "no"), text("le", "no"), text("ok", "yes")];
    let buckets = HistogramDataPoint {
        attributes: attributes.to_vec(),
        time_unix_nano: NOW,
        count: 1,
        ..Default::default()
    };
    let metrics = vec![gauge("g", vec![point(1.0, &attributes)]), histogram("h", vec![buckets])];
    assert_eq!(
        series("", vec![resource(&[], metrics)]),
        [
            r#"g{le="no",ok="yes"} 1"#,
            r#"h_seconds_bucket{le="+Inf",ok="yes"} 1"#,
            r#"h_seconds_count{ok="yes"} 1"#,
        ]
    );
}

#[test]
fn plans_follow_the_keys_from_point_to_point() {
    let points = vec![
        point(1.0, &[text("a", "1"), text("b", "1")]),
        point(2.0, &[text("b", "2"), text("a", "2")]),
        point(3.0, &[text("a", "3"), text("c", "3")]),
        point(4.0, &[text("a", "4"), text("b", "")]),
        point(5.0, &[text("a", "5"), text("b", "5")]),
    ];
    assert_eq!(
        series("", vec![resource(&[], vec![gauge("g", points)])]),
        [
            r#"g{a="1",b="1"} 1"#,
            r#"g{a="2",b="2"} 2"#,
            r#"g{a="3",c="3"} 3"#,
            r#"g{a="4"} 4"#,
            r#"g{a="5",b="5"} 5"#,
        ]
    );
}

#[test]
fn more_key_sets_than_plans_are_kept_still_work() {
    let points: Vec<_> = (0..100).map(|n| point(f64::from(n), &[text(&format!("k{n}"), "v")])).collect();
    let twice: Vec<_> = points.iter().chain(&points).cloned().collect();
    let lines = series(r#""duplicate_samples":"send""#, vec![resource(&[], vec![gauge("g", twice)])]);
    for n in 0..100 {
        let expected = format!(r#"g{{k{n}="v"}} {n}"#);
        assert_eq!(lines.iter().filter(|line| **line == expected).count(), 2);
    }
}

#[test]
fn a_series_without_recorded_value_ends() {
    let ended = NumberDataPoint { flags: 1, ..point(3.0, &[]) };
    let mut exporter = exporter("");
    let acceptance = accept(&mut exporter, &encode(vec![resource(&[], vec![gauge("g", vec![ended])])]));
    let body = snap::raw::Decoder::new().decompress_vec(&acceptance.batches[0].body).unwrap();
    let stale = 0x7ff0_0000_0000_0002u64.to_le_bytes();
    assert!(body.windows(8).any(|window| window == stale));
}

#[test]
fn namespace_and_suffixes() {
    let metrics = || vec![metric("x.y", "s", Data::Gauge(Gauge { data_points: vec![point(1.0, &[])] }))];
    assert_eq!(series(r#""namespace":"app""#, vec![resource(&[], metrics())]), ["app_x_y_seconds{} 1"]);
    let without = r#""namespace":"app","add_metric_suffixes":false"#;
    assert_eq!(series(without, vec![resource(&[], metrics())]), ["app_x_y{} 1"]);
}

#[test]
fn labels_too_long_for_a_template_are_written_whole() {
    for length in [90, 110, 120, 126, 127, 128, 200, 20_000] {
        let long = "v".repeat(length);
        let attributes = [text("a", "1"), text("some.key", &long), text("z", "2")];
        let buckets = HistogramDataPoint {
            attributes: attributes.to_vec(),
            time_unix_nano: NOW,
            count: 2,
            bucket_counts: vec![1, 1],
            explicit_bounds: vec![5.0],
            ..Default::default()
        };
        let labels = |extra: &str| format!(r#"{{a="1",{extra}some_key="{long}",z="2"}}"#);
        assert_eq!(
            series(
                "",
                vec![resource(
                    &[],
                    vec![gauge("g", vec![point(1.0, &attributes)]), histogram("h", vec![buckets])]
                )]
            ),
            [
                format!("g{} 1", labels("")),
                format!("h_seconds_bucket{} 2", labels(r#"le="+Inf","#)),
                format!("h_seconds_bucket{} 1", labels(r#"le="5","#)),
                format!("h_seconds_count{} 2", labels("")),
            ]
        );
    }
}
