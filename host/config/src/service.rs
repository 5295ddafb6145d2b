//! `service`: what of the file runs, and how it is connected.

use super::exporter::EXPORTERS;
use super::ids::{Component, find, read_kind};
use super::keys::{Key, NOT_YET, read};
use super::processors::read_processor;
use super::settings::{Processors, Telemetry};
use super::telemetry::read_telemetry;
use super::view::{HIDDEN, View};
use super::yaml::Value;
use std::collections::BTreeSet;

const SERVICE: &[Key] = &[read("extensions"), read("pipelines"), read("telemetry")];

const PIPELINE: &[Key] = &[read("receivers"), read("processors"), read("exporters")];

/// The types that this version serves, under all their names.
pub(super) const RECEIVERS: [&str; 1] = ["otlp"];

/// References to components, each with the place it stands at.
pub(super) type References<'d> = Vec<(&'d str, View<'d>)>;

/// The section `service`.
pub(super) struct Service<'d> {
    /// `service.extensions`.
    pub extensions: References<'d>,
    /// The pipelines of metrics.
    pub pipelines: Vec<Pipeline<'d>>,
    /// `service.telemetry`.
    pub telemetry: Telemetry,
}

/// One of `service.pipelines`.
pub(super) struct Pipeline<'d> {
    view: View<'d>,
    receivers: References<'d>,
    processors: References<'d>,
    exporters: References<'d>,
}

/// Reads the section, which must be there.
pub(super) fn read_service<'d>(view: Option<View<'d>>, root: &View<'d>) -> Service<'d> {
    let Some(view) = view else {
        root.error("lacks `service`, which says what is to run");
        return Service { extensions: Vec::new(), pipelines: Vec::new(), telemetry: read_telemetry(None) };
    };
    let section = view.section(&[SERVICE]);
    let pipelines = section.get("pipelines").map(|view| {
        let pipelines = view.few_entries("pipelines").into_iter();
        pipelines.filter_map(|pipeline| read_pipeline(pipeline, view.is_hidden())).collect()
    });
    let pipelines: Vec<_> = pipelines.unwrap_or_default();
    if pipelines.is_empty() {
        section.get("pipelines").unwrap_or(view).error("names no pipeline of type `metrics`");
    }
    Service {
        extensions: section.get("extensions").map(|view| read_references(&view)).unwrap_or_default(),
        pipelines,
        telemetry: read_telemetry(section.get("telemetry")),
    }
}

/// Ids of components.
pub(super) fn read_references<'d>(view: &View<'d>) -> References<'d> {
    if matches!(view.value(), Value::List(_)) && view.short_list("references").is_empty() {
        return Vec::new();
    }
    view.texts()
}

fn read_pipeline<'d>((id, view): (&'d str, View<'d>), is_hidden: bool) -> Option<Pipeline<'d>> {
    const SIGNALS: [&str; 4] = ["metrics", "traces", "logs", "profiles"];
    match read_kind(id, &view)? {
        "metrics" => {}
        "traces" | "logs" | "profiles" => {
            view.warn("is ignored: preamp takes metrics only");
            return None;
        }
        kind => {
            let (kind, word) = if is_hidden { (HIDDEN.to_owned(), "") } else { (format!("`{kind}`"), kind) };
            view.key_error(format!("{kind} is no signal; {}", view.suggest(word, SIGNALS)));
            return None;
        }
    }
    let section = view.section(&[PIPELINE]);
    let references = |key| section.get(key).map(|view| read_references(&view)).unwrap_or_default();
    let needed = |key| {
        let references = references(key);
        if references.is_empty() {
            view.error(format!("lacks `{key}`: a pipeline needs at least one"));
        }
        references
    };
    Some(Pipeline {
        receivers: needed("receivers"),
        processors: references("processors"),
        exporters: needed("exporters"),
        view: view.clone(),
    })
}

/// The components that a file defines.
pub(super) struct Defined<'d> {
    pub receivers: Vec<Component<'d>>,
    pub processors: Vec<Component<'d>>,
    pub exporters: Vec<Component<'d>>,
    pub connectors: Vec<Component<'d>>,
}

/// What the metrics pipelines connect.
pub(super) struct Connected<'d> {
    /// The id of the receiver.
    pub receiver: &'d str,
    pub processors: Processors,
    /// The id of the exporter.
    pub exporter: &'d str,
}

/// What the metrics pipelines connect; `None` after something was reported.
pub(super) fn connect<'d>(pipelines: &[Pipeline<'d>], defined: &Defined<'d>) -> Option<Connected<'d>> {
    let receivers = pipelines.iter().flat_map(|pipeline| &pipeline.receivers);
    let exporters = pipelines.iter().flat_map(|pipeline| &pipeline.exporters);
    // A connector is an exporter of one pipeline and a receiver of another.
    let is_connector = |(id, reference): &&(&str, View)| {
        let is_one = defined.connectors.iter().any(|connector| connector.id == *id);
        if is_one {
            reference.error(format!("{} is a connector, and those are {NOT_YET}", reference.quoted(id)));
        }
        is_one
    };
    let receivers = receivers.filter(|reference| !is_connector(reference));
    let exporters = exporters.filter(|reference| !is_connector(reference));
    let receiver = the_only("receiver", &RECEIVERS, receivers, &defined.receivers);
    let exporter = the_only("exporter", &EXPORTERS, exporters, &defined.exporters);
    let mut processors = Processors::default();
    for (number, pipeline) in pipelines.iter().enumerate() {
        let own = pipeline.read_processors(&defined.processors);
        if number == 0 {
            processors = own;
        } else if own == processors {
            pipeline.view.warn("repeats the pipeline above: metrics are delivered once");
        } else {
            pipeline.view.error(
                "a second pipeline with other processors is not supported by this version of preamp yet",
            );
        }
    }
    let in_pipelines = pipelines.iter().flat_map(|pipeline| &pipeline.processors);
    let used: BTreeSet<_> = in_pipelines.map(|(id, _)| *id).chain(receiver).chain(exporter).collect();
    let all = defined.receivers.iter().chain(&defined.processors).chain(&defined.exporters);
    for idle in all.filter(|component| !used.contains(component.id)) {
        idle.view.warn("is in no pipeline of metrics and does nothing");
    }
    let (receiver, exporter) = receiver.zip(exporter)?;
    Some(Connected { receiver, processors, exporter })
}

impl Pipeline<'_> {
    fn read_processors(&self, defined: &[Component]) -> Processors {
        let mut processors = Processors::default();
        let mut seen = BTreeSet::new();
        for (id, reference) in &self.processors {
            if !seen.insert(id) {
                reference.error(format!("{} stands in the pipeline twice", reference.quoted(id)));
            } else if let Some(processor) = find(defined, id, "processor", reference) {
                read_processor(processor, reference, &mut processors);
            }
        }
        processors
    }
}

/// The one component of a role that all references name; others are reported.
fn the_only<'p, 'd: 'p>(
    role: &str,
    supported: &[&'static str],
    references: impl Iterator<Item = &'p (&'d str, View<'d>)>,
    defined: &[Component<'d>],
) -> Option<&'d str> {
    let mut only = None;
    for (id, reference) in references {
        let Some(component) = find(defined, id, role, reference) else { continue };
        if !supported.contains(&component.kind) {
            reference.error(component.unsupported(role, supported));
        } else if *only.get_or_insert(component.id) != component.id {
            reference.error(format!(
                "a second {role} is not supported by this version of preamp yet; {} is the first",
                reference.quoted(only.unwrap_or_default())
            ));
        }
    }
    only
}
