//! Files that can be used.

use super::*;
use crate::LogFormat;
use serde_json::{Value, json};
use std::time::Duration;

fn component(loaded: &Loaded) -> Value {
    serde_json::from_str(&loaded.settings.exporter.component_json).unwrap()
}

#[test]
fn every_key_of_the_full_file_arrives() {
    let loaded = read(FULL).unwrap();
    let settings = &loaded.settings;
    let (grpc, http) = (settings.receiver.grpc.as_ref().unwrap(), settings.receiver.http.as_ref().unwrap());
    assert_eq!(settings.receiver.id, "otlp/edge");
    assert_eq!((grpc.endpoint.as_str(), grpc.max_request_bytes), ("0.0.0.0:14317", 8 << 20));
    assert_eq!((http.endpoint.as_str(), http.max_request_bytes), ("[::1]:14318", 1 << 20));
    assert_eq!(http.metrics_path, "/metrics/in");
    let exporter = &settings.exporter;
    assert_eq!(exporter.id, "prometheusremotewrite/amp");
    assert_eq!(exporter.client.timeout, Duration::from_secs(7));
    assert!(!exporter.retry.enabled);
    assert_eq!(exporter.retry.randomization_factor, 0.25);
    assert_eq!(exporter.retry.max_elapsed_time, Some(Duration::from_secs(5400)));
    assert_eq!((exporter.queue.max_payloads, exporter.queue.partitions), (77, 9));
    assert_eq!(exporter.queue.max_bytes, 50_000_000);
    assert_eq!(
        exporter.queue.storage,
        crate::Storage::Directory(crate::Directory::private("/var/lib/preamp/wal/prometheusremotewrite_amp"))
    );
    let sigv4 = exporter.sigv4.as_ref().unwrap();
    assert_eq!((sigv4.region.as_str(), sigv4.service.as_str()), ("eu-west-1", "aps"));
    assert_eq!(file_of(exporter.client.tls.ca.as_ref()), Some("/etc/ca.pem".as_ref()));
    assert_eq!(exporter.state_file.as_deref(), Some("/var/lib/preamp/totals".as_ref()));
    assert_eq!(settings.telemetry.log_level, tracing::Level::WARN);
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    assert_eq!(settings.telemetry.metrics_endpoint.as_deref(), Some("0.0.0.0:9999"));
    assert_eq!(
        component(&loaded),
        json!({
            "endpoint": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
            "sigv4": {"region": "eu-west-1", "service": "aps"},
            "headers": {"X-Team": "Basic: secret-token"},
            "namespace": "shop",
            "external_labels": {"cluster": "blue", "zone": "7"},
            "add_metric_suffixes": false,
            "translation_strategy": "UnderscoreEscapingWithSuffixes",
            "target_info": {"enabled": false},
            "disable_scope_info": true,
            "otel_scope_info": {"enabled": true},
            "digest": false,
            "resource_to_telemetry_conversion": {"enabled": true, "exclude_service_attributes": true},
            "resource_constant_labels": {"included": ["k8s.*", "cloud.region"], "excluded": ["k8s.pod.uid"]},
            "export_created_metric": {"enabled": true},
            "send_metadata": true,
            "protobuf_message": "io.prometheus.write.v2.Request",
            "convert_explicit_histograms_to_nhcb": true,
            "keep_classic_histograms": true,
            "profile": "prometheus",
            "exemplars": true,
            "exponential_histograms": "both",
            "delta": "accumulate",
            "delta_max_series": 5000,
            "delta_max_idle_ms": 600_000,
            "metadata_interval_ms": 3_600_000,
            "max_sample_age_ms": 5_400_000,
            "max_sample_future_ms": 120_000,
            "max_labels_per_series": 100,
            "max_labels_bytes": 10_000,
            "max_batch_size_bytes": 500000,
            "partitions": 9,
            "max_payload_bytes": 8 << 20,
            "retry_on_failure": {"initial_interval_ms": 250, "multiplier": 3.0, "max_interval_ms": 60000},
        })
    );
}

#[test]
fn what_goes_to_the_component_is_in_its_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../../src/config/schema.json")).unwrap();
    for (key, value) in component(&read(FULL).unwrap()).as_object().unwrap() {
        let option = &schema["properties"][key];
        assert!(option.is_object(), "{key}");
        let parts = value.as_object().into_iter().flatten().filter(|_| option["properties"].is_object());
        for (part, _) in parts {
            assert!(option["properties"][part].is_object(), "{key}/{part}");
        }
    }
}

