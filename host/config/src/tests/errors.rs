//! Mistakes in components, each with the exact place and the remedy.

use super::*;

/// Asserts what is said about a key of the exporter, which stands in line 4.
#[track_caller]
fn assert_exporter_error(key: &str, expected: &str) {
    assert_eq!(errors(&with_exporter(key)), [format!("f:4:{expected}")], "{key}");
}

#[test]
fn unknown_keys_come_with_the_nearest() {
    let path = "exporters.prometheusremotewrite";
    assert_exporter_error(
        "endpiont: x",
        &format!("5: {path}.endpiont: unknown key; did you mean `endpoint`?"),
    );
    assert_exporter_error(
        "external-labels: {}",
        &format!("5: {path}.external-labels: unknown key; did you mean `external_labels`?"),
    );
    assert_exporter_error("Timeout: 1s", &format!("5: {path}.Timeout: unknown key; did you mean `timeout`?"));
    assert_exporter_error(
        "target_info: {enbled: true}",
        &format!("19: {path}.target_info.enbled: unknown key; did you mean `enabled`?"),
    );
    assert_exporter_error(
        "target_info: {x: 1}",
        &format!("19: {path}.target_info.x: unknown key; there are enabled"),
    );
    assert_eq!(
        errors(&with_exporter("").replace("receivers: {otlp", "recievers: {otlp"))[0],
        "f:5:1: recievers: unknown key; did you mean `receivers`?"
    );
}

#[test]
fn types_are_not_guessed() {
    let path = "exporters.prometheusremotewrite";
    for (key, expected) in [
        ("timeout: 30", "14: P.timeout: a duration needs a unit: write 30s or 30ms"),
        ("timeout: 30x", "14: P.timeout: \"30x\" has \"x\" where a unit is expected: ns, us, ms, s, m or h"),
        (
            "timeout: \"30\"",
            "14: P.timeout: \"30\" lacks a unit; write 30s for seconds or 30ms for milliseconds",
        ),
        ("timeout: -1s", "14: P.timeout: \"-1s\" must not be negative"),
        ("timeout: [1s]", "14: P.timeout: expected a duration such as 1h30m, 30s or 250ms, found a list"),
        (
            "timeout: 0s",
            "14: P.timeout: an attempt without a time limit is not supported; write one, such as 5s",
        ),
        (
            "max_batch_size_bytes: \"5\"",
            "27: P.max_batch_size_bytes: expected a whole number from 0 to 9223372036854775807, found \"5\"; write \
             the number without quotes",
        ),
        (
            "max_batch_size_bytes: 1.5",
            "27: P.max_batch_size_bytes: expected a whole number from 0 to 9223372036854775807, found 1.5",
        ),
        (
            "disable_scope_info: yes",
            "25: P.disable_scope_info: expected true or false, found \"yes\"; YAML 1.2 knows only true and false",
        ),
        ("disable_scope_info: 1", "25: P.disable_scope_info: expected true or false, found 1"),
        ("namespace: 5", "16: P.namespace: expected text, found a number; put it in quotes"),
        ("namespace: [a]", "16: P.namespace: expected text, found a list"),
        (
            "external_labels: {a: true}",
            "26: P.external_labels.a: expected text, found a boolean; put it in quotes",
        ),
        ("external_labels: [a]", "22: P.external_labels: expected a section, found a list"),
        ("target_info: true", "18: P.target_info: expected a section, found true"),
        ("headers: [a]", "15: P.headers[0]: expected a section, found \"a\""),
        ("headers: [{name: a}]", "15: P.headers[0]: a header needs `name` and `value`"),
        (
            "retry_on_failure: {randomization_factor: 2}",
            "46: P.retry_on_failure.randomization_factor: expected a number from 0 to 1, found 2",
        ),
        (
            "remote_write_queue: {num_consumers: 0}",
            "41: P.remote_write_queue.num_consumers: expected a whole number from 1 to 1024, found 0",
        ),
        ("compression: gzib", "18: P.compression: \"gzib\" is no value of this key; did you mean `gzip`?"),
        (
            "send_metadata: \"true\"",
            "20: P.send_metadata: expected true or false, found \"true\"; YAML 1.2 knows only true and false",
        ),
        (
            "translation_strategy: 5",
            "27: P.translation_strategy: expected text, found a number; put it in quotes",
        ),
        ("export_created_metric: true", "28: P.export_created_metric: expected a section, found true"),
        (
            "resource_constant_labels: {included: [5]}",
            "43: P.resource_constant_labels.included[0]: expected text, found a number; put it in quotes",
        ),
        (
            "resource_constant_labels: {include: [a]}",
            "32: P.resource_constant_labels.include: unknown key; did you mean `included`?",
        ),
        ("max_sample_age: 60", "21: P.max_sample_age: a duration needs a unit: write 60s or 60ms"),
        (
            "delta_max_series: -1",
            "23: P.delta_max_series: expected a whole number from 0 to 9223372036854775807, found -1",
        ),
    ] {
        assert_exporter_error(key, &expected.replace("P.", &format!("{path}.")));
    }
}

#[test]
fn what_is_not_there_yet_is_said() {
    for key in [
        "middlewares: [{id: x}]",
        "tls: {tpm: {enabled: true}}",
        "remote_write_queue: {enabled: false}",
        "sending_queue: {enabled: false}",
        "sending_queue: {batch: {}}",
    ] {
        let errors = errors(&with_exporter(key));
        assert_eq!(errors.len(), 1, "{key}: {errors:?}");
        assert!(errors[0].starts_with("f:4:"), "{errors:?}");
        let name = key.split(['{', ':']).rev().nth(1).unwrap_or_default();
        let told = "known to the Collector, but not supported by this version of preamp yet";
        assert!(errors[0].contains(told) && !name.is_empty(), "{errors:?}");
    }
    for keys in ["cors: {allowed_origins: ['*']}", "middlewares: [{id: a}]"] {
        let errors = errors(&with_protocols(&format!("http: {{{keys}}}")));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("f:4:14: receivers.otlp.protocols.http."), "{errors:?}");
    }
}

