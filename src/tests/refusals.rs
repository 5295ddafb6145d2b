//! What is not taken, and that it costs nothing else.

use super::payload::*;
use preamp_contract::{Encoding, Refusal};

#[test]
fn every_reason_is_counted_with_an_example_and_the_rest_goes_on() {
    let old = TIME - 2 * 3_600_000;
    let coarse = exponential(ExponentialHistogramDataPoint { scale: -5, ..exponential_point() });
    let many_labels: Vec<_> = (0..8).map(|n| text(&format!("k{n}"), "v")).collect();
    let with_limits = r#""profile":"aps","max_sample_future_ms":60000,"max_labels_per_series":8"#;
    let metrics = vec![
        gauge("good", vec![point(1.0, &[]), point(2.0, &[text("", "empty key")]), point_at(old, 3.0, &[])]),
        sum("delta", AggregationTemporality::Delta, vec![point(1.0, &[]); 3]),
        sum("since.when", AggregationTemporality::Unspecified, vec![point(1.0, &[]); 2]),
        coarse,
        gauge("early", vec![point_at(TIME + 60_001, 1.0, &[])]),
        gauge("labelled", vec![point(1.0, &many_labels)]),
        gauge("日本", vec![point(1.0, &[])]),
        Metric { name: "nothing".to_owned(), ..Default::default() },
    ];
    let mut exporter = exporter(with_limits);
    let acceptance = accept(&mut exporter, &encode(vec![resource(&[], metrics)]));
    assert_eq!(lines(&exporter, &acceptance), ["good{} 1"]);
    assert_eq!(acceptance.accepted_points, 1);
    let mut rejections: Vec<_> =
        acceptance.rejections.iter().map(|r| (&*r.reason, r.points, r.example.as_str())).collect();
    rejections.sort();
    assert_eq!(
        rejections,
        [
            ("delta-temporality", 3, r#"metric "delta" is of type sum"#),
            ("invalid-label", 1, r#"metric "good" has the attribute key """#),
            ("invalid-name", 1, r#"metric "日本" is of type gauge"#),
            ("label-limit", 1, r#"metric "labelled" has a point with 9 labels"#),
            ("no-data", 0, r#"metric "nothing" has no data"#),
            (
                "too-far-in-the-future",
                1,
                r#"metric "early" has a point 1 ms further ahead than the receiver takes"#
            ),
            ("too-old", 1, r#"metric "good" has a point 3600000 ms beyond the age the receiver takes"#),
            ("unspecified-temporality", 2, r#"metric "since.when" is of type sum"#),
            ("unsupported-scale", 1, r#"metric "e" has a point of scale -5"#),
        ]
    );
    assert!(acceptance.rejections.iter().all(|rejection| !rejection.remedy.is_empty()));
    let of_time = acceptance.rejections.iter().filter(|rejection| rejection.because_of_time);
    let mut of_time: Vec<_> = of_time.map(|rejection| &*rejection.reason).collect();
    of_time.sort_unstable();
    assert_eq!(of_time, ["too-far-in-the-future", "too-old"]);
}

#[test]
fn text_that_is_not_utf8_costs_its_point_only() {
    let mut payload = encode(vec![resource(
        &[],
        vec![gauge("g", vec![point(1.0, &[text("k", "MARK")]), point(2.0, &[text("k", "é")])])],
    )]);
    let at = payload.windows(4).position(|window| window == b"MARK").unwrap();
    payload[at + 2] = 0xff;
    let mut exporter = exporter("");
    let acceptance = accept(&mut exporter, &payload);
    assert_eq!(lines(&exporter, &acceptance), [r#"g{k="é"} 2"#]);
    assert_eq!((&*acceptance.rejections[0].reason, acceptance.rejections[0].points), ("invalid-utf8", 1));
}

#[test]
fn a_payload_cut_anywhere_is_refused_or_taken_but_never_mixed() {
    let points = ["a", "b", "c"].map(|value| point(1.0, &[text("a", value)])).to_vec();
    let metrics = vec![gauge("g", points)];
    let payload = encode(vec![resource(&[text("service.name", "s")], metrics)]);
    let mut exporter = exporter("");
    for length in 1..payload.len() {
        match exporter.accept(&payload[..length], Encoding::Protobuf, NOW) {
            Err(Refusal::Malformed(what)) => assert!(what.contains(" at byte "), "{what}"),
            other => panic!("{length}: {other:?}"),
        }
    }
    assert_eq!(accept(&mut exporter, &payload).accepted_points, 3);
}

#[test]
fn an_empty_payload_is_accepted() {
    let acceptance = accept(&mut exporter(""), &[]);
    assert_eq!((acceptance.batches.len(), acceptance.accepted_points), (0, 0));
}

#[test]
fn other_signals_are_recognised() {
    use opentelemetry_proto::tonic::collector::{logs, trace};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;
    let span =
        Span { trace_id: vec![1; 16], name: "s".to_owned(), start_time_unix_nano: NOW, ..Default::default() };
    let traces = trace::v1::ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![span], ..Default::default() }],
            ..Default::default()
        }],
    };
    let record = LogRecord { time_unix_nano: NOW, severity_number: 9, ..Default::default() };
    let logs = logs::v1::ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs { log_records: vec![record], ..Default::default() }],
            ..Default::default()
        }],
    };
    let mut exporter = exporter("");
    let mut refusal = |payload: Vec<u8>| exporter.accept(&payload, Encoding::Protobuf, NOW).unwrap_err();
    assert_eq!(refusal(traces.encode_to_vec()), Refusal::WrongSignal("traces".into()));
    assert_eq!(refusal(logs.encode_to_vec()), Refusal::WrongSignal("logs".into()));
}

#[test]
fn the_size_is_checked_first() {
    let mut exporter = exporter(r#""max_payload_bytes":10"#);
    assert_eq!(exporter.accept(&[0; 11], Encoding::Protobuf, NOW), Err(Refusal::TooLarge(10)));
    assert_eq!(exporter.accept(&[b'{'; 11], Encoding::Json, NOW), Err(Refusal::TooLarge(10)));
}

/// A point may have any number of attributes: work must not grow with their square.
#[test]
fn very_many_attributes_on_one_point_are_no_trap() {
    let attributes: Vec<_> = (0..50_000).map(|n| text(&format!("key-{n}"), "v")).collect();
    let payload = encode(vec![resource(&attributes, vec![gauge("g", vec![point(1.0, &attributes)])])]);
    let options = r#""resource_to_telemetry_conversion":{"enabled":true},"max_batch_size_bytes":67108864"#;
    let acceptance = accept(&mut exporter(options), &payload);
    assert_eq!(acceptance.accepted_points, 1);
}
