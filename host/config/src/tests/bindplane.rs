//! Bindplane's destination in the forms it comes in.

use super::{errors, file_of, read, warnings};
use serde_json::{Value, json};
use std::time::Duration;

const URL: &str = "https://aps-workspaces.us-east-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

/// Bindplane's form with these parameters, which begin in line 7 and column 5.
fn destination(parameters: &[(&str, &str)]) -> String {
    let mut text = "apiVersion: bindplane.observiq.com/v1\nkind: Destination\nmetadata: {name: amp}\n\
                    spec:\n  type: aws_managed_prometheus:3\n  parameters:\n"
        .to_owned();
    for (name, value) in parameters {
        text.push_str(&format!("    - {{name: {name}, value: {value}}}\n"));
    }
    text
}

fn component(text: &str) -> Value {
    serde_json::from_str(&read(text).unwrap().settings.exporter.component_json).unwrap()
}

#[test]
fn a_destination_means_what_bindplane_makes_of_it() {
    let text = destination(&[
        ("endpoint", URL),
        ("region", "us-east-2"),
        ("compression", "snappy"),
        ("namespace", "bp_amp"),
        ("max_batch_size_bytes", "900000"),
        ("enable_resource_to_telemetry_conversion", "true"),
        ("add_unit_and_type", "'true'"),
        ("export_created_metric", "true"),
        ("headers", "{X-Team: 5}"),
        ("external_labels", "{bp_agent: agent1}"),
        ("enable_tls", "true"),
        ("strict_tls_verify", "true"),
        ("ca_file", "/etc/ca.pem"),
        ("enable_remote_write_queue", "true"),
        ("remote_write_queue_size", "'9000'"),
        ("remote_write_queue_num_consumers", "4.0"),
        ("retry_on_failure_enabled", "true"),
        ("retry_on_failure_initial_interval", "6"),
    ]);
    let loaded = read(&text).unwrap();
    let settings = &loaded.settings;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(settings.exporter.id, "prometheusremotewrite/amp");
    assert_eq!(settings.receiver.grpc.as_ref().unwrap().endpoint, "localhost:4317");
    assert_eq!(settings.receiver.http.as_ref().unwrap().endpoint, "localhost:4318");
    let sigv4 = settings.exporter.sigv4.as_ref().unwrap();
    assert_eq!((sigv4.region.as_str(), sigv4.service.as_str()), ("us-east-2", "aps"));
    let tls = &settings.exporter.client.tls;
    assert_eq!((tls.insecure_skip_verify, file_of(tls.ca.as_ref())), (false, Some("/etc/ca.pem".as_ref())));
    assert_eq!((settings.exporter.queue.max_payloads, settings.exporter.queue.partitions), (9000, 4));
    assert_eq!(settings.exporter.retry.max_elapsed_time, Some(Duration::from_secs(300)));
    let component: Value = serde_json::from_str(&settings.exporter.component_json).unwrap();
    for (key, expected) in [
        ("endpoint", json!(URL)),
        ("namespace", json!("bp_amp")),
        ("max_batch_size_bytes", json!(900_000)),
        ("add_metric_suffixes", json!(true)),
        ("headers", json!({"X-Team": "5"})),
        ("external_labels", json!({"bp_agent": "agent1"})),
        ("partitions", json!(4)),
        (
            "retry_on_failure",
            json!({"initial_interval_ms": 6000, "multiplier": 1.5, "max_interval_ms": 30000}),
        ),
    ] {
        assert_eq!(component[key], expected, "{key}");
    }
}

#[test]
fn defaults_are_those_of_bindplane() {
    let text = destination(&[("endpoint", URL), ("namespace", "''"), ("enable_tls", "true")]);
    let amazon = read(&text).unwrap();
    assert!(!amazon.settings.exporter.client.tls.insecure_skip_verify && amazon.warnings.is_empty());
    let elsewhere = text.replace(URL, "https://receiver.example/api/v1/write")
        + "    - {name: region, value: us-east-2}\n";
    let loaded = read(&elsewhere).unwrap();
    assert!(loaded.settings.exporter.client.tls.insecure_skip_verify);
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings[0].contains("goes unchecked"), "{warnings:?}");
    let component = component(&text);
    assert_eq!((&component["add_metric_suffixes"], &component["namespace"]), (&json!(false), &Value::Null));
}

