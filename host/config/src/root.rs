//! From a Collector file to settings: each section is read by the module of its name.

use super::component::Places;
use super::exporter::{EXPORTERS, Exporter, read_remote_write};
use super::extensions::{Extensions, read_signers};
use super::ids::{Component, find, read_components};
use super::keys::{Key, read};
use super::receiver::read_otlp;
use super::service::{Connected, Defined, RECEIVERS, connect, read_service};
use super::settings::{ExporterSettings, OtlpReceiver, Settings};
use super::view::View;

const ROOT: &[Key] = &[
    read("receivers"),
    read("processors"),
    read("exporters"),
    read("connectors"),
    read("extensions"),
    read("service"),
];

/// Reads a whole configuration; `None` after something was reported.
pub(super) fn read_root(root: &View) -> Option<(Settings, Places)> {
    let section = root.section(&[ROOT]);
    let service = read_service(section.get("service"), root);
    let components = |key| read_components(section.get(key));
    let extensions = Extensions::read(components("extensions"), &service.extensions);
    let defined = Defined {
        receivers: components("receivers"),
        processors: components("processors"),
        exporters: components("exporters"),
        connectors: components("connectors"),
    };
    for connector in &defined.connectors {
        connector.view.warn("connectors are not supported by this version of preamp yet; it does nothing");
    }
    let connected = connect(&service.pipelines, &defined);
    // What no pipeline uses is read too: its mistakes should show before somebody starts to use it.
    let receivers = of_kinds(&defined.receivers, &RECEIVERS, |c| read_otlp(c.id, &c.view, &extensions));
    let exporters = of_kinds(&defined.exporters, &EXPORTERS, |c| read_remote_write(c, &extensions));
    extensions.warn_of_unused();
    let health = extensions.health();
    let Connected { receiver, processors, exporter: exporter_id } = connected?;
    let receiver = with_id(receivers, receiver)?;
    let (exporter, places) = settle(exporter_id, with_id(exporters, exporter_id)?, Some(&receiver));
    Some((Settings { receiver, processors, exporter, health, telemetry: service.telemetry }, places))
}

/// Reads nothing but an exporter and what it signs with.
pub(super) fn read_exporter(root: &View, id: &str) -> Option<(ExporterSettings, Places)> {
    let section = root.section(&[ROOT]);
    let defined = section.get("exporters");
    let exporters = read_components(defined.clone());
    let exporter = find(&exporters, id, "exporter", defined.as_ref().unwrap_or(root))?;
    if !EXPORTERS.contains(&exporter.kind) {
        exporter.view.error(exporter.unsupported("exporter", &EXPORTERS));
        return None;
    }
    let signers = read_signers(section.get("service"));
    let extensions = Extensions::read(read_components(section.get("extensions")), &signers);
    let exporter = read_remote_write(exporter, &extensions)?;
    Some(settle(id, exporter, None))
}

/// Reads all components of certain types, each with its id.
fn of_kinds<'d, T>(
    components: &[Component<'d>],
    kinds: &[&str],
    read: impl Fn(&Component<'d>) -> Option<T>,
) -> Vec<(&'d str, T)> {
    let chosen = components.iter().filter(|component| kinds.contains(&component.kind));
    chosen.filter_map(|component| Some((component.id, read(component)?))).collect()
}

fn with_id<T>(components: Vec<(&str, T)>, id: &str) -> Option<T> {
    components.into_iter().find(|(own, _)| *own == id).map(|(_, component)| component)
}

/// Completes an exporter with what the receiver, if there is one, says.
fn settle(id: &str, exporter: Exporter, receiver: Option<&OtlpReceiver>) -> (ExporterSettings, Places) {
    let Exporter { mut component, endpoint, client, retry, queue, sigv4, max_sample_age, state_file } =
        exporter;
    let listeners = receiver.into_iter().flat_map(|receiver| [&receiver.grpc, &receiver.http]).flatten();
    if let Some(largest) = listeners.map(|listener| listener.max_request_bytes).max() {
        component.set("max_payload_bytes", largest);
    }
    let (component_json, places) = component.finish();
    let id = id.to_owned();
    let settings = ExporterSettings {
        id,
        endpoint,
        component_json,
        client,
        retry,
        queue,
        sigv4,
        max_sample_age,
        state_file,
    };
    (settings, places)
}
