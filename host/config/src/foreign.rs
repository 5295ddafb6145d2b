//! Files that lead to a Prometheus file and are none themselves: resources of the Prometheus operator and values of Helm
//! charts. What they render differs from chart to chart, so they are only told from others.

use super::diagnostic::Report;
use super::view::View;
use super::yaml::{Node, Value};

/// The API of the Prometheus operator.
const OPERATOR_API: &str = "monitoring.coreos.com/";

/// How deep charts put the section `remoteWrite`.
const DEPTH_MAX: usize = 4;

/// What is said of values of a chart.
pub(super) const VALUES: &str = "holds values of a Helm chart that installs Prometheus: take the `remote_write` of the \
    rendered prometheus.yml, which `helm template` shows (in the ConfigMap of the server, or from the operator in the \
    Secret prometheus-NAME)";

/// Whether a document is a resource of the Prometheus operator.
pub(super) fn is_resource_of_operator(document: &Node) -> bool {
    document.entry("apiVersion").is_some_and(|version| version.text.starts_with(OPERATOR_API))
}

/// Reports such resources.
pub(super) fn refuse_resource(documents: &[Node], report: &Report) {
    for document in documents.iter().filter(|document| is_resource_of_operator(document)) {
        View::root(document, report).error(
            "is a resource of the Prometheus operator: take the `remote_write` of the rendered prometheus.yml, which the \
             operator keeps in the Secret prometheus-NAME (key prometheus.yaml.gz)",
        );
    }
}

/// Whether a document is one of values for a chart of Prometheus: it has what becomes `remote_write` somewhere below.
pub(super) fn holds_prometheus_values(document: &Node) -> bool {
    const COLLECTOR: [&str; 3] = ["receivers", "exporters", "service"];
    !COLLECTOR.iter().any(|key| document.entry(key).is_some()) && holds_remote_write(document, DEPTH_MAX)
}

fn holds_remote_write(node: &Node, depth: usize) -> bool {
    let Value::Map(entries) = &node.value else { return false };
    entries.iter().any(|entry| {
        ["remoteWrite", "remote_write"].contains(&entry.key.as_str())
            || (depth > 0 && holds_remote_write(&entry.value, depth - 1))
    })
}
