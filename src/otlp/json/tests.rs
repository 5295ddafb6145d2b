use super::*;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
    exemplar::Value as ExemplarValue, exponential_histogram_data_point::Buckets, metric::Data,
    number_data_point::Value as NumberValue, summary_data_point::ValueAtQuantile,
};
use prost::Message as _;

fn request(json: &str) -> Result<ExportMetricsServiceRequest, Refusal> {
    let protobuf = transcode(json.as_bytes())?;
    Ok(ExportMetricsServiceRequest::decode(&*protobuf).expect("well-formed protobuf"))
}

fn metric(json: &str) -> Result<Metric, Refusal> {
    let json = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{json}]}}]}}]}}"#);
    Ok(request(&json)?.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0))
}

fn number(json: &str) -> NumberDataPoint {
    match metric(&format!(r#"{{"gauge":{{"dataPoints":[{{{json}}}]}}}}"#)).expect(json).data {
        Some(Data::Gauge(mut gauge)) => gauge.data_points.remove(0),
        other => panic!("{json}: {other:?}"),
    }
}

fn histogram(json: &str) -> HistogramDataPoint {
    match metric(&format!(r#"{{"histogram":{{"dataPoints":[{{{json}}}]}}}}"#)).expect(json).data {
        Some(Data::Histogram(mut histogram)) => histogram.data_points.remove(0),
        other => panic!("{json}: {other:?}"),
    }
}

fn exponential(json: &str) -> ExponentialHistogramDataPoint {
    match metric(&format!(r#"{{"exponentialHistogram":{{"dataPoints":[{{{json}}}]}}}}"#)).expect(json).data {
        Some(Data::ExponentialHistogram(mut histogram)) => histogram.data_points.remove(0),
        other => panic!("{json}: {other:?}"),
    }
}

fn summary(json: &str) -> SummaryDataPoint {
    match metric(&format!(r#"{{"summary":{{"dataPoints":[{{{json}}}]}}}}"#)).expect(json).data {
        Some(Data::Summary(mut summary)) => summary.data_points.remove(0),
        other => panic!("{json}: {other:?}"),
    }
}

/// The value of an attribute.
fn any(json: &str) -> Option<any_value::Value> {
    let mut point = number(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#));
    assert_eq!(point.attributes[0].key, "k");
    point.attributes.remove(0).value?.value
}

/// What is wrong with a number data point.
fn wrong_number(json: &str) -> String {
    match metric(&format!(r#"{{"gauge":{{"dataPoints":[{{{json}}}]}}}}"#)) {
        Err(Refusal::Malformed(what)) => what,
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn names_in_snake_case_are_the_same_fields() {
    let camel = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"exponentialHistogram":
        {"dataPoints":[{"timeUnixNano":"7","zeroCount":1,"zeroThreshold":0.5}],"aggregationTemporality":2}}]}]}]}"#;
    let snake = r#"{"resource_metrics":[{"scope_metrics":[{"metrics":[{"exponential_histogram":
        {"data_points":[{"time_unix_nano":"7","zero_count":1,"zero_threshold":0.5}],"aggregation_temporality":2}}]}]}]}"#;
    assert_eq!(request(camel), request(snake));
    assert!(request(camel).is_ok_and(|request| request != ExportMetricsServiceRequest::default()));
}

#[test]
fn unknown_fields_are_ignored_whatever_they_hold() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let json = format!(
        r#"{{"new":{{"a":[1,{{"b":null}}]}},"resourceMetrics":[{{"entityRefs":[{{}}],"scopeMetrics":
           [{{"metrics":[{{"name":"n","nested":{deep},"Name":"other"}}]}}]}}]}}"#
    );
    assert_eq!(request(&json).unwrap().resource_metrics[0].scope_metrics[0].metrics[0].name, "n");
}

