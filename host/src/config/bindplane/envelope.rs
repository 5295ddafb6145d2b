//! What is around the parameters of a destination: Bindplane's own form, what its API and Terraform
//! provider use, and what people make of it.

use super::TYPE;
use crate::config::diagnostic::suggest;
use crate::config::view::View;
use crate::config::yaml::Value;

/// A destination of the right type.
pub(super) struct Destination<'d> {
    /// Its name, if it has one.
    pub name: Option<&'d str>,
    /// Its parameters: a list of names and values, or a map.
    pub parameters: View<'d>,
}

/// Finds the destination in a document; `None` after it was reported that there is none to be used.
pub(super) fn open(root: View<'_>) -> Option<Destination<'_>> {
    if matches!(root.value(), Value::List(_)) {
        return Some(Destination { name: None, parameters: root });
    }
    if let Some(wrapped) = root.entry("destination") {
        return open(wrapped);
    }
    check_kind(&root)?;
    let body = root.entry("spec").unwrap_or_else(|| root.clone());
    let metadata = root.entry("metadata").unwrap_or_else(|| root.clone());
    // Where the page's example lost its headings, parts of the one stand beside those of the other.
    let part = |key: &str| body.entry(key).or_else(|| metadata.entry(key)).or_else(|| root.entry(key));
    check_type(&root, part("type"))?;
    if let Some(disabled) = part("disabled").filter(|view| view.boolean() == Some(true)) {
        disabled.key_error("switches the destination off: take this out to use it");
    }
    if let Some(processors) = part("processors").filter(|view| !view.list().is_empty()) {
        processors.key_error("are not supported by this version of preamp: take them out of the destination");
    }
    let Some(parameters) = part("parameters") else {
        root.error("lacks `parameters`, a list of entries with `name` and `value`");
        return None;
    };
    let name = metadata.entry("name").and_then(|name| name.text());
    Some(Destination { name, parameters })
}

fn check_kind(root: &View) -> Option<()> {
    match root.entry("kind") {
        None => Some(()),
        Some(kind) if kind.text()? == "Destination" => Some(()),
        Some(kind) => {
            kind.error(format!("{} is not supported: expected the kind Destination", kind.shown()));
            None
        }
    }
}

/// The type may carry the version of Bindplane's own definition behind a colon, which says nothing here.
fn check_type(root: &View, view: Option<View>) -> Option<()> {
    let Some(view) = view else {
        root.error(format!("lacks `type`: expected {TYPE}"));
        return None;
    };
    let text = view.text()?;
    let (kind, _version) = text.split_once(':').unwrap_or((text, ""));
    if kind == TYPE {
        return Some(());
    }
    view.error(format!(
        "{} is no destination that preamp stands for; {}",
        view.shown(),
        suggest(kind, [TYPE])
    ));
    None
}
