//! What is to be done with each key that the Collector knows.

use super::view::View;
use super::yaml::Value;

/// A key of a section.
pub(super) struct Key {
    pub name: &'static str,
    pub class: Class,
}

/// How this version treats a key.
pub(super) enum Class {
    /// Its reader asks for it.
    Read,
    /// Accepted with one warning, which says why it changes nothing.
    Ignored(&'static str),
    /// Known to the Collector, but only the values that change nothing are taken.
    NotYet(Harmless),
    /// Of the values that the Collector knows, only the first few are taken.
    Only { taken: &'static [&'static str], not_yet: &'static [&'static str] },
}

/// The values of a key that ask for what preamp does anyway.
pub(super) enum Harmless {
    /// Nothing, or a section that is switched off.
    Off,
    /// An empty text, list or section.
    Empty,
    /// This boolean.
    Flag(bool),
}

/// A key that its reader asks for.
pub(super) const fn read(name: &'static str) -> Key {
    Key { name, class: Class::Read }
}

/// A key that is accepted with a warning.
pub(super) const fn ignored(name: &'static str, why: &'static str) -> Key {
    Key { name, class: Class::Ignored(why) }
}

/// A key that is taken only where it changes nothing.
pub(super) const fn not_yet(name: &'static str, harmless: Harmless) -> Key {
    Key { name, class: Class::NotYet(harmless) }
}

/// A key of which only some values are taken.
pub(super) const fn only(
    name: &'static str,
    taken: &'static [&'static str],
    not_yet: &'static [&'static str],
) -> Key {
    Key { name, class: Class::Only { taken, not_yet } }
}

/// What is said of things that are right, but not there yet.
pub(super) const NOT_YET: &str = "known to the Collector, but not supported by this version of preamp yet";

impl Key {
    /// Reports what this version cannot do with the key's value.
    pub fn check(&self, view: &View) {
        if view.is_null() {
            return;
        }
        match &self.class {
            Class::Read => {}
            Class::Ignored(why) => view.warn(format!("is ignored: {why}")),
            Class::NotYet(harmless) if harmless.takes(view) => {}
            Class::NotYet(harmless) => view.key_error(format!("{NOT_YET}{}", harmless.hint())),
            Class::Only { taken, not_yet } => check_choice(view, taken, not_yet),
        }
    }
}

fn check_choice(view: &View, taken: &[&'static str], not_yet: &[&'static str]) {
    let Some(text) = view.text() else { return };
    if taken.contains(&text) {
        return;
    }
    let named = taken.iter().copied().filter(|name| !name.is_empty());
    if not_yet.contains(&text) {
        let named: Vec<_> = named.collect();
        view.error(format!("{} is {NOT_YET}; it takes {}", view.shown(), named.join(", ")));
    } else {
        let known = named.chain(not_yet.iter().copied());
        view.error(format!("{} is no value of this key; {}", view.shown(), view.suggest(text, known)));
    }
}

impl Harmless {
    fn takes(&self, view: &View) -> bool {
        match (self, view.value()) {
            (Harmless::Flag(harmless), Value::Boolean(flag)) => flag == harmless,
            (Harmless::Empty, Value::Text) => view.text() == Some(""),
            (Harmless::Empty, Value::List(items)) => items.is_empty(),
            (Harmless::Empty, Value::Map(entries)) if entries.is_empty() => true,
            (Harmless::Off | Harmless::Empty, Value::Map(entries)) => {
                let switch = entries.iter().find(|entry| entry.key == "enabled");
                matches!(switch.map(|entry| &entry.value.value), Some(Value::Boolean(false)))
            }
            _ => false,
        }
    }

    fn hint(&self) -> String {
        match self {
            Harmless::Off | Harmless::Empty => "; leave it out".to_owned(),
            Harmless::Flag(flag) => format!("; it takes {flag}"),
        }
    }
}
