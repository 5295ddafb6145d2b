//! Prometheus' own file as a configuration.

use super::{environment, errors, file_of, read, warnings};
use crate::settings::BaseCredentials;
use crate::{Request, Source, TlsVersion, load};
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;

const FULL: &str = "\
global:
  external_labels: {cluster: a$$b}
remote_write:
  - url: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write
    name: amp
    remote_timeout: 10s
    headers: {X-Team: a}
    send_exemplars: true
    sigv4:
      region: eu-west-1
      profile: writer
      role_arn: arn:aws:iam::123456789012:role/writer
      external_id: e1
    tls_config:
      ca_file: /etc/ca.pem
      server_name: amp.example
      min_version: TLS13
    queue_config:
      max_shards: 8
      min_backoff: 100ms
      max_backoff: 10s
      sample_age_limit: 1d
    metadata_config:
      send: true
      send_interval: 2m
";

#[test]
fn remote_write_becomes_an_exporter() {
    let loaded = read(FULL).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let exporter = &loaded.settings.exporter;
    assert_eq!(exporter.id, "prometheusremotewrite/amp");
    assert_eq!(exporter.client.timeout, Duration::from_secs(10));
    let tls = &exporter.client.tls;
    assert_eq!(
        (file_of(tls.ca.as_ref()), tls.protocol.min),
        (Some("/etc/ca.pem".as_ref()), TlsVersion::V1_3)
    );
    assert_eq!(tls.server_name.as_deref(), Some("amp.example"));
    assert_eq!((exporter.queue.partitions, exporter.retry.max_elapsed_time), (8, None));
    let sigv4 = exporter.sigv4.as_ref().unwrap();
    assert_eq!((sigv4.region.as_str(), sigv4.service.as_str()), ("eu-west-1", "aps"));
    assert_eq!(sigv4.credentials.base, BaseCredentials::Profile("writer".to_owned()));
    assert_eq!(sigv4.credentials.assume_role.as_ref().unwrap().external_id.as_deref(), Some("e1"));
    let component: Value = serde_json::from_str(&exporter.component_json).unwrap();
    for (key, expected) in [
        ("external_labels", json!({"cluster": "a$b"})),
        ("headers", json!({"X-Team": "a"})),
        ("exemplars", json!(true)),
        ("send_metadata", json!(true)),
        ("metadata_interval_ms", json!(120_000)),
        ("max_sample_age_ms", json!(86_400_000)),
        (
            "retry_on_failure",
            json!({"initial_interval_ms": 100, "multiplier": 2.0, "max_interval_ms": 10_000}),
        ),
    ] {
        assert_eq!(component[key], expected, "{key}");
    }
}

#[test]
fn defaults_are_those_of_prometheus() {
    let loaded = read("remote_write: [{url: 'http://localhost:9090/api/v1/write'}]\n").unwrap();
    let exporter = &loaded.settings.exporter;
    assert_eq!((exporter.id.as_str(), exporter.client.timeout.as_secs()), ("prometheusremotewrite", 30));
    assert!(exporter.sigv4.is_none() && exporter.retry.max_elapsed_time.is_none());
    let component: Value = serde_json::from_str(&exporter.component_json).unwrap();
    assert_eq!((&component["exemplars"], &component["send_metadata"]), (&json!(false), &json!(true)));
    assert_eq!(component["retry_on_failure"]["initial_interval_ms"], json!(30));
}

#[test]
fn what_cannot_be_carried_is_said() {
    let with = |keys: &str| format!("remote_write:\n  - url: http://localhost:9090/w\n    {keys}\n");
    for (keys, message) in [
        ("oauth2: {client_id: u}", "f:3:5: remote_write[0].oauth2: known to Prometheus, but not supported"),
        (
            "write_relabel_configs: [{action: drop}]",
            "f:3:5: remote_write[0].write_relabel_configs: known to Prometheus",
        ),
        (
            "remote_timeuot: 5s",
            "f:3:5: remote_write[0].remote_timeuot: unknown key; did you mean `remote_timeout`?",
        ),
        ("remote_timeout: 5", "f:3:21: remote_write[0].remote_timeout: a duration needs a unit"),
        ("remote_timeout: 5x", "f:3:21: remote_write[0].remote_timeout: \"5x\" has"),
        (
            "queue_config: {max_shards: many}",
            "f:3:32: remote_write[0].queue_config.max_shards: expected a whole",
        ),
        (
            "sigv4: {region: r, external_id: e}",
            "f:3:24: remote_write[0].sigv4.external_id: says nothing without",
        ),
        ("name: 'a b'", "f:3:11: remote_write[0].name: is no name"),
    ] {
        let errors = errors(&with(keys));
        assert!(errors.iter().any(|error| error.starts_with(message)), "{message}: {errors:?}");
    }
    assert_eq!(errors("scrape_configs: []\n"), ["f:1:1: lacks `remote_write`, which says where to send to"]);
    let said = warnings(&with("queue_config: {capacity: 5000}"));
    assert!(said[0].contains("capacity: is ignored"), "{said:?}");
}

#[test]
fn one_of_several_places_is_chosen_by_name() {
    let text = "remote_write: [{url: 'http://a/w', name: a}, {url: 'http://b/w', name: b}]\n";
    let said = errors(text);
    assert!(said[0].ends_with("choose one with --destination NAME; there are a, b"), "{said:?}");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let sources = vec![Source::File(file.path().to_owned())];
    let request = Request { sources, destination: Some("b".to_owned()), ..Request::default() };
    assert_eq!(load(&request, &environment).unwrap().settings.exporter.endpoint, "http://b/w");
    let source = Source::of_config("yaml:remote_write: [{url: 'http://c/w'}]").unwrap();
    assert_eq!(load(&source.into(), &environment).unwrap().settings.exporter.endpoint, "http://c/w");
}
