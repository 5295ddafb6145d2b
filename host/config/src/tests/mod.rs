//! Whole files: what they come to, and what is said about those that are wrong.

mod authorization;
mod bindplane;
mod bounds;
mod connections;
mod debug;
mod errors;
mod files;
mod gates;
mod health;
mod hidden;
mod mistakes;
mod mutations;
mod nats;
mod one_exporter;
mod printed;
mod processors;
mod prometheus;
mod queue;
mod reference;
mod signing;
mod sources;
mod structure;
mod telemetry;
mod tls;
mod warnings;

use super::{Diagnostics, Environment, Loaded, Options, Pem, Request, Source, parse};
use std::path::Path;

/// A file with every key that is read.
const FULL: &str = include_str!("full.yaml");

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "TEAM" => "Basic: secret-token",
        "PORT" => "4317",
        "SECRET" => "hunter2",
        _ => return None,
    };
    Some(value.to_owned())
}

fn read(text: &str) -> Result<Loaded, Diagnostics> {
    parse("f", text, &environment)
}

/// What the component says of its options.
fn options() -> Options {
    Options::read(include_str!("../../../../src/config/schema.json")).unwrap()
}

/// What `print-config` prints of a configuration.
fn explain(request: &Request, environment: Environment) -> Result<Loaded<String>, Diagnostics> {
    let profile = |configuration: &str| {
        let is_aps = configuration.contains("aps-workspaces") || configuration.contains(r#""service":"aps""#);
        if is_aps { "aps" } else { "prometheus" }.to_owned()
    };
    super::explain(request, &options(), &profile, environment)
}

/// What is said about a file that cannot be used.
fn errors(text: &str) -> Vec<String> {
    match read(text) {
        Ok(_) => Vec::new(),
        Err(diagnostics) => {
            let errors = diagnostics.0.iter().filter(|diagnostic| !diagnostic.is_warning);
            errors.map(ToString::to_string).collect()
        }
    }
}

/// What is said about a file that can be used.
fn warnings(text: &str) -> Vec<String> {
    read(text).unwrap().warnings.iter().map(ToString::to_string).collect()
}

/// The file that something in PEM is in.
fn file_of(pem: Option<&Pem>) -> Option<&Path> {
    match pem? {
        Pem::File(path) => Some(path),
        Pem::Text(_) => None,
    }
}

/// A file whose exporter has more keys, which begin in line 4 and column 5.
fn with_exporter(keys: &str) -> String {
    let keys = keys.replace('\n', "\n    ");
    format!(
        "exporters:
  prometheusremotewrite:
    endpoint: http://localhost:9090/api/v1/write
    {keys}
receivers: {{otlp: {{protocols: {{grpc: }}}}}}
service: {{pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}}}
"
    )
}

/// A file whose receiver has these protocols, which begin in line 4 and column 7.
fn with_protocols(keys: &str) -> String {
    let keys = keys.replace('\n', "\n      ");
    format!(
        "receivers:
  otlp:
    protocols:
      {keys}
exporters: {{prometheusremotewrite: {{endpoint: http://localhost:9090/api/v1/write}}}}
service: {{pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}}}
"
    )
}

/// A file whose section `service` has more keys, which begin in line 4 and column 3.
fn with_service(keys: &str) -> String {
    let keys = keys.replace('\n', "\n  ");
    format!(
        "exporters: {{prometheusremotewrite: {{endpoint: http://localhost:9090/api/v1/write}}}}
receivers: {{otlp: {{protocols: {{grpc: }}}}}}
service:
  {keys}
  pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}
"
    )
}
