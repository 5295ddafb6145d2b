//! The forms that a configuration may have. All of them become a Collector file.

use super::bindplane;
use super::diagnostic::Report;
use super::foreign;
use super::form::FileForm;
use super::kubernetes;
use super::merge::{below, unfolded};
use super::place::Place;
use super::prometheus;
use super::source::Source;
use super::substitution::Environment;
use super::view::View;
use super::yaml::{self, Node, Value};

/// Where a source stands among the others, and what it may refer to.
pub(super) struct Context<'c> {
    /// Its number, from 0.
    pub number: usize,
    /// The name of the destination, where a file has several.
    pub destination: Option<&'c str>,
    /// Whether the scrape jobs of a Prometheus file are left out on purpose.
    pub otlp_only: bool,
    pub environment: Environment<'c>,
    pub report: &'c Report,
}

/// The Collector file that a source comes to; `None` after it was reported that there is none.
pub(super) fn collector(source: &Source, text: &str, context: &Context) -> Option<Node> {
    let mut documents = read_documents(text, context)?;
    if documents.len() > 1 {
        // What separates documents may also stand before the first and after the last.
        documents.retain(|document| !matches!(document.value, Value::Null));
    }
    if source.is_setting() {
        return only(documents, context).map(|value| below(&source.keys(), value));
    }
    if documents.iter().any(kubernetes::is_collector) {
        return kubernetes::collector(&documents, text, context.report);
    }
    if documents.iter().any(foreign::is_resource_of_operator) {
        foreign::refuse_resource(&documents, context.report);
        return None;
    }
    let is_of_chart = |document: &&Node| {
        !prometheus::is_configuration(document) && foreign::holds_prometheus_values(document)
    };
    if let Some(values) = documents.iter().find(is_of_chart) {
        View::root(values, context.report).error(foreign::VALUES);
        return None;
    }
    if documents.iter().any(bindplane::is_resource) {
        return bindplane::rendered(documents, text, context);
    }
    let document = only(documents, context)?;
    of_document(if source.has_paths() { unfolded(document) } else { document }, context)
}

/// The only document, which may be nothing; `None` after it was reported that there are more.
fn only(mut documents: Vec<Node>, context: &Context) -> Option<Node> {
    if let Some(second) = documents.get(1) {
        let fault = yaml::a_second(second.place);
        context.report.error(fault.place, &fault.path, fault.message);
        return None;
    }
    let nothing = || Node::new(Place::start_of(context.number), Value::Null, String::new());
    Some(documents.pop().unwrap_or_else(nothing))
}

fn of_document(document: Node, context: &Context) -> Option<Node> {
    let root = View::root(&document, context.report);
    match &document.value {
        Value::Map(_) if prometheus::is_configuration(&document) => {
            context.report.is_of(FileForm::Prometheus);
            prometheus::rendered(document, context)
        }
        Value::Map(_) if is_of_helm(&document) => {
            root.error(
                "holds values of a Helm chart, which puts more around them: take what stands below `config`, or what \
                 `helm template` makes of it",
            );
            None
        }
        Value::Null | Value::Map(_) => Some(document),
        _ => {
            expect_sections(&root);
            None
        }
    }
}

fn read_documents(text: &str, context: &Context) -> Option<Vec<Node>> {
    let (mut documents, mut faults) = yaml::parse_all(text, context.number);
    if !faults.is_empty()
        && let Some(repaired) = bindplane::repaired(text)
    {
        (documents, faults) = yaml::parse_all(&repaired.text, context.number);
        documents.iter_mut().for_each(|document| repaired.replace(document));
    }
    let is_readable = faults.is_empty() || !documents.is_empty();
    for fault in faults {
        context.report.error(fault.place, &fault.path, fault.message);
    }
    is_readable.then_some(documents)
}

/// Reports what is no configuration at all.
pub(super) fn expect_sections(root: &View) {
    root.error(format!("expected `receivers`, `exporters` and `service`, found {}", root.shown()));
}

/// Whether a document has a Collector file as the value of `config`, and nothing of one itself.
fn is_of_helm(document: &Node) -> bool {
    let is_collector =
        |node: &Node| ["receivers", "exporters", "service"].iter().any(|key| node.entry(key).is_some());
    !is_collector(document) && document.entry("config").is_some_and(is_collector)
}
