//! What is shown of payloads, and what becomes of those for which there is no room.

use super::*;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use preamp_config::Sampling;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn request() -> ExportMetricsServiceRequest {
    let point = NumberDataPoint {
        attributes: vec![attribute("state", "idle\u{1b}[31m")],
        time_unix_nano: 1_700_000_000_500_000_000,
        value: Some(number_data_point::Value::AsDouble(1.5)),
        ..NumberDataPoint::default()
    };
    let sum = Sum {
        data_points: vec![point.clone(), point.clone()],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let histogram = HistogramDataPoint {
        count: 3,
        sum: Some(4.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram { data_points: vec![histogram], aggregation_temporality: 1 };
    let metric = |name: &str, data| Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let metrics = vec![
        metric("cpu.time", metric::Data::Sum(sum)),
        metric("latency", metric::Data::Histogram(histogram)),
        metric("up", metric::Data::Gauge(Gauge { data_points: vec![point] })),
    ];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource = Resource { attributes: vec![attribute("service.name", "shop")], ..Resource::default() };
    let resource_metrics =
        vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

const JSON: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
    "scope_metrics":[{"metrics":[{"name":"up","gauge":{"dataPoints":[{"asInt":"7","timeUnixNano":"1700000000500000000"}]}}]}]}]}"#;

fn settings(verbosity: Verbosity, output: Output) -> Settings {
    Settings {
        id: "debug/a".to_owned(),
        verbosity,
        sampling: Sampling { initial: 2, thereafter: 1 },
        output,
        processors: preamp_config::Processors::default(),
    }
}

/// What comes in holds the values of labels.
#[tokio::test]
async fn a_new_file_is_for_this_user_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shown");
    let settings = [settings(Verbosity::Basic, Output::File(path.clone()))];
    let exporters = DebugExporters::start(&settings, LogFormat::Console, &DebugMetrics::default());
    exporters.show(&Bytes::from_static(b"{}"), Encoding::Json);
    exporters.finish(Duration::from_secs(10));
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// What is written of a payload.
async fn shown(verbosity: Verbosity, payload: &[u8], encoding: Encoding) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let settings = [settings(verbosity, Output::File(file.path().to_owned()))];
    let exporters = DebugExporters::start(&settings, LogFormat::Console, &DebugMetrics::default());
    exporters.show(&Bytes::copy_from_slice(payload), encoding);
    exporters.finish(Duration::from_secs(10));
    std::fs::read_to_string(file.path()).expect("what was written")
}

#[tokio::test]
async fn each_verbosity_shows_what_it_does_in_the_collector() {
    let payload = request().encode_to_vec();
    let basic = shown(Verbosity::Basic, &payload, Encoding::Protobuf).await;
    assert!(basic.ends_with('\n') && basic.lines().count() == 1, "{basic}");
    let (_, basic) = basic.split_once("\tinfo\tMetrics\t").expect("the shape of the console");
    let fields: serde_json::Value = serde_json::from_str(basic).expect("fields");
    assert_eq!(
        (
            &fields["resource metrics"],
            &fields["metrics"],
            &fields["data points"],
            &fields["otelcol.component.id"]
        ),
        (&1.into(), &3.into(), &4.into(), &"debug/a".into())
    );
    let normal = shown(Verbosity::Normal, &payload, Encoding::Protobuf).await;
    for line in [
        "ResourceMetrics #0 service.name=shop\n",
        "latency{} count=3 sum=4.5 le0.5=1 le+Inf=2\n",
        "up{state=idle\\u{1b}[31m} 1.5\n",
    ] {
        assert!(normal.contains(line), "{line:?}: {normal}");
    }
    let detailed = shown(Verbosity::Detailed, &payload, Encoding::Protobuf).await;
    for part in [
        "Resource attributes:\n     -> service.name: Str(shop)\n",
        "Metric #0\nDescriptor:\n     -> Name: cpu.time\n     -> Description: \n     -> Unit: s\n     -> DataType: Sum\n",
        "     -> IsMonotonic: true\n     -> AggregationTemporality: Cumulative\nNumberDataPoints #0\n",
        "Data point attributes:\n     -> state: Str(idle\\u{1b}[31m)\n",
        "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\nTimestamp: 2023-11-14 22:13:20.5 +0000 UTC\nValue: 1.500000\n",
        "Count: 3\nSum: 4.500000\nExplicitBounds #0: 0.500000\nBuckets #0, Count: 1\nBuckets #1, Count: 2\n",
    ] {
        assert!(detailed.contains(part), "{part}: {detailed}");
    }
    assert!(!detailed.contains('\u{1b}'));
}

#[tokio::test]
async fn json_is_shown_like_protobuf_and_what_is_no_payload_is_said() {
    let normal = shown(Verbosity::Normal, JSON.as_bytes(), Encoding::Json).await;
    assert!(normal.contains("ResourceMetrics #0 service.name=shop\nScopeMetrics #0\nup{} 7\n"), "{normal}");
    for (payload, encoding) in [(&b"{"[..], Encoding::Json), (&b"\xff"[..], Encoding::Protobuf)] {
        let said = shown(Verbosity::Basic, payload, encoding).await;
        assert!(said.contains("a payload cannot be shown"), "{said}");
    }
    let large = shown(Verbosity::Detailed, &vec![0; SHOWN_BYTES_MAX + 1], Encoding::Protobuf).await;
    assert!(large.contains("it is too large"), "{large}");
}

/// A pipe that nobody reads takes 64 KiB. Whoever hands payloads over does not notice.
#[tokio::test]
async fn nobody_waits_for_an_output_that_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    // With both ends in hand, opening it waits for nobody.
    let mut reader = std::fs::File::options().read(true).write(true).open(&pipe).expect("a pipe");
    let metrics = DebugMetrics::default();
    let settings = [settings(Verbosity::Detailed, Output::File(pipe))];
    let exporters = DebugExporters::start(&settings, LogFormat::Console, &metrics);
    let payload = Bytes::from(request().encode_to_vec());
    let began = Instant::now();
    for _ in 0..1_000 {
        exporters.show(&payload, Encoding::Protobuf);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let counts = metrics.of("debug/a");
    assert!(counts.dropped_in_all() > 800, "{}", counts.dropped_in_all());
    // Once it is read again, it is told what is missing.
    let reading = std::thread::spawn(move || {
        let (mut text, mut buffer) = (String::new(), vec![0; 1 << 16]);
        while !text.contains("payloads were not shown") {
            let read = reader.read(&mut buffer).expect("what was written");
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
    reading.join().expect("it is told");
    exporters.finish(Duration::from_millis(10));
}
