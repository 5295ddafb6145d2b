//! From a Collector file to settings: each section is read by the module of its name.

use super::component::Places;
use super::definition::Tables;
use super::exporter::{self, EXPORTERS, Exporter, read_remote_write};
use super::extensions::{self, Extensions, read_authenticators};
use super::form::{FileForm, KeyNames};
use super::ids::{Component, find, read_components};
use super::processors;
use super::receiver::{self, read_otlp};
use super::service::{Connected, Defined, RECEIVERS, connect, read_service, service};
use super::settings::{ExporterSettings, OtlpReceiver, Settings};
use super::view::View;
use super::view::keys::{Key, Other, keys};

/// All keys of a file.
pub(super) const TABLES: Tables = &[file::TABLE];

keys! {
    /// The sections of a file.
    mod file {
        /// Where data comes from.
        receivers: Other.components(receiver::TYPES),
        /// What is done in between.
        processors: Other.components(processors::TYPES),
        /// Where data goes.
        exporters: Other.components(exporter::TYPES),
        /// Known to the Collector; preamp has none.
        connectors: Other.components(&[]),
        /// What receivers, exporters and the process make use of.
        extensions: Other.components(extensions::TYPES),
        /// What runs, and how it is connected.
        service: Sub.of(&[service::TABLE]).required(),
    }
}

/// Reads a whole configuration; `None` after something was reported.
pub(super) fn read_root(root: &View) -> Option<(Settings, Places)> {
    let section = root.section(TABLES);
    let service = read_service(section.get(&file::service), root);
    let components = |key: &Key<Other>| read_components(section.get(key));
    let extensions = Extensions::read(components(&file::extensions), &service.extensions);
    let defined = Defined {
        receivers: components(&file::receivers),
        processors: components(&file::processors),
        exporters: components(&file::exporters),
        connectors: components(&file::connectors),
    };
    for connector in &defined.connectors {
        connector.view.warn("connectors are not supported by this version of preamp yet; it does nothing");
    }
    let connected = connect(&service, &defined);
    // What no pipeline uses is read too: its mistakes should show before somebody starts to use it.
    let receivers = of_kinds(&defined.receivers, &RECEIVERS, |c| read_otlp(c.id, &c.view, &extensions));
    let exporters = of_kinds(&defined.exporters, &EXPORTERS, |c| read_remote_write(c, &extensions));
    extensions.warn_of_unused();
    let health = extensions.health();
    let Connected { receiver, processors, exporter: exporter_id, debug } = connected?;
    let receiver = with_id(receivers, receiver)?;
    let (exporter, places) =
        settle(exporter_id, with_id(exporters, exporter_id)?, Some(&receiver), root.form());
    let telemetry = service.telemetry;
    Some((Settings { receiver, processors, exporter, debug, health, telemetry }, places))
}

/// Reads nothing but an exporter and what it signs with.
pub(super) fn read_exporter(root: &View, id: &str) -> Option<(ExporterSettings, Places)> {
    let section = root.section(TABLES);
    let defined = section.get(&file::exporters);
    let exporters = read_components(defined.clone());
    let exporter = find(&exporters, id, "exporter", defined.as_ref().unwrap_or(root))?;
    if !EXPORTERS.contains(&exporter.kind) {
        exporter.view.error(exporter.unsupported("exporter", &EXPORTERS));
        return None;
    }
    let enabled = read_authenticators(section.get(&file::service));
    let extensions = Extensions::read(read_components(section.get(&file::extensions)), &enabled);
    let exporter = read_remote_write(exporter, &extensions)?;
    Some(settle(id, exporter, None, root.form()))
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
fn settle(
    id: &str,
    exporter: Exporter,
    receiver: Option<&OtlpReceiver>,
    form: FileForm,
) -> (ExporterSettings, Places) {
    let Exporter { mut component, endpoint, client, retry, queue, sigv4, state_file } = exporter;
    let listeners = receiver.into_iter().flat_map(|receiver| [&receiver.grpc, &receiver.http]).flatten();
    if let Some(largest) = listeners.map(|listener| listener.max_request_bytes).max() {
        component.set("max_payload_bytes", largest);
    }
    let (component_json, places) = component.finish();
    let settings = ExporterSettings {
        id: id.to_owned(),
        endpoint,
        component_json,
        client,
        retry,
        queue,
        sigv4,
        state_file,
        key_names: KeyNames::new(form, id),
    };
    (settings, places)
}