#[test]
fn enums_are_numbers_or_names() {
    for (json, temporality) in [
        ("2", 2),
        (r#""2""#, 2),
        (r#""AGGREGATION_TEMPORALITY_CUMULATIVE""#, 2),
        (r#""AGGREGATION_TEMPORALITY_DELTA""#, 1),
        (r#""AGGREGATION_TEMPORALITY_UNSPECIFIED""#, 0),
        ("null", 0),
        ("-1", -1),
        ("17", 17),
    ] {
        let read = metric(&format!(r#"{{"sum":{{"aggregationTemporality":{json}}}}}"#)).unwrap().data;
        let Some(Data::Sum(sum)) = read else { panic!("{json}: {read:?}") };
        assert_eq!(sum.aggregation_temporality, temporality, "{json}");
    }
    let unknown = metric(r#"{"sum":{"aggregationTemporality":"CUMULATIVE"}}"#);
    assert!(matches!(unknown, Err(Refusal::Malformed(what)) if what.contains("a name of this enum")));
}

#[test]
fn whole_numbers_are_numbers_or_texts_in_any_notation() {
    for (json, value) in [
        ("5", 5),
        (r#""5""#, 5),
        ("-0", 0),
        ("1e3", 1_000),
        (r#""1e3""#, 1_000),
        ("12.0", 12),
        ("9223372036854775807", i64::MAX),
        (r#""-9223372036854775808""#, i64::MIN),
        ("9007199254740993", 9_007_199_254_740_993),
    ] {
        let point = number(&format!(r#""asInt":{json}"#));
        assert_eq!(point.value, Some(NumberValue::AsInt(value)), "{json}");
        assert_eq!(any(&format!(r#"{{"intValue":{json}}}"#)), Some(any_value::Value::IntValue(value)));
    }
    for (json, value) in [
        ("18446744073709551615", u64::MAX),
        (r#""18446744073709551615""#, u64::MAX),
        ("1e19", 10_u64.pow(19)),
    ] {
        assert_eq!(number(&format!(r#""timeUnixNano":{json}"#)).time_unix_nano, value, "{json}");
        let buckets = exponential(&format!(r#""positive":{{"offset":"-3","bucketCounts":[{json},"0",1]}}"#));
        assert_eq!(buckets.positive, Some(Buckets { offset: -3, bucket_counts: vec![value, 0, 1] }));
    }
    assert_eq!(exponential(r#""scale":-2147483648"#).scale, i32::MIN);
    assert_eq!(number(r#""flags":"4294967295""#).flags, u32::MAX);
    for json in [
        r#""asInt":1.5"#,
        r#""asInt":9223372036854775808"#,
        r#""asInt":"""#,
        r#""asInt":"NaN""#,
        r#""asInt":" 5""#,
        r#""asInt":true"#,
        r#""asInt":{}"#,
        r#""timeUnixNano":-1"#,
        r#""timeUnixNano":18446744073709551616"#,
        r#""flags":4294967296"#,
    ] {
        let what = wrong_number(json);
        assert!(what.contains("expected a whole number of ") && what.contains(" at byte "), "{what}");
    }
}

#[test]
fn doubles_are_numbers_or_texts() {
    for (json, value) in [
        ("0.1", 0.1),
        (r#""0.1""#, 0.1),
        ("5", 5.0),
        ("-0", -0.0),
        (r#""Infinity""#, f64::INFINITY),
        (r#""-Infinity""#, f64::NEG_INFINITY),
        (r#""NaN""#, f64::NAN),
        ("5e-324", 5e-324),
        ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
        // Halfway between two doubles, but for the last digit.
        ("9007199254740993.00000000000000000000001", 9_007_199_254_740_994.0),
    ] {
        let read = number(&format!(r#""asDouble":{json}"#)).value;
        let Some(NumberValue::AsDouble(read)) = read else { panic!("{json}: {read:?}") };
        assert_eq!(read.to_bits(), value.to_bits(), "{json}");
    }
    for json in ["true", r#""""#, r#""one""#, "[]"] {
        assert!(
            wrong_number(&format!(r#""asDouble":{json}"#))
                .contains("expected a number that a double can hold at"),
            "{json}"
        );
    }
}

#[test]
fn ids_are_hexadecimal_and_other_bytes_base64() {
    let mut point = number(
        r#""exemplars":[{"traceId":"00FFabCD","spanId":"","asInt":"3","timeUnixNano":9,
           "filteredAttributes":[{"key":"a","value":{"bytesValue":"-_8"}}]}]"#,
    );
    let exemplar = point.exemplars.remove(0);
    assert_eq!((exemplar.trace_id, exemplar.span_id), (vec![0, 0xff, 0xab, 0xcd], vec![]));
    assert_eq!((exemplar.value, exemplar.time_unix_nano), (Some(ExemplarValue::AsInt(3)), 9));
    let bytes = Some(any_value::Value::BytesValue(vec![0xfb, 0xff]));
    assert_eq!(exemplar.filtered_attributes[0].value, Some(AnyValue { value: bytes.clone() }));
    // Some encoders escape the slash.
    assert_eq!(any(r#"{"bytesValue":"+\/8="}"#), bytes);
    for (json, said) in [
        (r#""exemplars":[{"traceId":"abc"}]"#, "exemplars[0].traceId: expected hexadecimal digits"),
        (r#""exemplars":[{},{"spanId":"zz"}]"#, "exemplars[1].spanId: expected hexadecimal digits"),
        (r#""attributes":[{"value":{"bytesValue":"Z"}}]"#, "attributes[0].value.bytesValue: expected base64"),
    ] {
        let what = wrong_number(json);
        assert!(what.contains(said), "{what}");
    }
}

#[test]
fn what_is_missing_or_null_is_not_set() {
    assert_eq!(number(""), NumberDataPoint::default());
    assert_eq!(
        number(r#""timeUnixNano":null,"asDouble":null,"attributes":null,"exemplars":[],"flags":null"#),
        NumberDataPoint::default()
    );
    assert_eq!(metric(r#"{"name":null,"gauge":null,"unit":null,"metadata":null}"#), Ok(Metric::default()));
    assert_eq!((any("null"), any("{}"), any(r#"{"stringValue":null}"#)), (None, None, None));
    // Set to what is not set elsewhere.
    assert_eq!(number(r#""asInt":"0""#).value, Some(NumberValue::AsInt(0)));
    assert_eq!((histogram(r#""sum":0"#).sum, histogram("").sum), (Some(0.0), None));
    assert_eq!(any(r#"{"stringValue":""}"#), Some(any_value::Value::StringValue(String::new())));
    // An item keeps its place.
    assert_eq!(histogram(r#""bucketCounts":["1",null,2]"#).bucket_counts, [1, 0, 2]);
    let array = any(r#"{"arrayValue":{"values":[null,{"boolValue":false}]}}"#);
    let values = vec![AnyValue { value: None }, AnyValue { value: Some(any_value::Value::BoolValue(false)) }];
    assert_eq!(array, Some(any_value::Value::ArrayValue(ArrayValue { values })));
}

#[test]
fn of_names_that_come_twice_the_last_counts_and_lists_add_up() {
    assert_eq!(metric(r#"{"name":"a","name":"b"}"#).unwrap().name, "b");
    assert_eq!(number(r#""asInt":1,"asDouble":2"#).value, Some(NumberValue::AsDouble(2.0)));
    assert_eq!(number(r#""asDouble":2,"asInt":1"#).value, Some(NumberValue::AsInt(1)));
    assert_eq!(
        any(r#"{"intValue":1,"stringValue":"s"}"#),
        Some(any_value::Value::StringValue("s".to_owned()))
    );
    assert_eq!(histogram(r#""explicitBounds":[1],"explicitBounds":[2,3]"#).explicit_bounds, [1.0, 2.0, 3.0]);
}

#[test]
fn texts_may_be_escaped_and_need_not_be_unicode() {
    let text = |json: &str| transcode(json.as_bytes()).unwrap();
    let name = |bytes: &[u8]| [&[0x0a, 0, 0x12, 0, 0x12, 0, 0x0a, bytes.len() as u8][..], bytes].concat();
    let lengths = |mut message: Vec<u8>| {
        for at in [1, 3, 5] {
            message[at] = (message.len() - at - 1) as u8;
        }
        message
    };
    let metric = |name: &str| {
        format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"{name}"}}]}}]}}]}}"#)
    };
    assert_eq!(text(&metric(r"\u00e9\n\ud83e\udd80")), lengths(name("é\n🦀".as_bytes())));
    // Half a surrogate pair, as JavaScript writes it: the translator refuses the point, not the request.
    assert_eq!(text(&metric(r"\ud83e")), lengths(name(b"\xed\xa0\xbe")));
    let mut invalid = metric("X").into_bytes();
    let at = invalid.iter().position(|byte| *byte == b'X').unwrap();
    invalid[at] = 0xff;
    assert_eq!(transcode(&invalid).unwrap(), lengths(name(b"\xff")));
}

#[test]
fn lengths_of_every_size_stand_in_front() {
    for length in [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000] {
        let name = "n".repeat(length);
        let read = metric(&format!(r#"{{"name":"{name}","unit":"s"}}"#)).unwrap();
        assert_eq!((read.name, read.unit.as_str()), (name, "s"), "{length}");
    }
}

#[test]
fn values_nested_too_deep_are_cut_off() {
    let nested = |levels: usize, open: &str, close: &str| {
        let value = open.repeat(levels) + r#"{"intValue":1}"# + &close.repeat(levels);
        transcode(
            format!(r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"value":{value}}}]}}}}]}}"#)
                .as_bytes(),
        )
    };
    let array = (r#"{"arrayValue":{"values":["#, "]}}");
    let map = (r#"{"kvlistValue":{"values":[{"value":"#, "}]}}");
    for (open, close) in [array, map] {
        let whole = nested(32, open, close).unwrap();
        assert!(whole.ends_with(&[0x18, 1]), "{open}: 32 levels can be labels");
        let deep = nested(100_000, open, close).unwrap();
        assert!(deep.len() < 2_000 && deep.ends_with(&[0]), "{open}: {}", deep.len());
    }
}

#[test]
fn every_field_of_the_other_types_is_read() {
    let point = exponential(
        r#""startTimeUnixNano":"1","count":"4","sum":-2.5,"min":-3,"max":4,"scale":2,"zeroCount":"1",
           "negative":{"offset":1,"bucketCounts":["2"]},"flags":1"#,
    );
    let expected = ExponentialHistogramDataPoint {
        start_time_unix_nano: 1,
        count: 4,
        sum: Some(-2.5),
        min: Some(-3.0),
        max: Some(4.0),
        scale: 2,
        zero_count: 1,
        negative: Some(Buckets { offset: 1, bucket_counts: vec![2] }),
        flags: 1,
        ..Default::default()
    };
    assert_eq!(point, expected);
    let point = summary(r#""count":"3","sum":1.5,"quantileValues":[{"quantile":0.5,"value":"0.25"},{}]"#);
    let expected = SummaryDataPoint {
        count: 3,
        sum: 1.5,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 0.25 }, ValueAtQuantile::default()],
        ..Default::default()
    };
    assert_eq!(point, expected);
    let map = any(r#"{"kvlistValue":{"values":[{"key":"a","value":{"doubleValue":"NaN"}},{"key":"b"}]}}"#);
    let Some(any_value::Value::KvlistValue(KeyValueList { values })) = map else { panic!("{map:?}") };
    assert!(
        matches!(&values[0].value, Some(AnyValue { value: Some(any_value::Value::DoubleValue(nan)) }) if nan.is_nan())
    );
    assert_eq!(values[1], KeyValue { key: "b".to_owned(), ..Default::default() });
    let read =
        metric(r#"{"description":"d","unit":"By","metadata":[{"key":"m","value":{"boolValue":"true"}}]}"#)
            .unwrap();
    assert_eq!((read.description.as_str(), read.unit.as_str()), ("d", "By"));
    assert_eq!(read.metadata[0].value, Some(AnyValue { value: Some(any_value::Value::BoolValue(true)) }));
}

#[test]
fn other_signals_are_told_by_their_first_field() {
    for (json, signal) in
        [(r#"{"resourceSpans":[{"scopeSpans":[]}]}"#, "traces"), (r#"{"resource_logs":[]}"#, "logs")]
    {
        assert_eq!(transcode(json.as_bytes()), Err(Refusal::WrongSignal(signal.into())), "{json}");
    }
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    for (json, said) in [
        ("", "expected an object at byte 0"),
        ("[]", "expected an object at byte 0"),
        ("null", "expected an object at byte 0"),
        ("{} x", "expected nothing more at byte 3"),
        (r#"{"resourceMetrics":{}}"#, "resourceMetrics: expected an array at byte 19"),
        (r#"{"resourceMetrics":[{},[]]}"#, "resourceMetrics[1]: expected an object at byte 23"),
        (
            r#"{"resourceMetrics":[{"scopeMetrics":[{"scope":{"name":5}}]}]}"#,
            "resourceMetrics[0].scopeMetrics[0].scope.name: expected a string at byte 54",
        ),
        (
            r#"{"resourceMetrics":[{"schemaUrl":["a"]}]}"#,
            "resourceMetrics[0].schemaUrl: expected a string at byte 33",
        ),
        (
            "{\"resourceMetrics\":[{\n\"resource\":{\"droppedAttributesCount\":-1}}]}",
            "resourceMetrics[0].resource.droppedAttributesCount: expected a whole number of 32 bits, not negative at byte 61",
        ),
        (
            r#"{"resourceMetrics":[{"scopeMetrics":[{]}]}"#,
            "resourceMetrics[0].scopeMetrics[0]: expected a name in quotes at byte 38",
        ),
        (r#"{"resourceMetrics":[{"new":[1 2]}]}"#, "resourceMetrics[0]: expected , or ] at byte 30"),
    ] {
        let wrong = request(json);
        assert_eq!(wrong, Err(Refusal::Malformed(said.to_owned())), "{json}");
    }
}
