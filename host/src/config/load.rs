//! From a file to settings.

use super::component::{Places, nearest};
use super::diagnostic::{Diagnostic, Diagnostics, Report};
use super::exporter::{Exporter, read_remote_write};
use super::extensions::Extensions;
use super::ids::{Component, read_components};
use super::keys::{Key, read};
use super::receiver::read_otlp;
use super::service::{Defined, EXPORTERS, RECEIVERS, connect, read_service};
use super::settings::{ExporterSettings, OtlpReceiver, Settings};
use super::substitution::{Environment, substitute};
use super::view::View;
use super::yaml;
use std::io::Read;
use std::path::Path;

/// Larger files are no configurations.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

const ROOT: &[Key] = &[
    read("receivers"),
    read("processors"),
    read("exporters"),
    read("connectors"),
    read("extensions"),
    read("service"),
];

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub settings: Settings,
    /// What the operator should know, in the order of the places.
    pub warnings: Vec<Diagnostic>,
    file: String,
    places: Places,
}

impl Loaded {
    /// Turns a problem that the component found in its configuration into one of the file: `pointer`
    /// is a JSON Pointer (RFC 6901) into `component_json`, as `open` gives it. What does not stand in
    /// the file is placed at the nearest part that contains it.
    pub fn locate(&self, pointer: &str, message: &str) -> Diagnostic {
        let location = nearest(&self.places, pointer);
        Diagnostic {
            file: self.file.clone(),
            place: location.map(|location| location.place),
            path: location.map(|location| location.path.clone()).unwrap_or_default(),
            message: message.to_owned(),
        }
    }
}

/// Reads a configuration file.
///
/// `environment` looks up the variables that the file refers to.
///
/// # Errors
///
/// All problems of the file, in the order of their places.
pub fn load(path: &Path, environment: Environment) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    let fault = |message: String| {
        Diagnostics(vec![Diagnostic { file: name.clone(), place: None, path: String::new(), message }])
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(format!("is larger than {FILE_BYTES_MAX} bytes: that is no configuration")));
    }
    let text = String::from_utf8(bytes).map_err(|error| fault(format!("is not UTF-8: {error}")))?;
    parse(&name, &text, environment)
}

/// Reads a configuration from a text; `name` stands for it in messages.
///
/// # Errors
///
/// All problems of the text, in the order of their places.
pub fn parse(name: &str, text: &str, environment: Environment) -> Result<Loaded, Diagnostics> {
    let report = Report::new(name);
    let settings = read_document(text, environment, &report);
    match (settings, report.finish()) {
        (Some((settings, places)), (errors, warnings)) if errors.0.is_empty() => {
            Ok(Loaded { settings, warnings: warnings.0, file: name.to_owned(), places })
        }
        (_, (errors, _)) => Err(errors),
    }
}

fn read_document(text: &str, environment: Environment, report: &Report) -> Option<(Settings, Places)> {
    let (document, faults) = yaml::parse(text);
    for fault in faults {
        report.error(fault.place, &fault.path, fault.message);
    }
    let mut document = document?;
    substitute(&mut document, "", environment, report);
    let root = View::root(&document, report);
    if !matches!(root.value(), yaml::Value::Map(_)) {
        root.error(format!("expected `receivers`, `exporters` and `service`, found {}", root.shown()));
        return None;
    }
    read_root(&root)
}

fn read_root(root: &View) -> Option<(Settings, Places)> {
    let section = root.section(&[ROOT]);
    let service = read_service(section.get("service"), root);
    let components = |key| read_components(section.get(key));
    let extensions = Extensions::read(components("extensions"), &service.extensions);
    let defined = Defined {
        receivers: components("receivers"),
        processors: components("processors"),
        exporters: components("exporters"),
    };
    for connector in components("connectors") {
        connector.view.warn("connectors are not supported by this version of preamp yet; it does nothing");
    }
    let connected = connect(&service.pipelines, &defined);
    // What no pipeline uses is read too: its mistakes should show before somebody starts to use it.
    let receivers = of_kinds(&defined.receivers, &RECEIVERS, |c| read_otlp(c.id, &c.view));
    let exporters = of_kinds(&defined.exporters, &EXPORTERS, |c| read_remote_write(&c.view, &extensions));
    extensions.warn_of_unused();
    let (receiver_id, exporter_id) = connected?;
    let receiver = with_id(receivers, receiver_id)?;
    let (exporter, places) = settle(exporter_id, with_id(exporters, exporter_id)?, &receiver);
    Some((Settings { receiver, exporter, telemetry: service.telemetry }, places))
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

/// Completes an exporter with what the receiver says.
fn settle(id: &str, exporter: Exporter, receiver: &OtlpReceiver) -> (ExporterSettings, Places) {
    let Exporter { mut component, timeout, retry, queue, sigv4, tls } = exporter;
    let listeners = [&receiver.grpc, &receiver.http].into_iter().flatten();
    if let Some(largest) = listeners.map(|listener| listener.max_request_bytes).max() {
        component.set("max_payload_bytes", largest);
    }
    let (component_json, places) = component.finish();
    (ExporterSettings { id: id.to_owned(), component_json, timeout, retry, queue, sigv4, tls }, places)
}
