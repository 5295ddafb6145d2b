//! The parameters of a resource, by Bindplane's rules: kinder to types than a Collector file, and
//! what is unknown is ignored.

use crate::path::join;
use crate::view::View;
use crate::yaml::{Node, Value};

/// What Bindplane writes in place of a value that is marked as sensitive.
const MASK: &str = "(sensitive)";

/// The parameters that have a value.
pub(super) struct Parameters<'d> {
    values: Vec<(&'d str, View<'d>)>,
}

impl<'d> Parameters<'d> {
    /// Reads a list of names and values, or a map. What is wrong is reported.
    pub fn read(view: &View<'d>, names: &[&str]) -> Parameters<'d> {
        let entries = match view.value() {
            Value::List(_) => view.list().into_iter().filter_map(named_value).collect(),
            _ => {
                let named = |(name, value)| Named { name, is_hidden: view.is_hidden(), value };
                view.entries().into_iter().map(named).collect::<Vec<_>>()
            }
        };
        let mut values: Vec<(&'d str, View<'d>)> = Vec::new();
        for Named { name, is_hidden, value } in entries {
            if !names.contains(&name) {
                let word = if is_hidden { "" } else { name };
                let value = if is_hidden { value } else { value.called(parameter(name)) };
                let hint = value.suggest(word, names.iter().copied());
                value.warn(format!("is no parameter of this type, and ignored; {hint}"));
                continue;
            }
            let value = value.called(parameter(name));
            if value.scalar_text() == Some(MASK) {
                value.error(
                    "is masked: Bindplane shows (sensitive) in place of the value; write the value itself, or \
                     ${env:NAME}",
                );
                continue;
            }
            if values.iter().any(|(other, _)| *other == name) {
                value.warn("stands here again: the last one counts");
                values.retain(|(other, _)| *other != name);
            }
            values.push((name, value));
        }
        Parameters { values }
    }

    /// A parameter that is neither null nor an empty text, which both mean that it is not set.
    pub fn get(&self, name: &str) -> Option<&View<'d>> {
        let (_, view) = self.values.iter().find(|(other, _)| *other == name)?;
        (!view.is_null() && view.scalar_text() != Some("")).then_some(view)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<Node> {
        let view = self.get(name)?;
        view.text().map(|_| view.carried())
    }

    /// A boolean, which may be written as one or as a text.
    pub fn boolean(&self, name: &str) -> Option<Node> {
        let view = self.get(name)?;
        let flag = match view.value() {
            Value::Boolean(flag) => Some(*flag),
            Value::Integer(_) | Value::Text => boolean_of(view.scalar_text()?),
            _ => None,
        };
        if flag.is_none() {
            view.error("expected true or false");
        }
        flag.map(|flag| view.carried_as(Value::Boolean(flag), flag.to_string()))
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.boolean(name).is_some_and(|node| matches!(node.value, Value::Boolean(true)))
    }

    /// A whole number, which may be written as one, as a decimal without a fraction, or as a text.
    pub fn integer(&self, name: &str) -> Option<Node> {
        let view = self.get(name)?;
        let number = match view.value() {
            Value::Integer(number) => Some(*number),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
            Value::Text => view.scalar_text()?.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            view.error("expected a whole number");
        }
        number.map(|number| view.carried_as(Value::Integer(number), number.to_string()))
    }

    /// A map whose values become texts.
    pub fn map(&self, name: &str) -> Option<Node> {
        let view = self.get(name)?;
        let mut map = view.carried();
        match &mut map.value {
            Value::Map(entries) => {
                for entry in entries {
                    if matches!(entry.value.value, Value::Boolean(_) | Value::Integer(_) | Value::Float(_)) {
                        entry.value.value = Value::Text;
                    }
                }
                Some(map)
            }
            _ => {
                view.error("expected a section of names and values");
                None
            }
        }
    }
}

/// The path of a parameter.
fn parameter(name: &str) -> String {
    join("parameters", name)
}

/// A parameter as it stands in the file.
struct Named<'d> {
    name: &'d str,
    /// Whether the name comes from a reference, so that no message may show it.
    is_hidden: bool,
    value: View<'d>,
}

fn named_value(item: View<'_>) -> Option<Named<'_>> {
    let Some((name, view)) = item.entry("name").and_then(|view| Some((view.text()?, view))) else {
        item.error("expected an entry with `name` and `value`");
        return None;
    };
    Some(Named { name, is_hidden: view.is_hidden(), value: item.entry("value")? })
}

/// The words that Go's `strconv.ParseBool` takes.
fn boolean_of(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
