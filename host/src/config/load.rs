//! From a file to settings.

use super::bindplane;
use super::component::{Places, nearest};
use super::diagnostic::{Diagnostic, Diagnostics, Findings, Report};
use super::exporter::{Exporter, read_remote_write};
use super::extensions::{Extensions, read_signers};
use super::ids::{Component, find, read_components};
use super::keys::{Key, read};
use super::receiver::read_otlp;
use super::service::{Defined, EXPORTERS, RECEIVERS, connect, read_service};
use super::settings::{ExporterSettings, OtlpReceiver, Settings};
use super::substitution::{Environment, substitute};
use super::view::View;
use super::yaml::{self, Node};
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

/// A configuration that can be used, or the part of it that was asked for.
#[derive(Debug)]
pub struct Loaded<S = Settings> {
    /// What it means.
    pub settings: S,
    /// What the operator should know, in the order of the places.
    pub warnings: Vec<Diagnostic>,
    missing: Diagnostics,
    file: String,
    places: Places,
}

impl<S> Loaded<S> {
    /// The same of a part of the settings.
    pub fn map<T>(self, part: impl FnOnce(S) -> T) -> Loaded<T> {
        let Loaded { settings, warnings, missing, file, places } = self;
        Loaded { settings: part(settings), warnings, missing, file, places }
    }

    /// The same, if all files that it names can be read on this machine.
    ///
    /// # Errors
    ///
    /// Those that cannot, in the order of their places.
    pub fn with_files(self) -> Result<Self, Diagnostics> {
        if self.missing.0.is_empty() { Ok(self) } else { Err(self.missing) }
    }

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
    parse(&path.display().to_string(), &read_file(path)?, environment)
}

/// Reads nothing but one exporter of a configuration file, and the extensions it signs with. The
/// exporter need not be in a pipeline, and the file may hold what this version does not serve.
///
/// # Errors
///
/// All problems of that part of the file, in the order of their places.
pub fn load_exporter(
    path: &Path,
    id: &str,
    environment: Environment,
) -> Result<Loaded<ExporterSettings>, Diagnostics> {
    let name = path.display().to_string();
    parse_part(&name, &read_file(path)?, environment, |root| read_exporter(root, id))
}

fn read_file(path: &Path) -> Result<String, Diagnostics> {
    let fault = |message: String| {
        let file = path.display().to_string();
        Diagnostics(vec![Diagnostic { file, place: None, path: String::new(), message }])
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(format!("is larger than {FILE_BYTES_MAX} bytes: that is no configuration")));
    }
    String::from_utf8(bytes).map_err(|error| fault(format!("is not UTF-8: {error}")))
}

/// Reads a configuration from a text; `name` stands for it in messages.
///
/// # Errors
///
/// All problems of the text, in the order of their places.
pub fn parse(name: &str, text: &str, environment: Environment) -> Result<Loaded, Diagnostics> {
    parse_part(name, text, environment, read_root)
}

fn parse_part<S>(
    name: &str,
    text: &str,
    environment: Environment,
    read: impl FnOnce(&View) -> Option<(S, Places)>,
) -> Result<Loaded<S>, Diagnostics> {
    let report = Report::new(name);
    let settings = read_document(text, environment, &report, read);
    let Findings { errors, warnings, missing } = report.finish();
    match settings {
        Some((settings, places)) if errors.0.is_empty() => {
            Ok(Loaded { settings, warnings: warnings.0, missing, file: name.to_owned(), places })
        }
        _ => Err(errors.0.into_iter().chain(missing.0).collect()),
    }
}

fn read_document<S>(
    text: &str,
    environment: Environment,
    report: &Report,
    read: impl FnOnce(&View) -> Option<(S, Places)>,
) -> Option<(S, Places)> {
    let mut document = read_tree(text, report)?;
    substitute(&mut document, "", environment, report);
    if bindplane::is_resource(&document) {
        let rendered = bindplane::rendered(&View::root(&document, report))?;
        return read(&View::root(&rendered, report));
    }
    let root = View::root(&document, report);
    if !matches!(root.value(), yaml::Value::Map(_)) {
        root.error(format!("expected `receivers`, `exporters` and `service`, found {}", root.shown()));
        return None;
    }
    read(&root)
}

fn read_tree(text: &str, report: &Report) -> Option<Node> {
    let (mut document, mut faults) = yaml::parse(text);
    if !faults.is_empty()
        && let Some(repaired) = bindplane::repaired(text)
    {
        (document, faults) = yaml::parse(&repaired.text);
        document.iter_mut().for_each(|document| repaired.replace(document));
    }
    for fault in faults {
        report.error(fault.place, &fault.path, fault.message);
    }
    document
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
    let (exporter, places) = settle(exporter_id, with_id(exporters, exporter_id)?, Some(&receiver));
    Some((Settings { receiver, exporter, telemetry: service.telemetry }, places))
}

fn read_exporter(root: &View, id: &str) -> Option<(ExporterSettings, Places)> {
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
    let exporter = read_remote_write(&exporter.view, &extensions)?;
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
    let Exporter { mut component, endpoint, client, retry, queue, sigv4, state_file } = exporter;
    let listeners = receiver.into_iter().flat_map(|receiver| [&receiver.grpc, &receiver.http]).flatten();
    if let Some(largest) = listeners.map(|listener| listener.max_request_bytes).max() {
        component.set("max_payload_bytes", largest);
    }
    let (component_json, places) = component.finish();
    let id = id.to_owned();
    (ExporterSettings { id, endpoint, component_json, client, retry, queue, sigv4, state_file }, places)
}
