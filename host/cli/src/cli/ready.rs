//! The line of the log that says what runs: where it listens, where it sends to, as whom, and what may wait.

use preamp_config::{Authorization, ExporterSettings, Storage};
use preamp_host::credentials;
use preamp_host::service::{Addresses, Running};

/// Logs it.
pub(super) fn log(running: &Running) {
    let Addresses { grpc, http, metrics, health } = running.addresses();
    let exporter = &running.settings().exporter;
    let to = Destination::of(&exporter.endpoint);
    let (queue, place) = queue(&exporter.queue.storage);
    let limit = |name: &str, is_reachable: bool| {
        exporter.queue.key_of_limit(name).filter(|_| is_reachable).map(|(_, limit)| limit)
    };
    let unlimited = i64::MAX.unsigned_abs();
    tracing::info!(
        state = "ready",
        grpc = grpc.map(display),
        http = http.map(display),
        metrics = metrics.map(display),
        health = health.map(display),
        version = env!("CARGO_PKG_VERSION"),
        formats = "OTLP protobuf and JSON",
        exporter = exporter.id,
        to = to.host,
        workspace = to.workspace,
        region = exporter.sigv4.as_ref().map(|sigv4| &*sigv4.region),
        profile = running.profile(),
        credentials = sender(exporter),
        queue,
        queue_place = place,
        queue_max_bytes = exporter.queue.max_bytes,
        queue_max_payloads = limit("payloads", (exporter.queue.max_payloads as u64) < unlimited),
        queue_max_points = limit("points", exporter.queue.max_points < unlimited),
        "preamp is ready to take requests"
    );
}

/// Where a URL leads to, without what may be a secret in it.
#[derive(Debug, PartialEq)]
struct Destination<'e> {
    host: &'e str,
    workspace: Option<&'e str>,
}

impl<'e> Destination<'e> {
    fn of(endpoint: &'e str) -> Self {
        let (_, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
        let (authority, path) = rest.split_once(['/', '?', '#']).unwrap_or((rest, ""));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let mut parts = path.split(['/', '?']).skip_while(|part| *part != "workspaces").skip(1);
        Destination { host, workspace: parts.next().filter(|id| id.starts_with("ws-")) }
    }
}

/// Who requests are from, as far as that is known without asking anybody.
fn sender(exporter: &ExporterSettings) -> String {
    match (&exporter.sigv4, &exporter.client.authorization) {
        (Some(sigv4), _) => credentials::in_words(&sigv4.credentials),
        (None, Some(Authorization::Basic { .. })) => "a user and a password".to_owned(),
        (None, Some(Authorization::Token { .. })) => "a token".to_owned(),
        (None, None) => "none".to_owned(),
    }
}

/// What a queue is kept in, and where that is.
fn queue(storage: &Storage) -> (&'static str, Option<String>) {
    match storage {
        Storage::Memory => ("memory", None),
        Storage::Directory(directory) => ("disk", Some(directory.path.display().to_string())),
        Storage::Nats(nats) => ("stream", nats.stream.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_its_secrets() {
        let of = Destination::of;
        let amp = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1-2/api/v1/remote_write";
        let host = "aps-workspaces.eu-west-1.amazonaws.com";
        assert_eq!(of(amp), Destination { host, workspace: Some("ws-1-2") });
        let other = "http://user:secret@[::1]:9090/workspaces/token?key=secret";
        assert_eq!(of(other), Destination { host: "[::1]:9090", workspace: None });
        assert_eq!(of("http://h?key=secret"), Destination { host: "h", workspace: None });
    }
}
