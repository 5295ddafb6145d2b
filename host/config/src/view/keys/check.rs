//! What is said of keys that this version does not serve.

use crate::definition::{Class, Definition, Harmless};
use crate::view::View;
use crate::yaml::Value;

/// What is said of things that are right, but not there yet.
pub(crate) const NOT_YET: &str = "known to the Collector, but not supported by this version of preamp yet";
const NOT_SUPPORTED: &str = "not supported by this version of preamp yet";

impl Definition {
    /// Reports what this version cannot do with the key's value.
    pub fn check(&self, view: &View) {
        if view.is_null() {
            return;
        }
        match &self.class {
            Class::Read | Class::Option(_) => {}
            Class::Ignored(why) => view.warn(format!("is ignored: {why}")),
            Class::NotYet(harmless) | Class::NotYetOfPrometheus(harmless) if harmless.takes(view) => {}
            Class::NotYet(harmless) => view.key_error(format!("{NOT_YET}{}", harmless.hint())),
            Class::NotYetOfPrometheus(harmless) => {
                view.key_error(format!("known to Prometheus, but {NOT_SUPPORTED}{}", harmless.hint()));
            }
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
    fn takes(self, view: &View) -> bool {
        match (self, view.value()) {
            (Harmless::Flag(harmless), Value::Boolean(flag)) => *flag == harmless,
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

    fn hint(self) -> String {
        match self {
            Harmless::Off | Harmless::Empty => "; leave it out".to_owned(),
            Harmless::Flag(flag) => format!("; it takes {flag}"),
        }
    }
}
