//! Bindplane's source `otlp`.

use super::parameters::Parameters;
use crate::draft::Draft;
use crate::yaml::Node;

/// What the type has.
pub(super) const NAMES: [&str; 9] = [
    "telemetry_types",
    "listen_address",
    "grpc_port",
    "http_port",
    "enable_tls",
    "cert_file",
    "key_file",
    "mutual_tls",
    "ca_file",
];

const LISTEN_ADDRESS: &str = "0.0.0.0";
const GRPC_PORT: i64 = 4317;
const HTTP_PORT: i64 = 4318;

/// The section `protocols` that Bindplane makes of a source.
pub(super) fn protocols(draft: Draft, parameters: &Parameters) -> Node {
    let protocol = |port: &str, default: i64| {
        let port = parameters.integer(port).unwrap_or_else(|| draft.integer(default));
        // Bindplane's way to switch a protocol off.
        if port.text == "0" {
            return None;
        }
        let address = parameters.text("listen_address").unwrap_or_else(|| draft.text(LISTEN_ADDRESS));
        let host = if address.text.contains(':') { format!("[{}]", address.text) } else { address.text };
        let mut endpoint = draft.text(&format!("{host}:{}", port.text));
        endpoint.place = port.place;
        endpoint.known_as = port.known_as;
        Some(draft.section([("endpoint", Some(endpoint)), ("tls", tls(draft, parameters))]))
    };
    draft.section([("grpc", protocol("grpc_port", GRPC_PORT)), ("http", protocol("http_port", HTTP_PORT))])
}

fn tls(draft: Draft, parameters: &Parameters) -> Option<Node> {
    let is_mutual = parameters.is_on("mutual_tls");
    parameters.is_on("enable_tls").then(|| {
        draft.section([
            ("cert_file", parameters.text("cert_file")),
            ("key_file", parameters.text("key_file")),
            ("client_ca_file", is_mutual.then(|| parameters.text("ca_file")).flatten()),
        ])
    })
}
