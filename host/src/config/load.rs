//! From the sources of a configuration to settings.

use super::component::{Places, nearest};
use super::defaults::{defaults, fill};
use super::diagnostic::{Diagnostic, Diagnostics, Findings, Report, name_of};
use super::exporter::{EXPORTERS, Exporter, read_remote_write};
use super::extensions::{Extensions, read_signers};
use super::formats::{Context, collector, expect_sections};
use super::ids::{Component, find, read_components};
use super::keys::{Key, read};
use super::merge::merge;
use super::print::{Style, print};
use super::receiver::read_otlp;
use super::service::{Connected, Defined, RECEIVERS, connect, read_service};
use super::settings::{ExporterSettings, OtlpReceiver, Settings};
use super::source::Source;
use super::substitution::{Environment, substitute};
use super::view::View;
use super::yaml::{Node, Value};
use std::fmt;

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
    sources: Vec<String>,
    places: Places,
}

impl<S> Loaded<S> {
    /// The same of a part of the settings.
    pub fn map<T>(self, part: impl FnOnce(S) -> T) -> Loaded<T> {
        let Loaded { settings, warnings, missing, sources, places } = self;
        Loaded { settings: part(settings), warnings, missing, sources, places }
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
            file: location.map(|location| name_of(&self.sources, location.place)).unwrap_or_default(),
            place: location.map(|location| location.place),
            path: location.map(|location| location.path.clone()).unwrap_or_default(),
            message: message.to_owned(),
        }
    }
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The sources, of which later ones count over earlier ones.
    pub sources: Vec<Source>,
    /// The destination of Bindplane to use, where a file has several.
    pub destination: Option<String>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, source) in self.sources.iter().enumerate() {
            f.write_str(if index > 0 { " with " } else { "" })?;
            source.fmt(f)?;
        }
        Ok(())
    }
}

impl From<Source> for Request {
    fn from(source: Source) -> Self {
        Request { sources: vec![source], destination: None }
    }
}

/// Reads a configuration.
///
/// `environment` looks up the variables that it refers to.
///
/// # Errors
///
/// All problems, in the order of their places.
pub fn load(request: &Request, environment: Environment) -> Result<Loaded, Diagnostics> {
    load_part(request, environment, read_root)
}

/// Reads nothing but one exporter of a configuration, and the extensions it signs with. The exporter need
/// not be in a pipeline, and there may be what this version does not serve.
///
/// # Errors
///
/// All problems of that part, in the order of their places.
pub fn load_exporter(
    request: &Request,
    id: &str,
    environment: Environment,
) -> Result<Loaded<ExporterSettings>, Diagnostics> {
    load_part(request, environment, |root| read_exporter(root, id))
}

/// Reads a configuration, and gives it as one Collector file, with the references that stand in it.
///
/// # Errors
///
/// All problems, in the order of their places.
pub fn convert(request: &Request, environment: Environment) -> Result<Loaded<String>, Diagnostics> {
    load_part(request, environment, |root| {
        let (_, places) = read_root(root)?;
        Some((print(&root.carried(), Style::AsWritten), places))
    })
}

/// Reads a configuration, and gives what it comes to, defaults of the host included, without secrets: one
/// Collector file, each value with the place it comes from.
///
/// # Errors
///
/// All problems, in the order of their places.
pub fn explain(request: &Request, environment: Environment) -> Result<Loaded<String>, Diagnostics> {
    let sources: Vec<_> = request.sources.iter().map(Source::to_string).collect();
    load_part(request, environment, |root| {
        let (settings, places) = read_root(root)?;
        let mut document = root.carried();
        fill(&mut document, defaults(&settings, root));
        Some((print(&document, Style::Explained(&sources)), places))
    })
}

/// Reads a configuration from a text; `name` stands for it in messages.
///
/// # Errors
///
/// All problems of the text, in the order of their places.
pub fn parse(name: &str, text: &str, environment: Environment) -> Result<Loaded, Diagnostics> {
    let report = Report::new(vec![name.to_owned()]);
    let source = Source::File(name.into());
    let context = Context { number: 0, destination: None, environment, report: &report };
    let settings = collector(&source, text, &context)
        .and_then(|document| read_document(document, environment, &report, read_root));
    finish(settings, report)
}