#[test]
fn absent_keys_and_null_mean_the_defaults_of_the_collector() {
    let bare = with_exporter("");
    let nulls = with_exporter(
        "timeout:\nheaders:\ntls:\nauth:\nremote_write_queue:\nretry_on_failure: ~\nwal: null\nexternal_labels:",
    );
    for text in [bare, nulls] {
        let loaded = read(&text).unwrap();
        let exporter = &loaded.settings.exporter;
        assert_eq!(exporter.client.timeout, Duration::from_secs(5));
        assert!(exporter.retry.enabled && exporter.sigv4.is_none() && exporter.client.tls.ca.is_none());
        assert_eq!(exporter.retry.randomization_factor, 0.5);
        assert_eq!(exporter.retry.max_elapsed_time, Some(Duration::from_secs(300)));
        assert_eq!((exporter.queue.max_payloads, exporter.queue.max_bytes), (1_000_000, 256 << 20));
        assert_eq!(
            component(&loaded),
            json!({
                "digest": false,
                "endpoint": "http://localhost:9090/api/v1/write",
                "partitions": 5,
                "max_payload_bytes": 4 << 20,
                "retry_on_failure": {"initial_interval_ms": 50, "multiplier": 1.5, "max_interval_ms": 30000},
            })
        );
        let telemetry = &loaded.settings.telemetry;
        assert_eq!(telemetry.metrics_endpoint.as_deref(), Some("localhost:8888"));
        assert_eq!((telemetry.log_level, telemetry.log_format), (tracing::Level::INFO, LogFormat::Console));
        assert!(loaded.warnings.is_empty());
    }
}

#[test]
fn a_protocol_is_on_when_null_and_off_when_absent_or_switched_off() {
    let receiver = |keys: &str| read(&with_protocols(keys)).unwrap().settings.receiver;
    let both = receiver("grpc:\nhttp:");
    assert_eq!(both.grpc.unwrap().endpoint, "localhost:4317");
    let http = both.http.unwrap();
    assert_eq!((http.endpoint.as_str(), http.max_request_bytes), ("localhost:4318", 20 << 20));
    assert_eq!(http.metrics_path, "/v1/metrics");
    assert!(receiver("http: {}").grpc.is_none());
    assert!(receiver("grpc: {enabled: false}\nhttp:").grpc.is_none());
    let variants = receiver("grpc: {max_recv_msg_size_mib: 0}\nhttp: {endpoint: ':0', metrics_url_path: in}");
    assert_eq!(variants.grpc.unwrap().max_request_bytes, 4 << 20);
    let http = variants.http.unwrap();
    assert_eq!((http.endpoint.as_str(), http.metrics_path.as_str()), (":0", "/in"));
}

#[test]
fn both_names_of_the_exporter_and_both_forms_of_its_client_are_read() {
    let text = with_exporter("http: {timeout: 9s}")
        .replace("prometheusremotewrite", "prometheus_remote_write")
        .replace("    endpoint: http://localhost:9090/api/v1/write\n", "")
        .replace("{timeout", "{endpoint: http://h/w, timeout");
    let loaded = read(&text).unwrap();
    assert_eq!(loaded.settings.exporter.id, "prometheus_remote_write");
    assert_eq!(loaded.settings.exporter.client.timeout, Duration::from_secs(9));
    assert_eq!(component(&loaded)["endpoint"], "http://h/w");
}

#[test]
fn headers_may_be_a_list_and_lists_may_be_one_text() {
    let loaded = read(&with_exporter("headers: [{name: A, value: b}]")).unwrap();
    assert_eq!(component(&loaded)["headers"], json!({"A": "b"}));
    let text = with_exporter("").replace("[otlp]", "otlp");
    assert_eq!(read(&text).unwrap().settings.receiver.id, "otlp");
    let loaded = read(&with_exporter("resource_constant_labels: {included: \"a, b.*\"}")).unwrap();
    assert_eq!(component(&loaded)["resource_constant_labels"], json!({"included": ["a", "b.*"]}));
}

