//! `service`: what of the file runs, and how it is connected.

use super::diagnostic::suggest;
use super::ids::{Component, find, read_kind};
use super::keys::{Harmless, Key, moot, not_yet, read};
use super::settings::Telemetry;
use super::telemetry::read_telemetry;
use super::view::View;

const SERVICE: &[Key] = &[read("extensions"), read("pipelines"), read("telemetry")];

const PIPELINE: &[Key] = &[read("receivers"), read("processors"), read("exporters")];

/// The types that this version serves, under all their names.
pub(super) const RECEIVERS: [&str; 1] = ["otlp"];
pub(super) const EXPORTERS: [&str; 2] = ["prometheusremotewrite", "prometheus_remote_write"];
const PROCESSORS: [&str; 2] = ["batch", "memory_limiter"];

const BATCH: &[Key] = &[
    moot("timeout"),
    moot("send_batch_size"),
    moot("send_batch_max_size"),
    moot("metadata_cardinality_limit"),
    not_yet("metadata_keys", Harmless::Empty),
];

const MEMORY_LIMITER: &[Key] = &[
    moot("check_interval"),
    moot("limit_mib"),
    moot("limit_percentage"),
    moot("spike_limit_mib"),
    moot("spike_limit_percentage"),
    moot("min_gc_interval_when_soft_limited"),
    moot("min_gc_interval_when_hard_limited"),
    moot("max_gc_interval_when_soft_limited"),
    moot("max_gc_interval_when_hard_limited"),
];

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
    let pipelines = section.get("pipelines").map(|view| view.entries()).unwrap_or_default();
    let pipelines: Vec<_> = pipelines.into_iter().filter_map(read_pipeline).collect();
    if pipelines.is_empty() {
        section.get("pipelines").unwrap_or(view).error("names no pipeline of type `metrics`");
    }
    Service {
        extensions: section.get("extensions").map(|view| view.texts()).unwrap_or_default(),
        pipelines,
        telemetry: read_telemetry(section.get("telemetry")),
    }
}

fn read_pipeline<'d>((id, view): (&'d str, View<'d>)) -> Option<Pipeline<'d>> {
    const SIGNALS: [&str; 4] = ["metrics", "traces", "logs", "profiles"];
    match read_kind(id, &view)? {
        "metrics" => {}
        "traces" | "logs" | "profiles" => {
            view.warn("is ignored: preamp takes metrics only");
            return None;
        }
        kind => {
            view.key_error(format!("`{kind}` is no signal; {}", suggest(kind, SIGNALS)));
            return None;
        }
    }
    let section = view.section(&[PIPELINE]);
    let references = |key| section.get(key).map(|view| view.texts()).unwrap_or_default();
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
}

/// The ids of the receiver and the exporter that the metrics pipelines connect; `None` after something
/// was reported.
pub(super) fn connect<'d>(pipelines: &[Pipeline<'d>], defined: &Defined<'d>) -> Option<(&'d str, &'d str)> {
    let receivers = pipelines.iter().flat_map(|pipeline| &pipeline.receivers);
    let exporters = pipelines.iter().flat_map(|pipeline| &pipeline.exporters);
    let receiver = the_only("receiver", &RECEIVERS, receivers, &defined.receivers);
    let exporter = the_only("exporter", &EXPORTERS, exporters, &defined.exporters);
    let processors: Vec<_> = pipelines.iter().flat_map(|pipeline| &pipeline.processors).collect();
    for (id, reference) in &processors {
        if let Some(processor) = find(&defined.processors, id, "processor", reference) {
            check_processor(processor, reference);
        }
    }
    for pipeline in pipelines.iter().skip(1) {
        pipeline.view.warn("repeats the pipeline above: metrics are delivered once");
    }
    let is_idle = |component: &&Component, used: &[&str]| !used.contains(&component.id);
    let used: Vec<_> = processors.iter().map(|(id, _)| *id).chain(receiver).chain(exporter).collect();
    let all = defined.receivers.iter().chain(&defined.processors).chain(&defined.exporters);
    for idle in all.filter(|component| is_idle(component, &used)) {
        idle.view.warn("is in no pipeline of metrics and does nothing");
    }
    receiver.zip(exporter)
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
                "a second {role} is not supported by this version of preamp yet; `{}` is the first",
                only.unwrap_or_default()
            ));
        }
    }
    only
}

/// Batching and limits are the exporter's here; other processors would change the data.
fn check_processor(processor: &Component, reference: &View) {
    match processor.kind {
        "batch" => {
            processor.view.section(&[BATCH]);
            reference.warn("is ignored: preamp fills requests to the receiver's limit by itself");
        }
        "memory_limiter" => {
            processor.view.section(&[MEMORY_LIMITER]);
            reference.warn("is ignored: preamp bounds its queue in payloads and bytes by itself");
        }
        _ => reference.error(processor.unsupported("processor", &PROCESSORS)),
    }
}
