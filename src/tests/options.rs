//! Options that shape names, metadata and additional series.

use super::payload::*;

const V2: &str = r#""protobuf_message":"io.prometheus.write.v2.Request""#;

fn described(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    Metric { description: description.to_owned(), ..metric(name, unit, data) }
}

fn gauge_data() -> Data {
    Data::Gauge(Gauge { data_points: vec![point(1.0, &[])] })
}

#[test]
fn metadata_is_sent_once_in_a_payload_and_only_with_series() {
    let metrics = vec![
        described("speed", "m/s", "How fast.", Data::Gauge(Gauge::default())),
        described("speed", "m/s", "How fast.", gauge_data()),
        sum("delta", AggregationTemporality::Delta, vec![point(1.0, &[])]),
        sum("requests", AggregationTemporality::Cumulative, vec![point(1.0, &[])]),
    ];
    let payload =
        encode(vec![resource(&[], metrics.clone()), resource(&[text("service.name", "b")], metrics)]);
    let mut exporter = exporter(r#""send_metadata":true"#);
    let acceptance = accept(&mut exporter, &payload);
    let text: String = acceptance.batches.iter().map(|batch| exporter.explain(batch).unwrap()).collect();
    let comments: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(
        comments,
        [
            "# TYPE speed_meters_per_second gauge",
            "# HELP speed_meters_per_second How fast.",
            "# UNIT speed_meters_per_second meters_per_second",
            "# TYPE requests_total counter",
        ]
    );
    assert_eq!(accept(&mut exporter, &payload).batches, acceptance.batches, "due again with each payload");
}

#[test]
fn metadata_for_amp_is_sent_once_an_hour() {
    let mut exporter = exporter(r#""profile":"aps","send_metadata":true"#);
    let payload = encode(vec![resource(&[], vec![described("g", "", "Help.", gauge_data())])]);
    let mut has_metadata = |after_ms: u64| {
        let acceptance =
            exporter.accept(&payload, preamp_contract::Encoding::Protobuf, NOW + after_ms * 1_000_000);
        exporter.explain(&acceptance.unwrap().batches[0]).unwrap().contains("# HELP g Help.")
    };
    assert!(has_metadata(0));
    assert!(!has_metadata(3_599_999));
    assert!(has_metadata(3_600_000));
}

#[test]
fn types_that_only_prometheus_has_come_back_from_where_they_were_kept() {
    let typed = |name: &str, kind: &str, data: Data| Metric {
        metadata: vec![text("prometheus.type", kind)],
        ..metric(name, "", data)
    };
    let up_down = Data::Sum(Sum {
        data_points: vec![point(1.0, &[])],
        aggregation_temporality: 2,
        is_monotonic: false,
    });
    let metrics = vec![
        typed("a", "unknown", gauge_data()),
        typed("b", "info", up_down.clone()),
        typed("c", "stateset", up_down.clone()),
        typed("d", "counter", up_down),
    ];
    let payload = encode(vec![resource(&[], metrics)]);
    for options in [r#""send_metadata":true"#, V2] {
        let mut exporter = exporter(options);
        let acceptance = accept(&mut exporter, &payload);
        let text = exporter.explain(&acceptance.batches[0]).unwrap();
        let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let expected = ["# TYPE a unknown", "# TYPE b info", "# TYPE c stateset", "# TYPE d gauge"];
        // In 2.0 a type that is unknown is the same as no metadata.
        assert_eq!(types, expected[usize::from(options == V2)..], "{options}");
    }
}

#[test]
fn names_follow_the_translation_strategy() {
    let attributes = [text("http.method", "GET"), text("été", "x")];
    let data = || Data::Gauge(Gauge { data_points: vec![point(1.0, &attributes)] });
    let name = |strategy: &str| {
        let options = format!(r#""translation_strategy":"{strategy}",{V2}"#);
        let lines = series(&options, vec![resource(&[], vec![metric("http.température", "Cel", data())])]);
        lines.into_iter().find(|line| !line.starts_with('#')).unwrap()
    };
    let escaped = r#"{_t_="x",http_method="GET"} 1"#;
    assert_eq!(name("UnderscoreEscapingWithSuffixes"), format!("http_temp_rature_celsius{escaped}"));
    assert_eq!(name("UnderscoreEscapingWithoutSuffixes"), format!("http_temp_rature{escaped}"));
    assert_eq!(
        name("NoUTF8EscapingWithSuffixes"),
        r#"http.température_celsius{http.method="GET",été="x"} 1"#
    );
    assert_eq!(name("NoTranslation"), r#"http.température{http.method="GET",été="x"} 1"#);
}

#[test]
fn resource_attributes_are_chosen_by_patterns() {
    let attributes =
        [text("service.name", "shop"), text("host.name", "a"), text("host.id", "7"), text("k8s.pod", "p")];
    let line = |labels: &str| {
        let options = format!(r#""target_info":{{"enabled":false}},"resource_constant_labels":{labels}"#);
        series(&options, vec![resource(&attributes, vec![gauge("g", vec![point(1.0, &[])])])]).remove(0)
    };
    assert_eq!(
        line(r#"{"included":["host.*","service.*"],"excluded":["*.id"]}"#),
        r#"g{host_name="a",job="shop",service_name="shop"} 1"#
    );
    assert_eq!(line(r#"{"excluded":["*.id","service.*"]}"#), r#"g{host_name="a",job="shop",k8s_pod="p"} 1"#);
}

#[test]
fn created_series_tell_since_when_values_add_up() {
    let started = |value| NumberDataPoint { start_time_unix_nano: NOW - 5_000_000_000, ..point(value, &[]) };
    let metrics = vec![
        sum("a", AggregationTemporality::Cumulative, vec![point(1.0, &[text("k", "v")]), started(2.0)]),
        gauge("b", vec![started(3.0)]),
        exponential(exponential_point()),
    ];
    let lines = series(r#""export_created_metric":{"enabled":true}"#, vec![resource(&[], metrics)]);
    let created: Vec<_> = lines.iter().filter(|line| line.contains("_created")).collect();
    let start = TIME - 5_000;
    assert_eq!(created, [&format!("a_total_created{{}} {start}"), &format!("e_created{{}} {start}")]);
}

#[test]
fn the_older_scope_series_carries_the_attributes_of_a_scope() {
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![text("short.name", "l")],
        ..Default::default()
    };
    let mut payload = resource(&[text("service.name", "shop")], vec![gauge("g", vec![point(1.0, &[])])]);
    payload.scope_metrics[0].scope = Some(scope);
    let options = r#""otel_scope_info":{"enabled":true},"disable_scope_info":true"#;
    assert_eq!(
        series(options, vec![payload]),
        [
            r#"g{job="shop"} 1"#,
            r#"otel_scope_info{job="shop",otel_scope_name="lib",otel_scope_version="1.2",short_name="l"} 1"#
        ]
    );
}

#[test]
fn resource_labels_that_are_no_strings_stay_right_from_scope_to_scope() {
    let attributes = [text("service.name", "shop"), attribute("cores", Value::IntValue(16))];
    let mut payload = resource(&attributes, vec![gauge("g", vec![point(1.0, &[])])]);
    payload.scope_metrics[0].scope = Some(InstrumentationScope {
        name: "one".to_owned(),
        attributes: vec![attribute("level", Value::IntValue(7))],
        ..Default::default()
    });
    let second = resource(&[], vec![gauge("h", vec![point(2.0, &[])])]).scope_metrics;
    payload.scope_metrics.extend(second);
    let options = r#""otel_scope_info":{"enabled":true},"disable_scope_info":true,
        "target_info":{"enabled":false},"resource_to_telemetry_conversion":{"enabled":true}"#;
    let series = series(options, vec![payload]);
    let labelled = |name| format!(r#"{name}{{cores="16",job="shop",service_name="shop"}}"#);
    assert_eq!(series[..2], [labelled("g") + " 1", labelled("h") + " 2"]);
}
