//! Values and times that are none, and JSON that says something else than it seems to.

use super::payload::{NOW, explained, exporter};
use preamp_contract::{Acceptance, Encoding, Refusal};

fn try_json(options: &str, resource: &str) -> Result<Acceptance, Refusal> {
    let payload = format!(r#"{{"resourceMetrics":[{resource}]}}"#);
    exporter(options).accept(payload.as_bytes(), Encoding::Json, NOW)
}

/// What becomes of the points of a gauge and of a cumulative sum.
fn points(options: &str, points: &str) -> Acceptance {
    let metrics = format!(
        r#"{{"name":"g","gauge":{{"dataPoints":{points}}}}},
           {{"name":"c","sum":{{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":{points}}}}}"#
    );
    try_json(options, &format!(r#"{{"scopeMetrics":[{{"metrics":[{metrics}]}}]}}"#)).unwrap()
}

fn reasons(acceptance: &Acceptance) -> Vec<(&str, u64)> {
    acceptance.rejections.iter().map(|rejection| (&*rejection.reason, rejection.points)).collect()
}

#[test]
fn numbers_without_a_value() {
    for value in ["", r#","asDouble":null"#, r#","asInt":null"#] {
        let acceptance = points("", &format!(r#"[{{"timeUnixNano":"{NOW}"{value}}}]"#));
        assert_eq!((reasons(&acceptance), acceptance.accepted_points), (vec![("no-value", 2)], 0), "{value}");
        assert!(acceptance.rejections[0].example.contains("metric \"g\""));
    }
    // A series that has ended has none, and zero is one.
    let acceptance = points("", &format!(r#"[{{"timeUnixNano":"{NOW}","flags":1}}]"#));
    assert_eq!((reasons(&acceptance), acceptance.accepted_points), (vec![], 2));
    let acceptance = points("", &format!(r#"[{{"timeUnixNano":"{NOW}","asDouble":0}}]"#));
    assert_eq!((reasons(&acceptance), acceptance.accepted_points), (vec![], 2));
}

#[test]
fn times_in_another_unit_and_no_time_under_every_profile() {
    for profile in ["aps", "prometheus"] {
        let options = format!(r#""profile":"{profile}""#);
        for (time, reason, what) in [
            (0, "no-time", "has no time"),
            (NOW / 1_000_000_000, "wrong-time-unit", "looks like seconds"),
            (NOW / 1_000_000, "wrong-time-unit", "looks like milliseconds"),
            (NOW / 1_000, "wrong-time-unit", "looks like microseconds"),
        ] {
            let acceptance = points(&options, &format!(r#"[{{"timeUnixNano":"{time}","asInt":1}}]"#));
            assert_eq!(reasons(&acceptance), [(reason, 2)], "{profile} {time}");
            let example = &acceptance.rejections[0].example;
            assert!(example.contains(what), "{example}");
            assert!(!acceptance.rejections[0].because_of_time);
        }
        let acceptance = points(&options, r#"[{"asInt":1}]"#);
        assert_eq!(reasons(&acceptance), [("no-time", 2)]);
    }
    let acceptance = points(r#""profile":"prometheus""#, r#"[{"timeUnixNano":"1999999","asInt":1}]"#);
    assert_eq!(reasons(&acceptance), []);
}

/// Histograms and summaries have times too.
#[test]
fn no_time_in_any_type() {
    let metrics = r#"
        {"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"1","sum":1}]}},
        {"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"count":"1","sum":1}]}},
        {"name":"s","summary":{"dataPoints":[{"count":"1","sum":1}]}}"#;
    let resource = format!(
        r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"j"}}}},
            {{"key":"k","value":{{"stringValue":"v"}}}}]}},"scopeMetrics":[{{"metrics":[{metrics}]}}]}}"#
    );
    let acceptance = try_json("", &resource).unwrap();
    assert_eq!((reasons(&acceptance), acceptance.batches.len()), (vec![("no-time", 3)], 0));
    // A time that is refused is none for `target_info` either.
    let acceptance =
        try_json("", &resource.replace(r#""count""#, r#""timeUnixNano":"1768521570","count""#)).unwrap();
    assert_eq!((reasons(&acceptance), acceptance.batches.len()), (vec![("wrong-time-unit", 3)], 0));
}

#[test]
fn a_metric_without_points_says_nothing() {
    for metric in [
        r#""sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[]}"#,
        r#""sum":{"aggregationTemporality":1}"#,
        r#""sum":{}"#,
        r#""histogram":{"aggregationTemporality":1,"dataPoints":[]}"#,
        r#""exponentialHistogram":{"dataPoints":[]}"#,
        r#""gauge":{}"#,
        r#""summary":{}"#,
    ] {
        let resource =
            format!(r#"{{"scopeMetrics":[{{"metrics":[]}},{{"metrics":[{{"name":"c",{metric}}}]}}]}}"#);
        let acceptance = try_json("", &resource).unwrap();
        assert_eq!((reasons(&acceptance), acceptance.batches.len()), (vec![], 0), "{metric}");
    }
}

#[test]
fn otlp_from_before_scopes_is_refused() {
    let metrics = format!(
        r#"[{{"instrumentationLibrary":{{"name":"l"}},"metrics":[{{"name":"x","gauge":
            {{"dataPoints":[{{"timeUnixNano":"{NOW}","asInt":"1"}}]}}}}]}}]"#
    );
    for key in ["instrumentationLibraryMetrics", "instrumentation_library_metrics"] {
        let Err(Refusal::Malformed(what)) = try_json("", &format!(r#"{{"{key}":{metrics}}}"#)) else {
            panic!("{key} is taken");
        };
        assert!(what.contains("resourceMetrics[0].instrumentationLibraryMetrics: "), "{what}");
        assert!(what.contains("no scopeMetrics; this is OTLP before 0.15"), "{what}");
        assert!(try_json("", &format!(r#"{{"{key}":[]}}"#)).is_ok());
        assert!(try_json("", &format!(r#"{{"{key}":null}}"#)).is_ok());
    }
    // Field 1000 of ResourceMetrics, in protobuf.
    let payload = [0x0a, 5, 0xc2, 0x3e, 2, 0x12, 0];
    let refusal = exporter("").accept(&payload, Encoding::Protobuf, NOW).unwrap_err();
    assert!(matches!(&refusal, Refusal::Malformed(what) if what.contains("OTLP before 0.15")), "{refusal:?}");
}

#[test]
fn otlp_from_before_attributes_is_refused() {
    for metric in [
        r#""intGauge":{"dataPoints":[{"value":"1"}]}"#,
        r#""intSum":{"dataPoints":[]}"#,
        r#""gauge":{"dataPoints":[{"asInt":1,"labels":[{"key":"a","value":"b"}]}]}"#,
    ] {
        let resource = format!(r#"{{"scopeMetrics":[{{"metrics":[{{"name":"c",{metric}}}]}}]}}"#);
        let refusal = try_json("", &resource).unwrap_err();
        assert!(
            matches!(&refusal, Refusal::Malformed(what) if what.contains("OTLP before 0.9")),
            "{refusal:?}"
        );
    }
}

#[test]
fn numbers_out_of_range_are_errors_with_their_place() {
    for (field, number) in [
        ("asDouble", "1e400"),
        ("asDouble", "-1e400"),
        ("asDouble", r#""1e309""#),
        ("asInt", "1e400"),
        ("asInt", "9223372036854775808"),
        ("timeUnixNano", r#""18446744073709551616""#),
        ("timeUnixNano", "-1"),
    ] {
        let metric = format!(r#"{{"name":"g","gauge":{{"dataPoints":[{{"{field}":{number}}}]}}}}"#);
        let resource = format!(r#"{{"scopeMetrics":[{{"metrics":[{metric}]}}]}}"#);
        let refusal = try_json("", &resource).unwrap_err();
        let place = format!("resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0].{field}: ");
        assert!(
            matches!(&refusal, Refusal::Malformed(what) if what.contains(&place)),
            "{number}: {refusal:?}"
        );
    }
}

/// An attribute or value without a value is none, and does not stop the others.
#[test]
fn attributes_without_a_value() {
    for attribute in
        [r#"{"key":"a","stringValue":"x"}"#, r#"{"key":"a","value":{"doubleValue":null}}"#, r#"{"key":"a"}"#]
    {
        let acceptance =
            points("", &format!(r#"[{{"timeUnixNano":"{NOW}","asInt":1,"attributes":[{attribute}]}}]"#));
        assert_eq!((reasons(&acceptance), acceptance.accepted_points), (vec![], 2));
    }
}

/// What is known of a family stands before its first sample, and samples stand in the order of time.
#[test]
fn types_stand_before_samples() {
    let point = |value: &str, back: u64| {
        let time = NOW - back * 1_000_000_000;
        format!(
            r#"{{"timeUnixNano":"{time}","asDouble":1,
                "attributes":[{{"key":"room","value":{{"stringValue":"{value}"}}}}]}}"#
        )
    };
    let metrics = format!(
        r#"{{"name":"t","unit":"Cel","gauge":{{"dataPoints":[{},{}]}}}},
           {{"name":"h","histogram":{{"aggregationTemporality":2,"dataPoints":[
               {{"timeUnixNano":"{NOW}","count":1,"sum":1}}]}}}}"#,
        point("a", 0),
        point("b", 5)
    );
    let payload = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metrics}]}}]}}]}}"#);
    for options in [r#""send_metadata":true"#, r#""protobuf_message":"io.prometheus.write.v2.Request""#] {
        let mut exporter = exporter(options);
        let acceptance = exporter.accept(payload.as_bytes(), Encoding::Json, NOW).unwrap();
        let lines = explained(&exporter, &acceptance.batches);
        let at = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
        assert!(at("# TYPE t_celsius gauge") < at("t_celsius{"), "{lines:?}");
        assert!(at("# UNIT t_celsius celsius") < at("t_celsius{"), "{lines:?}");
        assert!(at("# TYPE h histogram") < at("h_"), "{lines:?}");
        assert!(at(r#"t_celsius{room="b"}"#) < at(r#"t_celsius{room="a"}"#), "{lines:?}");
    }
}
