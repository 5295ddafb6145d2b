//! `service`: what of the file runs, and how it is connected.

use super::definition::{Form, Sort};
use super::exporter::EXPORTERS;
use super::exporter::debug::{DEBUG, read_debug};
use super::ids::{Component, References, find, read_kind, read_references};
use super::processors::read_processor;
use super::settings::{DebugExporter, Processors, Telemetry};
use super::telemetry::{read_telemetry, telemetry};
use super::view::keys::{Key, NOT_YET, Texts, keys};
use super::view::{HIDDEN, View, of_nothing};
use std::collections::BTreeSet;

/// What pipelines may be for. Preamp takes the first.
pub(super) const SIGNALS: [&str; 4] = ["metrics", "traces", "logs", "profiles"];

keys! {
    /// The keys of the section.
    pub(super) mod service {
        /// The ids of the extensions that are switched on.
        extensions: Texts.sort(Sort::Id),
        /// The pipelines, `metrics` or `metrics/NAME`. Those of other signals are ignored with a warning.
        pipelines: Other.form(Form::Pipelines(&[pipeline::TABLE])).required(),
        /// How the process reports on itself.
        telemetry: Sub.of(&[telemetry::TABLE]),
    }
}

keys! {
    /// The keys of a pipeline.
    mod pipeline {
        /// The ids of the receivers. This version has one.
        receivers: Texts.sort(Sort::Id).required(),
        /// The ids of the processors, in their order.
        processors: Texts.sort(Sort::Id),
        /// The ids of the exporters. This version has one that sends, and any number of `debug`.
        exporters: Texts.sort(Sort::Id).required(),
    }
}

/// The types that this version serves, under all their names.
pub(super) const RECEIVERS: [&str; 1] = ["otlp"];

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
        return Service {
            extensions: Vec::new(),
            pipelines: Vec::new(),
            telemetry: of_nothing(read_telemetry),
        };
    };
    let section = view.section(&[service::TABLE]);
    let pipelines = section.get(&service::pipelines).map(|view| {
        let pipelines = view.few_entries("pipelines").into_iter();
        pipelines.filter_map(|pipeline| read_pipeline(pipeline, view.is_hidden())).collect()
    });
    let pipelines: Vec<_> = pipelines.unwrap_or_default();
    if pipelines.is_empty() {
        section.get(&service::pipelines).unwrap_or(view).error("names no pipeline of type `metrics`");
    }
    Service {
        extensions: section.get(&service::extensions).map(|view| read_references(&view)).unwrap_or_default(),
        pipelines,
        telemetry: read_telemetry(&section.below(&service::telemetry)),
    }
}

fn read_pipeline<'d>((id, view): (&'d str, View<'d>), is_hidden: bool) -> Option<Pipeline<'d>> {
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
    let section = view.section(&[pipeline::TABLE]);
    let references =
        |key: &Key<Texts>| section.get(key).map(|view| read_references(&view)).unwrap_or_default();
    let needed = |key: &Key<Texts>| {
        let references = references(key);
        if references.is_empty() {
            view.error(format!("lacks `{}`: a pipeline needs at least one", key.definition.name));
        }
        references
    };
    Some(Pipeline {
        receivers: needed(&pipeline::receivers),
        processors: references(&pipeline::processors),
        exporters: needed(&pipeline::exporters),
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
    /// The id of the exporter that sends.
    pub exporter: &'d str,
    /// Those that show what comes in.
    pub debug: Vec<DebugExporter>,
}

/// What the metrics pipelines connect; `None` after something was reported.
pub(super) fn connect<'d>(service: &Service<'d>, defined: &Defined<'d>) -> Option<Connected<'d>> {
    let pipelines = &service.pipelines;
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
    let exporters: Vec<_> = exporters.collect();
    let sending = || exporters.iter().copied().filter(|(id, _)| !is_debug(id));
    let receiver = the_only("receiver", &RECEIVERS, receivers, &defined.receivers);
    let exporter = the_only("exporter", &EXPORTERS, sending(), &defined.exporters);
    if let (None, Some((_, first))) = (sending().next(), exporters.first()) {
        first.error(format!(
            "nothing is sent: no pipeline of metrics has an exporter that sends, and {} only shows what comes in; add \
             `{}` with its `endpoint`",
            first.quoted(exporters.first().map_or("", |(id, _)| id)),
            EXPORTERS[0]
        ));
    }
    let mut processors = Processors::default();
    let mut debug = Vec::new();
    let mut is_first = true;
    for pipeline in pipelines {
        let own = pipeline.read_processors(&defined.processors);
        debug.extend(pipeline.read_debug(&defined.exporters, &own, service.logs_info()));
        if pipeline.exporters.iter().all(|(id, _)| is_debug(id)) {
            continue;
        }
        if std::mem::take(&mut is_first) {
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
    let shown = exporters.iter().map(|(id, _)| *id).filter(|id| is_debug(id));
    let used: BTreeSet<_> =
        in_pipelines.map(|(id, _)| *id).chain(receiver).chain(exporter).chain(shown).collect();
    let all = defined.receivers.iter().chain(&defined.processors).chain(&defined.exporters);
    for idle in all.filter(|component| !used.contains(component.id)) {
        idle.view.warn("is in no pipeline of metrics and does nothing");
        if is_debug(idle.id) {
            // Its mistakes should show before somebody starts to use it.
            read_debug(idle, true);
        }
    }
    let (receiver, exporter) = receiver.zip(exporter)?;
    Some(Connected { receiver, processors, exporter, debug })
}

/// Whether an id is that of an exporter that shows what comes in.
fn is_debug(id: &str) -> bool {
    id.split('/').next().is_some_and(|kind| DEBUG.contains(&kind))
}

impl Service<'_> {
    /// Whether the log of the process tells what is of level `info`.
    fn logs_info(&self) -> bool {
        self.telemetry.log_level >= tracing::Level::INFO
    }
}

impl Pipeline<'_> {
    /// Reads the exporters that show what comes out of these processors.
    fn read_debug(
        &self,
        defined: &[Component],
        processors: &Processors,
        logs_info: bool,
    ) -> Vec<DebugExporter> {
        let references = self.exporters.iter().filter(|(id, _)| is_debug(id));
        let exporters = references.filter_map(|(id, reference)| find(defined, id, "exporter", reference));
        let exporters = exporters.map(|exporter| read_debug(exporter, logs_info));
        exporters.map(|debug| DebugExporter { processors: processors.clone(), ..debug }).collect()
    }

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
