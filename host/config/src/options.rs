//! The options of the component: their defaults and meaning, as its function `describe` gives them.

use super::definition::{Class, Definition, Form, OptionForm};
use super::draft::Draft;
use super::duration;
use super::place::Place;
use super::yaml::Node;
use serde_json::Value;
use std::time::Duration;

/// Where the schema has defaults that depend on what the receiver is taken for.
const BY_PROFILE: &str = "x-default-by-profile";

/// Where it says in words what the default is.
const IN_WORDS: &str = "x-default";

/// What the component says about its options.
#[derive(Clone, Debug)]
pub struct Options {
    schema: Value,
}

/// A default of an option.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OptionDefault {
    /// One that depends on nothing.
    Is(Value),
    /// One for each profile.
    ByProfile(Vec<(String, Value)>),
    /// What it depends on, in words.
    Says(String),
}

impl Options {
    /// Reads the JSON Schema that the component gives.
    ///
    /// # Errors
    ///
    /// It is no JSON.
    pub fn read(schema: &str) -> Result<Options, serde_json::Error> {
        Ok(Options { schema: serde_json::from_str(schema)? })
    }

    /// The schema of an option, which may be one of a section of options.
    pub(super) fn property(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.schema, |schema, key| schema.get("properties")?.get(key))
    }

    /// What holds where the option is not set.
    pub(super) fn default(&self, path: &[&str]) -> Option<OptionDefault> {
        let property = self.property(path)?;
        let by_profile = property.get(BY_PROFILE).and_then(Value::as_object).map(|defaults| {
            let defaults = defaults.iter().map(|(profile, value)| (profile.clone(), value.clone()));
            OptionDefault::ByProfile(defaults.collect())
        });
        let in_words = || Some(OptionDefault::Says(property.get(IN_WORDS)?.as_str()?.to_owned()));
        let fixed = || Some(OptionDefault::Is(property.get("default")?.clone()));
        by_profile.or_else(fixed).or_else(in_words)
    }

    /// What the option means.
    pub(super) fn meaning(&self, path: &[&str]) -> &str {
        let description = self.property(path).and_then(|property| property.get("description"));
        description.and_then(Value::as_str).unwrap_or_default()
    }

    /// The texts that the option takes, if it takes only some.
    pub(super) fn choices(&self, path: &[&str]) -> Vec<&str> {
        let choices = self.property(path).and_then(|property| property.get("enum")?.as_array());
        choices.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The default as it would stand in a file.
    pub(super) fn node(&self, definition: &Definition, profile: &str) -> Option<Node> {
        let Class::Option(option) = definition.class else { return None };
        match option {
            PROFILE => Some(DRAFT.text(profile)),
            _ => self.node_at(&[option], definition.form, profile),
        }
    }

    fn node_at(&self, path: &[&str], form: Form, profile: &str) -> Option<Node> {
        let Form::Option(form) = form else { return None };
        if let OptionForm::Section(tables) = form {
            let parts = tables.iter().copied().flatten();
            let parts = parts
                .map(|part| (part.name, self.node_at(&[path, &[part.name]].concat(), part.form, profile)));
            let parts: Vec<_> = parts.filter(|(_, node)| node.is_some()).collect();
            return (!parts.is_empty()).then(|| DRAFT.section(parts));
        }
        let value = match self.default(path)? {
            OptionDefault::Is(value) => value,
            OptionDefault::ByProfile(defaults) => defaults.into_iter().find(|(name, _)| name == profile)?.1,
            OptionDefault::Says(_) => return None,
        };
        node_of(&value, form)
    }
}

/// Values that depend on the profile, in words: each with the profiles that have it.
pub(super) fn by_profile(values: &[(String, Value)], shown: impl Fn(&Value) -> String) -> String {
    let mut each: Vec<(&Value, Vec<&str>)> = Vec::new();
    for (profile, value) in values {
        match each.iter_mut().find(|(other, _)| *other == value) {
            Some((_, profiles)) => profiles.push(profile),
            None => each.push((value, vec![profile])),
        }
    }
    let each =
        each.into_iter().map(|(value, profiles)| format!("{} for {}", shown(value), profiles.join(", ")));
    each.collect::<Vec<_>>().join("; ")
}

/// A value of the component as it would stand in a file.
pub(super) fn text_of(value: &Value, form: OptionForm) -> String {
    match node_of(value, form) {
        Some(node) => node.text,
        None => value.to_string(),
    }
}

/// The option that says what the receiver is taken for.
const PROFILE: &str = "profile";

const DRAFT: Draft = Draft { place: Place::NOWHERE };

fn node_of(value: &Value, form: OptionForm) -> Option<Node> {
    match (value, form) {
        (Value::Number(number), OptionForm::Milliseconds) => {
            Some(DRAFT.text(&duration::shown(Duration::from_millis(number.as_u64()?))))
        }
        (Value::Number(number), _) => Some(DRAFT.integer(number.as_i64()?)),
        (Value::Bool(flag), _) => Some(DRAFT.flag(*flag)),
        (Value::String(text), _) => Some(DRAFT.text(text)),
        _ => None,
    }
}