#[test]
fn the_same_keys_are_taken_where_they_ask_for_nothing() {
    let text = with_exporter(
        "wal: {enabled: false}
include_metadata_keys: []
proxy_url: \"\"
tls: {cert_file: \"\", min_version: \"1.2\", cipher_suites: [], tpm: {enabled: false}}
remote_write_queue: {enabled: true}",
    );
    assert!(read(&text).is_ok_and(|loaded| loaded.warnings.is_empty()), "{:?}", errors(&text));
}

#[test]
fn endpoints_are_checked_as_far_as_the_host_needs_them() {
    let endpoint = |value: &str| {
        errors(&with_exporter("").replace("http://localhost:9090/api/v1/write", value)).concat()
    };
    let path = "f:3:15: exporters.prometheusremotewrite.endpoint";
    assert_eq!(endpoint("host/write"), format!("{path}: lacks a scheme: write https://host/write"));
    assert_eq!(endpoint("http://"), format!("{path}: is no URL: empty string"));
    assert_eq!(
        endpoint(""),
        "f:3:5: exporters.prometheusremotewrite: lacks `endpoint`, the full remote-write URL"
    );
}

#[test]
fn receivers_need_addresses_that_can_be_bound() {
    let path = "receivers.otlp.protocols";
    for (keys, expected) in [
        (
            "grpc: {endpoint: localhost}",
            "f:4:24: P.grpc.endpoint: expected host:port, such as 127.0.0.1:4317, found \"localhost\"",
        ),
        (
            "http: {endpoint: \"h:70000\"}",
            "f:4:24: P.http.endpoint: expected host:port, such as 127.0.0.1:4317, found \"h:70000\"",
        ),
        (
            "grpc: {endpoint: \"h:1\"}\nhttp: {endpoint: \"h:1\"}",
            "f:4:7: P: `grpc` and `http` cannot both listen on h:1",
        ),
        ("htpp:", "f:4:7: P.htpp: unknown key; did you mean `http`?"),
        (
            "http: {transport: unix}",
            "f:4:25: P.http.transport: \"unix\" is known to the Collector, but not supported by this version of \
             preamp yet; it takes tcp",
        ),
    ] {
        let errors = errors(&with_protocols(keys));
        assert_eq!(errors[0], expected.replace("P.", &format!("{path}.")).replace("P:", &format!("{path}:")));
    }
    let none = with_exporter("").replace("{grpc: }", "");
    assert_eq!(errors(&none), ["f:5:19: receivers.otlp: lacks `protocols`, with `grpc`, `http` or both"]);
    let off = with_protocols("grpc: {enabled: false}");
    assert_eq!(
        errors(&off),
        ["f:4:7: receivers.otlp.protocols: switches neither `grpc` nor `http` on: nothing would be received"]
    );
}

#[test]
fn retries_and_queues_are_consistent() {
    assert_exporter_error(
        "retry_on_failure: {max_elapsed_time: 10s}",
        "42: exporters.prometheusremotewrite.retry_on_failure.max_elapsed_time: `max_elapsed_time` (10s) is shorter \
         than a single pause: raise it, or write 0s to never give up",
    );
    assert!(errors(&with_exporter("retry_on_failure: {max_elapsed_time: 0s}")).is_empty());
    assert_eq!(
        errors(&with_exporter("sending_queue: {}\nremote_write_queue: {}")),
        [
            "f:4:5: exporters.prometheusremotewrite.sending_queue: cannot stand beside `remote_write_queue`: keep one \
          of the two"
        ]
    );
    assert_eq!(
        errors(&with_exporter("http: {timeout: 1s}"))[0],
        "f:3:5: exporters.prometheusremotewrite.endpoint: cannot stand beside `http`, which takes its place: move \
         it there"
    );
}

#[test]
fn values_of_the_environment_are_not_shown() {
    for key in ["timeout", "compression", "disable_scope_info", "remote_write_queue", "endpoint"] {
        let text = with_exporter(&format!("{key}: ${{env:SECRET}}")).replace("endpoint: http", "#");
        let errors = errors(&text).concat();
        assert!(errors.contains(key) && !errors.contains("hunter2"), "{errors}");
    }
    assert_exporter_error(
        "timeout: ${env:SECRET}",
        "14: exporters.prometheusremotewrite.timeout: expected a duration such as 1h30m, 30s or 250ms, found a \
         text of the environment",
    );
}

#[test]
fn what_is_missing_in_the_environment_is_named() {
    assert_exporter_error(
        "headers: {Authorization: \"${env:NONE}\"}",
        "30: exporters.prometheusremotewrite.headers.Authorization: expected text, found nothing: the environment \
         variable NONE is not set: set it, or write ${env:NONE:-DEFAULT}",
    );
}

#[test]
fn of_a_key_that_stands_twice_the_first_is_read() {
    assert_eq!(
        errors(&with_exporter("external_labels: {a: 5, a: 6}")),
        [
            "f:4:26: exporters.prometheusremotewrite.external_labels.a: expected text, found a number; put it in \
             quotes",
            "f:4:29: exporters.prometheusremotewrite.external_labels.a: stands here again; it first stood at 4:23",
        ]
    );
}
