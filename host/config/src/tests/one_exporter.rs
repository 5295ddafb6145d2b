//! One exporter of a file, looked at alone.

use super::{Source, environment};
use crate::{Diagnostic, Diagnostics, ExporterSettings, Loaded, load_exporter};
use serde_json::{Value, json};
use std::io::Write as _;

/// A Collector's file with much that this version does not serve.
const FILE: &str = "
receivers: {kafka: {brokers: [a]}}
extensions:
  health_check: {}
  sigv4auth: {region: eu-west-1}
exporters:
  debug: {}
  prometheusremotewrite/plain: {endpoint: http://localhost/write}
  prometheusremotewrite/amp:
    endpoint: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write
    auth: {authenticator: sigv4auth}
    namespace: shop
  prometheusremotewrite/wrong: {endpoint: 7, namspace: x}
service:
  extensions: [health_check, sigv4auth]
  pipelines: {metrics: {receivers: [kafka], exporters: [debug]}}
";

fn read(id: &str) -> Result<Loaded<ExporterSettings>, Diagnostics> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(FILE.as_bytes()).unwrap();
    load_exporter(&Source::File(file.path().to_owned()).into(), id, &environment)
}

/// What is said, without the name of the file.
fn said(id: &str) -> Vec<String> {
    let diagnostics = read(id).unwrap_err().0;
    diagnostics.into_iter().map(|said| Diagnostic { file: String::new(), ..said }.to_string()).collect()
}

#[test]
fn the_rest_of_the_file_does_not_matter() {
    let loaded = read("prometheusremotewrite/amp").unwrap();
    assert_eq!(loaded.warnings, []);
    let component: Value = serde_json::from_str(&loaded.settings.component_json).unwrap();
    assert_eq!(component["namespace"], "shop");
    assert_eq!(component["sigv4"], json!({"region": "eu-west-1", "service": "aps"}));
    assert_eq!(loaded.settings.id, "prometheusremotewrite/amp");
    let place = loaded.locate("/namespace", "is wrong").place.unwrap();
    assert_eq!((place.line, place.column), (12, 16));
}

#[test]
fn its_own_mistakes_are_reported() {
    let said = said("prometheusremotewrite/wrong");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|line| line.starts_with(":13:")), "{said:?}");
}

#[test]
fn another_id_or_type_is_answered_with_what_there_is() {
    let missing = said("prometheusremotewrite/amq");
    assert!(missing[0].contains("no exporter `prometheusremotewrite/amq` is defined"), "{missing:?}");
    assert!(missing[0].contains("`prometheusremotewrite/amp`"), "{missing:?}");
    let other = said("debug");
    assert!(other[0].contains("type `debug` is not supported"), "{other:?}");
}