fn load_part<S>(
    request: &Request,
    environment: Environment,
    read: impl FnOnce(&View) -> Option<(S, Places)>,
) -> Result<Loaded<S>, Diagnostics> {
    let texts = read_texts(&request.sources, environment)?;
    let report = Report::new(request.sources.iter().map(Source::to_string).collect());
    let settings = merged(request, &texts, environment, &report)
        .and_then(|document| read_document(document, environment, &report, read));
    finish(settings, report)
}

/// The texts of all sources, or what is wrong with those that cannot be read.
fn read_texts(sources: &[Source], environment: Environment) -> Result<Vec<String>, Diagnostics> {
    let mut texts = Vec::new();
    let mut unreadable = Vec::new();
    for source in sources {
        match source.text(environment) {
            Ok(text) => texts.push(text),
            Err(message) => {
                unreadable.push(Diagnostic {
                    file: source.to_string(),
                    place: None,
                    path: String::new(),
                    message,
                });
            }
        }
    }
    if unreadable.is_empty() { Ok(texts) } else { Err(Diagnostics(unreadable)) }
}

/// The Collector file that all sources come to together.
fn merged(request: &Request, texts: &[String], environment: Environment, report: &Report) -> Option<Node> {
    let mut whole = None;
    let mut complete = true;
    for (number, (source, text)) in request.sources.iter().zip(texts).enumerate() {
        let destination = request.destination.as_deref();
        let context = Context { number, destination, environment, report };
        match (collector(source, text, &context), &mut whole) {
            (Some(Node { value: Value::Null, .. }), Some(_)) => {}
            (Some(later), Some(earlier)) => merge(earlier, later),
            (Some(first), whole) => *whole = Some(first),
            (None, _) => complete = false,
        }
    }
    whole.filter(|_| complete)
}

fn read_document<S>(
    mut document: Node,
    environment: Environment,
    report: &Report,
    read: impl FnOnce(&View) -> Option<(S, Places)>,
) -> Option<(S, Places)> {
    substitute(&mut document, "", environment, report);
    let root = View::root(&document, report);
    if root.is_null() {
        expect_sections(&root);
        return None;
    }
    read(&root)
}

fn finish<S>(settings: Option<(S, Places)>, report: Report) -> Result<Loaded<S>, Diagnostics> {
    let Findings { errors, warnings, missing, sources } = report.finish();
    match settings {
        Some((settings, places)) if errors.0.is_empty() => {
            Ok(Loaded { settings, warnings: warnings.0, missing, sources, places })
        }
        _ => Err(errors.0.into_iter().chain(missing.0).collect()),
    }
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
        connectors: components("connectors"),
    };
    for connector in &defined.connectors {
        connector.view.warn("connectors are not supported by this version of preamp yet; it does nothing");
    }
    let connected = connect(&service.pipelines, &defined);
    // What no pipeline uses is read too: its mistakes should show before somebody starts to use it.
    let receivers = of_kinds(&defined.receivers, &RECEIVERS, |c| read_otlp(c.id, &c.view));
    let exporters = of_kinds(&defined.exporters, &EXPORTERS, |c| read_remote_write(c, &extensions));
    extensions.warn_of_unused();
    let health = extensions.health();
    let Connected { receiver, processors, exporter: exporter_id } = connected?;
    let receiver = with_id(receivers, receiver)?;
    let (exporter, places) = settle(exporter_id, with_id(exporters, exporter_id)?, Some(&receiver));
    Some((Settings { receiver, processors, exporter, health, telemetry: service.telemetry }, places))
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
    let Exporter { mut component, endpoint, client, retry, queue, sigv4, state_file } = exporter;
    let listeners = receiver.into_iter().flat_map(|receiver| [&receiver.grpc, &receiver.http]).flatten();
    if let Some(largest) = listeners.map(|listener| listener.max_request_bytes).max() {
        component.set("max_payload_bytes", largest);
    }
    let (component_json, places) = component.finish();
    let id = id.to_owned();
    (ExporterSettings { id, endpoint, component_json, client, retry, queue, sigv4, state_file }, places)
}