#[test]
fn every_form_means_the_same() {
    let expected = component(&destination(&[("endpoint", URL), ("region", "us-east-2")]));
    let list = format!("[{{name: endpoint, value: '{URL}'}}, {{name: region, value: us-east-2}}]");
    let json = format!(
        r#"{{"destination": {{"kind": "Destination", "metadata": {{"name": "a", "id": "1"}}, "spec": {{"type":
        "aws_managed_prometheus", "parameters": [{{"name": "endpoint", "value": "{URL}"}}, {{"name": "region",
        "value": "us-east-2"}}]}}, "status": {{"latest": true}}}}}}"#
    );
    for text in [
        list.clone(),
        json,
        format!("kind: Destination\nname: a\ntype: aws_managed_prometheus\nparameters: {list}\n"),
        format!("metadata: {{name: a}}\ntype: aws_managed_prometheus:latest\nparameters: {list}\n"),
        format!(
            "kind: Destination\nspec:\n  type: aws_managed_prometheus\n  parameters:\n    endpoint: {URL}\n    region: us-east-2\n"
        ),
        format!(
            "kind: Destination\n  name: a\n  type: aws_managed_prometheus\n  parameters:\n    - name: endpoint\n      value: {URL}\n    - name: region\n      value: us-east-2\n"
        ),
        format!(
            " 2 kind: Destination\n 4   name: a\n 5   type: aws_managed_prometheus\n 7   parameters:\n 8     - name: endpoint\n 9       value: {URL}\n10     - name: region\n11       value: us-east-2\n"
        ),
    ] {
        assert_eq!(component(&text), expected, "{text}");
    }
}

#[test]
fn each_placeholder_of_the_documentation_is_named_where_it_stands() {
    let text = "kind: Destination
  type: aws_managed_prometheus
  parameters:
    - name: endpoint
      value: some_aws_amp_workspace_endpoint
    - name: region
      value: us-east-2
    - name: arn
      value: some_aws_role_arn
    - name: enable_tls
      value: true
    - name: strict_tls_verify
      value: true
    - name: ca_file
      value: some_ca_file
    - name: mutual_tls
      value: true
    - name: cert_file
      value: some_cert_file
    - name: key_file
      value: some_key_file
";
    let errors = errors(text);
    for message in [
        "f:5:14: parameters.endpoint: \"some_aws_amp_workspace_endpoint\" is no URL",
        "f:9:14: parameters.arn: \"some_aws_role_arn\" is no ARN",
        "f:15:14: parameters.ca_file: some_ca_file cannot be read: No such file",
        "f:19:14: parameters.cert_file: some_cert_file cannot be read: No such file",
        "f:21:14: parameters.key_file: some_key_file cannot be read: No such file",
    ] {
        assert!(errors.iter().any(|error| error.starts_with(message)), "{message}: {errors:?}");
    }
}

#[test]
fn what_cannot_be_used_is_said_with_its_place() {
    for (name, value, message) in [
        ("max_batch_size_bytes", "many", "f:9:43: parameters.max_batch_size_bytes: expected a whole number"),
        ("enable_tls", "'yes'", "f:9:33: parameters.enable_tls: expected true or false"),
        ("headers", "5", "f:9:30: parameters.headers: expected a section of names and values"),
        ("namespace", "(sensitive)", "f:9:32: parameters.namespace: is masked"),
        ("retry_on_failure_max_interval", "-1", "f:9:52: parameters.retry_on_failure_max_interval:"),
    ] {
        let text = destination(&[("endpoint", URL), ("region", "us-east-2"), (name, value)]);
        let errors = errors(&text);
        assert!(errors.iter().any(|error| error.starts_with(message)), "{message}: {errors:?}");
    }
    for (text, message) in [
        ("kind: Source\nspec: {type: otlp}\n", "f:1:7: kind: \"Source\" is not supported"),
        (
            "kind: Destination\nspec: {type: aws_s3, parameters: []}\n",
            "f:2:14: spec.type: \"aws_s3\" is no destination",
        ),
        ("kind: Destination\nspec: {parameters: []}\n", "f:1:1: lacks `type`"),
        ("kind: Destination\nspec: {type: aws_managed_prometheus}\n", "f:1:1: lacks `parameters`"),
        (
            "kind: Destination\nspec: {type: aws_managed_prometheus, disabled: true, parameters: []}\n",
            "f:2:38: spec.disabled: switches",
        ),
    ] {
        let errors = errors(text);
        assert!(errors.iter().any(|error| error.starts_with(message)), "{message}: {errors:?}");
    }
}

#[test]
fn what_bindplane_overlooks_is_warned_about() {
    let text = destination(&[
        ("endpoint", URL),
        ("region", "us-east-1"),
        ("region", "us-east-2"),
        ("hostname", "x"),
        ("compression", "gzip"),
    ]);
    let warnings = warnings(&text);
    for part in
        ["parameters.region: stands here again", "parameters.hostname: is no parameter", "not as gzip"]
    {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:?}");
    }
}
