//! Bindplane's resources, in the forms they come in: the destination `aws_managed_prometheus` alone, or a
//! configuration that connects it with a source. They become the Collector file that Bindplane would make of
//! them, and are read as that; each part keeps the place where it stands in the operator's file, and the name it
//! has there.

mod collector;
mod configuration;
mod envelope;
mod parameters;
mod paste;
mod receiver;

use super::diagnostic::Report;
use super::embedded;
use super::form::FileForm;
use super::formats::Context;
use super::substitution::substitute;
use super::view::View;
use super::yaml::{Node, Value};
use configuration::CONFIGURATION;
use envelope::Kind;

pub(super) use paste::repaired;

/// The destination that Preamp takes the place of.
const DESTINATION: Kind =
    Kind { kind: "Destination", type_name: "aws_managed_prometheus", noun: "destination" };

/// The source that Preamp takes the place of.
const SOURCE: Kind = Kind { kind: "Source", type_name: "otlp", noun: "source" };

/// Whether a document is a resource of Bindplane, which no Collector file looks like.
pub(super) fn is_resource(document: &Node) -> bool {
    match &document.value {
        Value::List(items) => items.iter().any(|item| matches!(item.value, Value::Map(_))),
        _ => ["kind", "destination", "parameters"].iter().any(|key| document.entry(key).is_some()),
    }
}

/// The Collector file that the resources of a file come to; `None` after it was reported that there is none.
pub(super) fn rendered(mut documents: Vec<Node>, source: &str, context: &Context) -> Option<Node> {
    let Context { destination: wanted, environment, report, .. } = *context;
    for second in documents.iter().filter(|document| is_configuration(document)).skip(1) {
        View::root(second, report).error("is a second Configuration: keep one in this file");
    }
    if let Some(raw) = documents.iter().find_map(|document| raw_configuration(document, report)) {
        return embedded::read(&raw, source, report);
    }
    substitute(&mut documents, environment, report);
    let views = documents.iter().map(|document| View::root(document, report)).collect();
    let chosen = configuration::choose(views, wanted)?;
    report.is_of(FileForm::Bindplane);
    Some(collector::render(&chosen))
}

/// A Collector file that stands as a text in a configuration.
fn raw_configuration<'d>(document: &'d Node, report: &'d Report) -> Option<View<'d>> {
    let raw = View::root(document, report).entry("spec")?.entry("raw");
    raw.filter(|raw| is_configuration(document) && raw.scalar_text() != Some(""))
}

fn is_configuration(document: &Node) -> bool {
    document.entry("kind").is_some_and(|kind| kind.text == CONFIGURATION)
}
