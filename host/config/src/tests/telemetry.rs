//! `service.telemetry`: where the metrics of the process itself are pushed.

use super::*;
use crate::{OtlpProtocol, Push, PushReceiver, PushTarget, Telemetry};
use std::time::Duration;

fn with_readers(readers: &str) -> String {
    with_service(&format!("telemetry: {{metrics: {{readers: [{readers}]}}}}"))
}

fn telemetry(readers: &str) -> Telemetry {
    read(&with_readers(readers)).unwrap_or_else(|errors| panic!("{errors}")).settings.telemetry
}

/// A reader that pushes over OTLP, with these keys.
fn otlp(keys: &str) -> String {
    format!("{{periodic: {{exporter: {{otlp: {{{keys}}}}}}}}}")
}

fn receiver(keys: &str) -> PushReceiver {
    match telemetry(&otlp(keys)).pushes.remove(0).to {
        PushTarget::Receiver(receiver) => *receiver,
        PushTarget::OwnPipeline => panic!("{keys}"),
    }
}

#[test]
fn every_key_of_the_full_file_arrives() {
    let telemetry = read(FULL).unwrap().settings.telemetry;
    let [own, other] = &telemetry.pushes[..] else { panic!("{telemetry:?}") };
    let expected = Push {
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(3),
        to: PushTarget::OwnPipeline,
    };
    assert_eq!(*own, expected);
    let PushTarget::Receiver(receiver) = &other.to else { panic!("{other:?}") };
    assert_eq!((other.interval, other.timeout), (Duration::from_secs(60), Duration::from_secs(30)));
    assert_eq!((receiver.protocol, receiver.is_gzipped), (OtlpProtocol::Grpc, true));
    assert_eq!(
        receiver.url,
        "https://other.example.com:4317/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    );
    assert_eq!(receiver.client.timeout, Duration::from_secs(4));
    let headers: Vec<_> =
        receiver.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("x-token", "hunter2"), ("x-team", "a=b")]);
    let tls = &receiver.client.tls;
    assert_eq!(file_of(tls.ca.as_ref()), Some(Path::new("/etc/other/ca.pem")));
    assert!(tls.identity.is_some());
    let resource: Vec<_> =
        telemetry.resource.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    assert_eq!(
        resource,
        [
            ("service.name", Some("gateway")),
            ("service.version", None),
            ("rank", Some("third")),
            ("zone", Some("a"))
        ]
    );
}

#[test]
fn attributes_may_be_any_scalar() {
    let text = with_service("telemetry: {resource: {rank: 3, half: 0.5, is_edge: true, schema_url: u}}");
    let resource = read(&text).unwrap().settings.telemetry.resource;
    let values: Vec<_> = resource.iter().map(|(_, value)| value.as_deref().unwrap_or_default()).collect();
    assert_eq!(values, ["3", "0.5", "true"]);
    let list = errors(&with_service("telemetry: {resource: {rank: [1]}}"));
    assert!(
        list[0].ends_with("resource.rank: expected a text, a number, or true or false, found a list"),
        "{list:?}"
    );
}

#[test]
fn urls_are_completed() {
    for (keys, url) in [
        ("protocol: http/protobuf, endpoint: 'http://h:4318'", "http://h:4318/v1/metrics"),
        ("protocol: http/protobuf, endpoint: 'http://h:4318/'", "http://h:4318/v1/metrics"),
        ("protocol: http/protobuf, endpoint: 'https://h/otlp/v1/metrics'", "https://h/otlp/v1/metrics"),
        ("protocol: http/protobuf, endpoint: 'h:4318'", "https://h:4318/v1/metrics"),
        ("protocol: http/protobuf, endpoint: 'h:4318', insecure: true", "http://h:4318/v1/metrics"),
    ] {
        assert_eq!(receiver(keys).url, url);
    }
    let grpc = receiver("protocol: grpc, endpoint: 'localhost:4317', insecure: true").url;
    assert_eq!(
        grpc.strip_suffix(".MetricsService/Export").unwrap(),
        "http://localhost:4317/opentelemetry.proto.collector.metrics.v1"
    );
}

#[test]
fn without_a_reader_to_scrape_nothing_is_served() {
    let pushing = telemetry("{periodic: {exporter: {pipeline: {}}}}");
    assert_eq!((pushing.metrics_endpoint, pushing.pushes.len()), (None, 1));
    let both = telemetry("{periodic: {exporter: {pipeline: }}}, {pull: {exporter: {prometheus: {port: 1}}}}");
    assert_eq!((both.metrics_endpoint.as_deref(), both.pushes.len()), (Some("localhost:1"), 1));
    let off = with_service(
        "telemetry: {metrics: {level: none, readers: [{periodic: {exporter: {pipeline: {}}}}]}}",
    );
    assert!(read(&off).unwrap().settings.telemetry.pushes.is_empty());
}

#[test]
fn what_cannot_be_pushed_is_said() {
    const NEEDED: &str =
        "periodic: lacks `exporter.otlp`, or `exporter.pipeline` for the pipeline of this file";
    let good = "protocol: grpc, endpoint: 'http://h:4317'";
    for (readers, said) in [
        ("{periodic: }".to_owned(), NEEDED),
        ("{periodic: {exporter: {}}}".to_owned(), NEEDED),
        (
            format!("{{periodic: {{exporter: {{pipeline: {{}}, otlp: {{{good}}}}}}}}}"),
            "pipeline: cannot stand beside `otlp`: write a second `periodic` reader for one of the two",
        ),
        (otlp("endpoint: 'http://h:1'"), "otlp: lacks `protocol`: http/protobuf or grpc"),
        (otlp("protocol: grpc"), "otlp: lacks `endpoint`, such as http://localhost:4318"),
        (
            otlp("protocol: http/json, endpoint: 'http://h:1'"),
            "is no value of this key; there are http/protobuf, grpc",
        ),
        (otlp("protocol: grpc, endpoint: 'http://h:1/path'"), "endpoint: has a path, which gRPC sets itself"),
        (otlp("protocol: grpc, endpoint: 'ftp://h:1'"), "endpoint: is no URL of http or https"),
        (otlp("protocol: grpc, endpoint: 'http://:1'"), "endpoint: is a URL without a host"),
        (otlp(&format!("{good}, client_key: /k")), "has one of `client_certificate` and `client_key`"),
        (otlp(&format!("{good}, headers: {{'a b': c}}")), "headers.a b: is no header field"),
        (otlp(&format!("{good}, headers_list: 'a'")), "headers_list: has an entry that is not NAME=VALUE"),
        (
            otlp(&format!("{good}, temporality_preference: delta")),
            "temporality_preference: \"delta\" is known to the Collector",
        ),
        ("{periodic: {interval: 0, exporter: {pipeline: {}}}}".to_owned(), "interval: "),
    ] {
        let errors = errors(&with_readers(&readers));
        assert!(!errors.is_empty() && errors[0].contains(said), "{readers}: {errors:#?}");
    }
}
