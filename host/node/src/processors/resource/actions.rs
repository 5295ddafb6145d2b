//! The actions, as in the Collector's package `attraction`.

use preamp_config::{AttributeAction, AttributeKeys, AttributeType, AttributeValue, Change};
use regex_lite::Regex;
use sha2::{Digest as _, Sha256};

/// An attribute; `O` is how its encoding has values that are not changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attribute<O> {
    pub key: String,
    pub value: Value<O>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<O> {
    String(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// A list, a map, bytes or nothing.
    Other(O),
}

/// Actions, with their patterns ready for use.
pub(in crate::processors) struct Actions(Vec<Action>);

struct Action {
    keys: Keys,
    change: Change,
    /// What `Extract` looks for.
    pattern: Option<Regex>,
}

enum Keys {
    One(String),
    Matching(Regex),
}

impl Actions {
    /// Prepares actions. Patterns were checked when the configuration was read; one that is none does nothing.
    pub(in crate::processors) fn new(actions: &[AttributeAction]) -> Self {
        let prepare = |AttributeAction { keys, change }: &AttributeAction| {
            let keys = match keys {
                AttributeKeys::One(key) => Keys::One(key.clone()),
                AttributeKeys::Matching(pattern) => Keys::Matching(Regex::new(pattern).ok()?),
            };
            let pattern = match change {
                Change::Extract(pattern) => Some(Regex::new(pattern).ok()?),
                _ => None,
            };
            Some(Action { keys, change: change.clone(), pattern })
        };
        Actions(actions.iter().filter_map(prepare).collect())
    }

    /// Changes the attributes of a resource.
    pub(super) fn apply<O: Clone>(&self, attributes: &mut Vec<Attribute<O>>) {
        self.0.iter().for_each(|action| action.apply(attributes));
    }
}

impl Action {
    fn apply<O: Clone>(&self, attributes: &mut Vec<Attribute<O>>) {
        match (&self.change, &self.keys) {
            (Change::Delete, _) => attributes.retain(|attribute| !self.concerns(attribute)),
            (Change::Set { inserts, updates, value }, Keys::One(key)) => {
                if let Some(value) = resolve(value, attributes) {
                    set(attributes, key, value, *inserts, *updates);
                }
            }
            (Change::Set { .. }, Keys::Matching(_)) => {}
            (Change::Extract(_), _) => self.extract(attributes),
            (change, _) => {
                for attribute in attributes.iter_mut().filter(|attribute| self.concerns(attribute)) {
                    match change {
                        Change::Convert(to) => attribute.value = converted(&attribute.value, *to),
                        _ => attribute.value = Value::String(hashed(&attribute.value)),
                    }
                }
            }
        }
    }

    fn concerns<O>(&self, attribute: &Attribute<O>) -> bool {
        match &self.keys {
            Keys::One(key) => attribute.key == *key,
            Keys::Matching(pattern) => pattern.is_match(&attribute.key),
        }
    }

    /// Sets an attribute for each named group.
    fn extract<O: Clone>(&self, attributes: &mut Vec<Attribute<O>>) {
        let Some(pattern) = &self.pattern else { return };
        let source = attributes.iter().find(|attribute| self.concerns(attribute));
        let Some(Value::String(text)) = source.map(|attribute| &attribute.value) else { return };
        let Some(found) = pattern.captures(text) else { return };
        let named = pattern.capture_names().flatten();
        let values: Vec<_> = named
            .map(|name| (name.to_owned(), found.name(name).map_or("", |found| found.as_str()).to_owned()))
            .collect();
        for (name, text) in values {
            set(attributes, &name, Value::String(text), true, true);
        }
    }
}

fn set<O>(attributes: &mut Vec<Attribute<O>>, key: &str, value: Value<O>, inserts: bool, updates: bool) {
    match attributes.iter_mut().find(|attribute| attribute.key == *key) {
        Some(attribute) if updates => attribute.value = value,
        None if inserts => attributes.push(Attribute { key: key.to_owned(), value }),
        _ => {}
    }
}

fn resolve<O: Clone>(value: &AttributeValue, attributes: &[Attribute<O>]) -> Option<Value<O>> {
    Some(match value {
        AttributeValue::String(text) => Value::String(text.clone()),
        AttributeValue::Int(number) => Value::Int(*number),
        AttributeValue::Double(number) => Value::Double(*number),
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::Of { attribute: from, default } => {
            match attributes.iter().find(|attribute| attribute.key == *from) {
                Some(attribute) => attribute.value.clone(),
                None => resolve(default.as_deref()?, &[])?,
            }
        }
    })
}

/// SHA-256 in hexadecimal digits; of nothing but text, numbers and booleans, else empty.
fn hashed<O>(value: &Value<O>) -> String {
    let digest = match value {
        Value::String(text) if text.is_empty() => return String::new(),
        Value::String(text) => Sha256::digest(text),
        Value::Int(number) => Sha256::digest(number.to_le_bytes()),
        Value::Double(number) => Sha256::digest(number.to_le_bytes()),
        Value::Bool(flag) => Sha256::digest([u8::from(*flag)]),
        Value::Other(_) => return String::new(),
    };
    hex::encode(digest)
}

/// The value in another type; what cannot be converted stays as it is.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as in Go")]
fn converted<O: Clone>(value: &Value<O>, to: AttributeType) -> Value<O> {
    let converted = match (to, value) {
        (AttributeType::String, Value::Int(number)) => Some(Value::String(number.to_string())),
        (AttributeType::String, Value::Double(number)) => Some(Value::String(number.to_string())),
        (AttributeType::String, Value::Bool(flag)) => Some(Value::String(flag.to_string())),
        (AttributeType::Int, Value::String(text)) => text.parse().ok().map(Value::Int),
        (AttributeType::Int, Value::Double(number)) => Some(Value::Int(*number as i64)),
        (AttributeType::Int, Value::Bool(flag)) => Some(Value::Int(i64::from(*flag))),
        (AttributeType::Double, Value::String(text)) => text.parse().ok().map(Value::Double),
        (AttributeType::Double, Value::Int(number)) => Some(Value::Double(*number as f64)),
        (AttributeType::Double, Value::Bool(flag)) => Some(Value::Double(f64::from(u8::from(*flag)))),
        (AttributeType::Bool, Value::String(text)) => text.parse().ok().map(Value::Bool),
        (AttributeType::Bool, Value::Int(number)) => Some(Value::Bool(*number != 0)),
        (AttributeType::Bool, Value::Double(number)) => Some(Value::Bool(*number != 0.0)),
        _ => None,
    };
    converted.unwrap_or_else(|| value.clone())
}
