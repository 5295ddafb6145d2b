//! Component ids, `type` or `type/name`, and what they refer to.

use super::view::View;
use super::yaml::Value;

/// The longest type the Collector takes, in characters.
const TYPE_MAX: usize = 63;

/// A component as it stands in the file.
pub(super) struct Component<'d> {
    /// Its id.
    pub id: &'d str,
    /// The part of the id that says what it is.
    pub kind: &'d str,
    /// Whether the id comes from a reference, so that no message may show it.
    pub is_hidden: bool,
    /// Its configuration.
    pub view: View<'d>,
}

impl Component<'_> {
    /// What is said of a component that something relies on and that this version does not have.
    pub fn unsupported(&self, role: &str, supported: &[&'static str]) -> String {
        let hint = self.view.suggest(if self.is_hidden { "" } else { self.kind }, supported.iter().copied());
        let kind = if self.is_hidden { "that is referred to".to_owned() } else { format!("`{}`", self.kind) };
        format!("the {role} type {kind} is not supported by this version of preamp yet; {hint}")
    }
}

/// Reads a section of components; what has no proper id is reported and left out.
pub(super) fn read_components<'d>(section: Option<View<'d>>) -> Vec<Component<'d>> {
    let is_hidden = section.as_ref().is_some_and(View::is_hidden);
    let entries = section.map(|view| view.few_entries("components")).unwrap_or_default();
    let component = |(id, view): (&'d str, View<'d>)| {
        let kind = read_kind(id, &view)?;
        Some(Component { id, kind, is_hidden, view })
    };
    entries.into_iter().filter_map(component).collect()
}

/// The type in an id; `None` after an error about it was reported at the key.
pub(super) fn read_kind<'d>(id: &'d str, view: &View) -> Option<&'d str> {
    let (kind, name) = id.split_once('/').map_or((id, None), |(kind, name)| (kind, Some(name)));
    let is_kind = kind.len() <= TYPE_MAX
        && kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_kind && name != Some("") {
        return Some(kind);
    }
    view.key_error("is no component id: expected `type` or `type/name`, the type of letters, digits and `_`");
    None
}

/// The component that a reference names; `None` after it was reported that there is none.
pub(super) fn find<'c, 'd>(
    components: &'c [Component<'d>],
    id: &str,
    role: &str,
    reference: &View,
) -> Option<&'c Component<'d>> {
    let found = components.iter().find(|component| component.id == id);
    if found.is_none() {
        let known = components.iter().filter(|component| !component.is_hidden);
        let known = known.map(|component| component.id);
        let word = if reference.is_hidden() { "" } else { id };
        let hint = reference.suggest(word, known);
        reference.error(format!("no {role} {} is defined; {hint}", reference.quoted(id)));
    }
    found
}

/// References to components, each with the place it stands at.
pub(super) type References<'d> = Vec<(&'d str, View<'d>)>;

/// Ids of components.
pub(super) fn read_references<'d>(view: &View<'d>) -> References<'d> {
    if matches!(view.value(), Value::List(_)) && view.short_list("references").is_empty() {
        return Vec::new();
    }
    view.texts()
}
