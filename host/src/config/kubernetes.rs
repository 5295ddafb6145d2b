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

/// The Collector file in the resource; `None` after it was reported that there is none.
pub(super) fn collector(root: &View, source: &str, report: &Report) -> Option<Node> {
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
