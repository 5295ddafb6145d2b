//! The Kubernetes resource `OpenTelemetryCollector` of the OpenTelemetry operator, whose `spec.config` is a
//! Collector file: as a text in `v1alpha1`, as a section in `v1beta1`.

use super::diagnostic::Report;
use super::embedded;
use super::view::View;
use super::yaml::{Node, Value};

/// Whether a document is such a resource.
pub(super) fn is_collector(document: &Node) -> bool {
    document.entry("kind").is_some_and(|kind| kind.text == "OpenTelemetryCollector")
}

/// The Collector file in the only such resource of a file, which may hold others beside it; `None` after it was
/// reported that there is none.
pub(super) fn collector(documents: &[Node], source: &str, report: &Report) -> Option<Node> {
    let mut resources = documents.iter().filter(|document| is_collector(document));
    let root = View::root(resources.next()?, report);
    for second in resources {
        View::root(second, report).error("is a second OpenTelemetryCollector: keep one in this file");
    }
    let spec = root.entry("spec");
    let Some(config) = spec.as_ref().and_then(|spec| spec.entry("config")) else {
        root.error("lacks `spec.config`, the Collector's configuration");
        return None;
    };
    if !matches!(config.value(), Value::Map(_)) {
        return embedded::read(&config, source, report);
    }
    let mut document = config.carried();
    if let Value::Map(entries) = &mut document.value {
        for entry in entries {
            entry.value.known_as = Some(format!("spec.config.{}", entry.key));
        }
    }
    Some(document)
}