#[test]
fn anchors_aliases_and_merge_keys_are_read() {
    let text = with_exporter("retry_on_failure: &retry {initial_interval: 1s, multiplier: 4}").replace(
        "receivers: {otlp",
        "  prometheusremotewrite/other:
    endpoint: http://h/w
    retry_on_failure: {<<: *retry, multiplier: 9, wrong: 1}
receivers: {otlp",
    );
    assert_eq!(
        errors(&text),
        ["f:7:51: exporters.prometheusremotewrite/other.retry_on_failure.wrong: unknown key; the \
             nearest are randomization_factor, enabled, initial_interval"]
    );
    let loaded = read(
        &text.replace(", wrong: 1", "").replace("[prometheusremotewrite]", "[prometheusremotewrite/other]"),
    );
    let retry = &component(&loaded.unwrap())["retry_on_failure"];
    assert_eq!(retry, &json!({"initial_interval_ms": 1000, "multiplier": 9.0, "max_interval_ms": 30000}));
}

#[test]
fn values_of_the_environment_keep_their_types() {
    let loaded = read(&with_exporter(
        "remote_write_queue: {queue_size: \"${env:PORT}\"}
namespace: ${env:PORT}
external_labels: {port: \"${PORT}\", price: $$5}",
    ))
    .unwrap();
    assert_eq!(loaded.settings.exporter.queue.max_payloads, 4317);
    let component = component(&loaded);
    assert_eq!(component["namespace"], "4317");
    assert_eq!(component["external_labels"], json!({"port": "4317", "price": "$5"}));
}

#[test]
fn empty_names_and_zero_sizes_mean_the_defaults_of_the_collector() {
    let loaded = read(&with_exporter(
        "translation_strategy: \"\"\nprotobuf_message: \"\"\nmax_batch_size_bytes: 0\nmax_sample_age: 0s",
    ));
    let component = component(&loaded.unwrap());
    for absent in ["translation_strategy", "protobuf_message", "max_batch_size_bytes"] {
        assert_eq!(component.get(absent), None);
    }
    // Which switches the limit off.
    assert_eq!(component["max_sample_age_ms"], 0);
}

#[test]
fn telemetry_can_be_switched_off_or_moved() {
    let endpoint = |keys: &str| {
        let text = with_service(&format!("telemetry: {{metrics: {keys}}}"));
        read(&text).unwrap().settings.telemetry.metrics_endpoint
    };
    assert_eq!(endpoint("{level: none}"), None);
    assert_eq!(endpoint("{readers: []}"), None);
    assert_eq!(endpoint("{address: ':9000'}").as_deref(), Some(":9000"));
    let reader =
        |keys: &str| endpoint(&format!("{{readers: [{{pull: {{exporter: {{prometheus: {keys}}}}}}}]}}"));
    assert_eq!(reader("").as_deref(), Some("localhost:8888"));
    assert_eq!(reader("{host: '::1', port: 1}").as_deref(), Some("[::1]:1"));
}

#[test]
fn problems_of_the_component_are_placed_in_the_file() {
    let loaded = read(FULL).unwrap();
    let shown = |pointer: &str| loaded.locate(pointer, "is wrong").to_string();
    for (pointer, expected) in [
        ("/external_labels/zone", "f:109:13: exporters.prometheusremotewrite/amp.external_labels.zone"),
        ("/headers/X-Team", "f:97:15: exporters.prometheusremotewrite/amp.headers.X-Team"),
        ("/sigv4/region", "f:69:13: extensions.sigv4auth/amp.region"),
        (
            "/retry_on_failure/initial_interval_ms",
            "f:158:25: exporters.prometheusremotewrite/amp.retry_on_failure.initial_interval",
        ),
        ("/partitions", "f:145:36: exporters.prometheusremotewrite/amp.max_batch_request_parallelism"),
        ("/translation_strategy", "f:111:27: exporters.prometheusremotewrite/amp.translation_strategy"),
        (
            "/resource_constant_labels/included/1",
            "f:123:11: exporters.prometheusremotewrite/amp.resource_constant_labels.included[1]",
        ),
        ("/max_sample_age_ms", "f:140:21: exporters.prometheusremotewrite/amp.max_sample_age"),
        ("/otel_scope_info/enabled", "f:116:16: exporters.prometheusremotewrite/amp.scope_info.enabled"),
        ("/max_payload_bytes", "f:83:5: exporters.prometheusremotewrite/amp"),
        ("", "f:83:5: exporters.prometheusremotewrite/amp"),
    ] {
        assert_eq!(shown(pointer), format!("{expected}: is wrong"), "{pointer}");
    }
}

#[test]
fn nothing_of_the_environment_or_of_headers_shows_in_debug() {
    let text = with_exporter("headers: {Authorization: \"${env:SECRET}\"}");
    assert!(!format!("{:?}", read(&text).unwrap()).contains("hunter2"));
}

#[test]
fn pointers_with_escaped_characters_are_found() {
    let loaded = read(&with_exporter("external_labels: {a/b~c: x}")).unwrap();
    assert_eq!(
        loaded.locate("/external_labels/a~1b~0c", "is wrong").to_string(),
        "f:4:30: exporters.prometheusremotewrite.external_labels.a/b~c: is wrong"
    );
}
