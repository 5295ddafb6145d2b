//! Bindplane's destination `aws_managed_prometheus`, in the forms it comes in. It becomes the Collector
//! file that Bindplane would make of it, and is read as that; each part keeps the place where it stands
//! in the operator's file, and the name it has there.

mod collector;
mod envelope;
mod parameters;
mod paste;

use super::view::View;
use super::yaml::{Node, Value};

pub(super) use paste::repaired;

/// The type of destination that Preamp takes the place of.
const TYPE: &str = "aws_managed_prometheus";

/// Whether a document is a resource of Bindplane, which no Collector file looks like.
pub(super) fn is_resource(document: &Node) -> bool {
    let has = |key: &str| match &document.value {
        Value::Map(entries) => entries.iter().any(|entry| entry.key == key),
        _ => false,
    };
    match &document.value {
        Value::List(items) => items.iter().any(|item| matches!(item.value, Value::Map(_))),
        _ => has("kind") || has("destination") || has("parameters"),
    }
}

/// The Collector file that a destination stands for; `None` after it was reported that there is none.
pub(super) fn rendered(root: &View) -> Option<Node> {
    let destination = envelope::open(root.clone())?;
    let parameters = parameters::Parameters::read(&destination.parameters);
    Some(collector::render(&destination, &parameters))
}
