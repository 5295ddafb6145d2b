//! What a configuration comes to where it says nothing, as far as the host is concerned.

use super::diagnostic::Place;
use super::draft::Draft;
use super::settings::{ExporterSettings, Listener, LogFormat, Settings, SigV4};
use super::view::View;
use super::yaml::{Node, Value};
use std::time::Duration;

/// Puts into a document what it does not say.
pub(super) fn fill(document: &mut Node, defaults: Node) {
    let Value::Map(more) = defaults.value else { return };
    if matches!(document.value, Value::Null) {
        document.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut document.value else { return };
    for default in more {
        match entries.iter_mut().find(|entry| entry.key == default.key) {
            Some(entry) => fill(&mut entry.value, default.value),
            None => entries.push(default),
        }
    }
}

/// A Collector file that says all of it. It stands in no source.
pub(super) fn defaults(settings: &Settings, root: &View) -> Node {
    let draft = Draft { place: Place::start_of(usize::MAX) };
    let Settings { receiver, exporter, telemetry, .. } = settings;
    let protocol = |listener: &Option<Listener>, parts: fn(Draft, &Listener) -> Node| {
        listener.as_ref().map(|listener| parts(draft, listener))
    };
    let protocols =
        draft.section([("grpc", protocol(&receiver.grpc, grpc)), ("http", protocol(&receiver.http, http))]);
    let signer = exporter.sigv4.as_ref().zip(signer_id(exporter, root));
    let logs = draft.section([
        ("level", Some(draft.text(&telemetry.log_level.to_string().to_lowercase()))),
        (
            "encoding",
            Some(draft.text(if telemetry.log_format == LogFormat::Json { "json" } else { "console" })),
        ),
    ]);
    draft.section([
        ("receivers", Some(draft.within(&receiver.id, draft.within("protocols", protocols)))),
        ("exporters", Some(draft.within(&exporter.id, remote_write(draft, exporter)))),
        ("extensions", signer.map(|(sigv4, id)| draft.within(id, signing(draft, sigv4)))),
        ("service", Some(draft.within("telemetry", draft.within("logs", logs)))),
    ])
}

fn grpc(draft: Draft, listener: &Listener) -> Node {
    let mebibytes = listener.max_request_bytes / (1024 * 1024);
    let serving = &listener.serving;
    let parameters = draft.section([
        ("max_connection_idle", time(draft, serving.idle_timeout)),
        ("time", time(draft, serving.ping_interval)),
        ("timeout", time(draft, Some(serving.ping_timeout))),
    ]);
    draft.section([
        ("endpoint", Some(draft.text(&listener.endpoint))),
        ("max_recv_msg_size_mib", Some(draft.count(mebibytes))),
        ("max_concurrent_streams", Some(draft.count(u64::from(serving.max_concurrent_streams)))),
        ("max_connections", Some(draft.count(serving.max_connections as u64))),
        ("keepalive", Some(draft.within("server_parameters", parameters))),
    ])
}

fn http(draft: Draft, listener: &Listener) -> Node {
    let serving = &listener.serving;
    draft.section([
        ("endpoint", Some(draft.text(&listener.endpoint))),
        ("max_request_body_size", Some(draft.count(listener.max_request_bytes))),
        ("metrics_url_path", Some(draft.text(&listener.metrics_path))),
        ("read_header_timeout", time(draft, serving.read_header_timeout)),
        ("read_timeout", time(draft, serving.read_timeout)),
        ("write_timeout", time(draft, serving.write_timeout)),
        ("idle_timeout", time(draft, serving.idle_timeout)),
        ("max_connections", Some(draft.count(serving.max_connections as u64))),
    ])
}

/// A time; none is 0.
fn time(draft: Draft, time: Option<Duration>) -> Option<Node> {
    Some(draft.text(&format!("{:?}", time.unwrap_or_default())))
}

fn remote_write(draft: Draft, ExporterSettings { client, retry, queue, .. }: &ExporterSettings) -> Node {
    let duration = |duration: Duration| Some(draft.text(&format!("{duration:?}")));
    let retry = draft.section([
        ("enabled", Some(draft.flag(retry.enabled))),
        ("randomization_factor", Some(draft.number(retry.randomization_factor))),
        ("max_elapsed_time", duration(retry.max_elapsed_time.unwrap_or_default())),
    ]);
    let max_queue_bytes = draft.count(queue.max_bytes);
    let queue = draft.section([
        ("queue_size", Some(draft.count(queue.size()))),
        ("num_consumers", Some(draft.count(u64::from(queue.consumers)))),
    ]);
    draft.section([
        ("timeout", duration(client.timeout)),
        ("max_queue_bytes", Some(max_queue_bytes)),
        ("remote_write_queue", Some(queue)),
        ("retry_on_failure", Some(retry)),
    ])
}

fn signing(draft: Draft, SigV4 { region, service, .. }: &SigV4) -> Node {
    draft.section([("region", Some(draft.text(region))), ("service", Some(draft.text(service)))])
}

/// The id of the extension that the exporter names.
fn signer_id<'d>(exporter: &ExporterSettings, root: &View<'d>) -> Option<&'d str> {
    let exporter = root.entry("exporters")?.entry(&exporter.id)?;
    let client = exporter.entry("http").unwrap_or(exporter);
    client.entry("auth")?.entry("authenticator")?.scalar_text()
}
