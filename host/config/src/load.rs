//! From the sources of a configuration to settings.

use super::component::{Places, nearest};
use super::diagnostic::{Diagnostic, Diagnostics, Findings, Report, name_of};
use super::effective::{fill_options, with_defaults};
use super::formats::{Context, collector, expect_sections};
use super::gates::FeatureGates;
use super::merge::merge;
use super::options::Options;
use super::print::{Style, print};
use super::root::{read_exporter, read_root};
use super::secrets;
use super::settings::{ExporterSettings, Settings};
use super::source::Source;
use super::substitution::{Environment, substitute};
use super::view::{HIDDEN, View};
use super::yaml::{Node, Value};
use std::fmt;

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

    /// The same with feature gates.
    fn with_gates(
        mut self,
        gates: &FeatureGates,
        exporter: impl Fn(&mut S) -> &mut ExporterSettings,
    ) -> Result<Self, Diagnostics> {
        let Loaded { settings, sources, places, .. } = &mut self;
        let find = |pointer: &str, message: &str| locate(sources, places, pointer, message);
        let applied = gates.apply(exporter(settings), &find);
        self.warnings.extend(applied.warnings);
        if applied.errors.is_empty() { Ok(self) } else { Err(Diagnostics(applied.errors)) }
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
        locate(&self.sources, &self.places, pointer, message)
    }
}

fn locate(sources: &[String], places: &Places, pointer: &str, message: &str) -> Diagnostic {
    let location = nearest(places, pointer);
    let message = match location {
        Some(location) if location.is_hidden => without_quotes(message),
        _ => message.to_owned(),
    };
    Diagnostic {
        file: location.map(|location| name_of(sources, location.place)).unwrap_or_default(),
        place: location.map(|location| location.place),
        path: location.map(|location| location.path.clone()).unwrap_or_default(),
        message,
        is_warning: false,
    }
}

/// A message of the component without what it quotes of a value.
fn without_quotes(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{HIDDEN}{}", &message[..begin], &message[end + 1..])
        }
        _ => message.to_owned(),
    }
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The sources, of which later ones count over earlier ones.
    pub sources: Vec<Source>,
    /// The destination of Bindplane to use, where a file has several.
    pub destination: Option<String>,
    /// Whether a Prometheus file is taken for its `remote_write` alone, though it has scrape jobs that nobody runs then.
    pub otlp_only: bool,
    /// The feature gates that were switched on or off.
    pub feature_gates: FeatureGates,
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
        Request { sources: vec![source], ..Request::default() }
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
    let loaded = load_part(request, environment, read_root)?;
    loaded.with_gates(&request.feature_gates, |settings| &mut settings.exporter)
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
    let loaded = load_part(request, environment, |root| read_exporter(root, id))?;
    loaded.with_gates(&request.feature_gates, |exporter| exporter)
}

/// A configuration as one Collector file.
#[derive(Debug)]
pub struct Converted {
    /// The file.
    pub text: String,
    /// The paths of secrets that stood in the sources themselves, and stand in the file unless it is redacted.
    pub secrets: Vec<String>,
}

/// Reads a configuration, and gives it as one Collector file, with the references that stand in it. A redacted one has
/// no secrets, and cannot be used before they are put back.
///
/// # Errors
///
/// All problems, in the order of their places.
pub fn convert(
    request: &Request,
    is_redacted: bool,
    environment: Environment,
) -> Result<Loaded<Converted>, Diagnostics> {
    load_part(request, environment, |root| {
        let (_, places) = read_root(root)?;
        let document = root.carried();
        let secrets = secrets::find(&document).into_iter().map(|(_, path)| path).collect();
        let style = if is_redacted { Style::Redacted } else { Style::AsWritten };
        Some((Converted { text: print(&document, style), secrets }, places))
    })
}

/// Reads a configuration, and gives what it comes to, all defaults included, without secrets: one Collector file, each
/// value with the place it comes from. `options` are those of the component, and `profile` says what it takes the receiver
/// for, given an exporter's configuration of it.
///
/// # Errors
///
/// All problems, in the order of their places.
pub fn explain(
    request: &Request,
    options: &Options,
    profile: &dyn Fn(&str) -> String,
    environment: Environment,
) -> Result<Loaded<String>, Diagnostics> {
    let sources: Vec<_> = request.sources.iter().map(Source::to_string).collect();
    let report = Report::new(sources.clone()).with_defaults();
    load_reported(request, environment, report, |root| {
        let (settings, places) = read_root(root)?;
        let mut document = with_defaults(root);
        let ExporterSettings { id, component_json, .. } = &settings.exporter;
        fill_options(&mut document, id, options, &profile(component_json));
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
    let context = Context { number: 0, destination: None, otlp_only: false, environment, report: &report };
    let settings = collector(&source, text, &context)
        .and_then(|document| read_document(document, environment, &report, read_root));
    finish(settings, report)
}

fn load_part<S>(
    request: &Request,
    environment: Environment,
    read: impl FnOnce(&View) -> Option<(S, Places)>,
) -> Result<Loaded<S>, Diagnostics> {
    let report = Report::new(request.sources.iter().map(Source::to_string).collect());
    load_reported(request, environment, report, read)
}

fn load_reported<S>(
    request: &Request,
    environment: Environment,
    report: Report,
    read: impl FnOnce(&View) -> Option<(S, Places)>,
) -> Result<Loaded<S>, Diagnostics> {
    let texts = read_texts(&request.sources, environment)?;
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
                    is_warning: false,
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
        let context = Context { number, destination, otlp_only: request.otlp_only, environment, report };
        let read = collector(source, text, &context);
        if let Some(document) = read.as_ref().filter(|_| source.is_on_command_line()) {
            warn_of_secrets(document, report);
        }
        match (read, &mut whole) {
            (Some(Node { value: Value::Null, .. }), Some(_)) => {}
            (Some(later), Some(earlier)) => merge(earlier, later),
            (Some(first), whole) => *whole = Some(first),
            (None, _) => complete = false,
        }
    }
    whole.filter(|_| complete)
}

/// Warns of secrets in what others on the machine can read.
fn warn_of_secrets(document: &Node, report: &Report) {
    for (place, path) in secrets::find(document) {
        report.warn(
            place,
            &path,
            "stands on the command line, which every user of this machine can read (ps): write '${env:NAME}'",
        );
    }
}

fn read_document<S>(
    mut document: Node,
    environment: Environment,
    report: &Report,
    read: impl FnOnce(&View) -> Option<(S, Places)>,
) -> Option<(S, Places)> {
    substitute([&mut document], environment, report);
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
        _ => Err(errors.0.into_iter().chain(missing.0).chain(warnings.0).collect()),
    }
}
