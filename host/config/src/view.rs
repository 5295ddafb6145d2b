//! A document as its readers see it: typed access, with every complaint placed.

mod elsewhere;
pub mod keys;
mod section;

use super::definition::Tables;
use super::diagnostic::{self, Report, Taken};
use super::duration;
use super::form::FileForm;
use super::path::{join, join_number};
use super::place::Place;
use super::secrets;
use super::substitution;
use super::yaml::{Entry, Node, Value};
pub(super) use section::{Section, of_nothing, tables};
use std::path::Path;
use std::time::Duration;

/// What stands in place of a key or a name that comes from elsewhere.
pub(super) const HIDDEN: &str = "(hidden)";

/// The most components, pipelines, or references in a list: a hundred times what anybody has.
const PARTS_MAX: usize = 1000;

const DURATION: &str = "a duration such as 1h30m, 30s or 250ms";

/// A value, where it stands, and where to complain about it.
#[derive(Clone)]
pub(super) struct View<'d> {
    node: &'d Node,
    key: Place,
    path: String,
    report: &'d Report,
}

/// Where a value stands, for problems that are found later.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub place: Place,
    pub path: String,
    /// Whether it comes from a reference, so that no message may show it.
    pub is_hidden: bool,
}

impl<'d> View<'d> {
    /// The whole document.
    pub fn root(node: &'d Node, report: &'d Report) -> Self {
        View { node, key: node.place, path: String::new(), report }
    }

    /// The form of the file that the document comes from.
    pub fn form(&self) -> FileForm {
        self.report.form()
    }

    /// Where the value stands.
    pub fn location(&self) -> Location {
        Location { place: self.node.place, path: self.path.clone(), is_hidden: self.is_hidden() }
    }

    /// An error about the value. Where a variable is behind it, it is named.
    pub fn error(&self, message: impl Into<String>) {
        let mut message = message.into();
        let of_variable = self.variable_fault().filter(|fault| !message.contains(fault));
        if let Some(fault) = of_variable {
            message = format!("{message}; {fault}");
        }
        self.report.error(self.node.place, &self.path, message);
    }

    /// What is wrong with a variable that the value refers to: it is not set, or lacks its braces.
    pub fn variable_fault(&self) -> Option<String> {
        if let Some(name) = self.unset_variable() {
            return Some(format!(
                "the environment variable {name} is not set: set it, or write ${{env:{name}:-DEFAULT}}"
            ));
        }
        // No part of a secret is shown, whatever it looks like.
        let written = self.node.written.as_deref().filter(|_| !secrets::is_below_secret(&self.path))?;
        substitution::naked_variable(written).map(substitution::remedy)
    }

    /// A variable that the value refers to and that is not set.
    fn unset_variable(&self) -> Option<&str> {
        self.node.unset.as_deref()
    }

    /// An error about the key.
    pub fn key_error(&self, message: impl Into<String>) {
        self.report.error(self.key, &self.path, message);
    }

    /// A warning about the key and what it holds.
    pub fn warn(&self, message: impl Into<String>) {
        self.report.warn(self.key, &self.path, message);
    }

    /// Notes that the value names a file which must be there when the configuration is used.
    pub fn names_file(&self, file: &Path) {
        self.report.file(self.node.place, &self.path, file, self.is_hidden());
    }

    /// Which part of the document it is: no other has the same number as long as the document is there.
    pub fn identity(&self) -> usize {
        self.node.identity()
    }

    /// The value as it is.
    pub fn value(&self) -> &'d Value {
        &self.node.value
    }

    /// Whether there is no value, which means the default.
    pub fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// A text. The value is never shown: it may be a secret.
    pub fn text(&self) -> Option<&'d str> {
        let Node { value, text, from_environment, .. } = self.node;
        match value {
            Value::Text => Some(text),
            // A section or list within a variable has no text of its own.
            Value::List(_) | Value::Map(_) if text.is_empty() => self.expected("text"),
            _ if *from_environment => Some(text),
            Value::Null => self.expected("text"),
            _ => {
                self.error(format!("expected text, found {}; put it in quotes", kind(self.node)));
                None
            }
        }
    }

    /// True or false, in the words of YAML 1.2.
    pub fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Boolean(flag) => Some(*flag),
            _ => self.expected("true or false"),
        }
    }

    /// A whole number within bounds.
    pub fn integer(&self, min: i64, max: i64) -> Option<i64> {
        match self.node.value {
            Value::Integer(number) if (min..=max).contains(&number) => Some(number),
            _ => self.expected(&format!("a whole number from {min} to {max}")),
        }
    }

    /// A number within bounds.
    pub fn number(&self, min: f64, max: f64) -> Option<f64> {
        let number = match self.node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => f64::NAN,
        };
        if (min..=max).contains(&number) {
            Some(number)
        } else {
            self.expected(&format!("a number from {min} to {max}"))
        }
    }

    /// A duration of any length, zero included.
    pub fn duration(&self) -> Option<Duration> {
        match self.node.value {
            Value::Text => match duration::parse(&self.node.text) {
                Ok(duration) => Some(duration),
                Err(_) if self.node.from_environment => self.expected(DURATION),
                Err(message) => {
                    self.error(format!("{} {message}", self.shown()));
                    None
                }
            },
            // Nothing is nothing in any unit.
            Value::Integer(0) => Some(Duration::ZERO),
            // The Collector reads a bare number as nanoseconds, which nobody means.
            Value::Integer(_) if !self.node.from_environment => {
                let number = &self.node.text;
                self.error(format!("a duration needs a unit: write {number}s or {number}ms"));
                None
            }
            _ => self.expected(DURATION),
        }
    }

    /// One of the texts listed.
    pub fn choice(&self, choices: &[&'static str]) -> Option<&'static str> {
        self.choose(choices, self.text()?)
    }

    /// One of the lower-case texts listed, in any capitals.
    pub fn choice_of_any_case(&self, choices: &[&'static str]) -> Option<&'static str> {
        self.choose(choices, &self.text()?.to_ascii_lowercase())
    }

    fn choose(&self, choices: &[&'static str], text: &str) -> Option<&'static str> {
        let choice = choices.iter().copied().find(|choice| *choice == text);
        if choice.is_none() {
            let named = choices.iter().copied().filter(|choice| !choice.is_empty());
            self.error(format!("{} is no value of this key; {}", self.shown(), self.suggest(text, named)));
        }
        choice
    }

    /// The items of a list.
    pub fn list(&self) -> Vec<View<'d>> {
        let Value::List(items) = &self.node.value else {
            if !self.is_null() {
                self.expected::<()>("a list");
            }
            return Vec::new();
        };
        let view = |(index, node): (usize, &'d Node)| View {
            node,
            key: node.place,
            path: join_number(&self.path, index),
            report: self.report,
        };
        items.iter().enumerate().map(view).collect()
    }

    /// A list of texts, each with its view; one text with commas counts as one, as in the Collector.
    pub fn texts(&self) -> Vec<(&'d str, View<'d>)> {
        if matches!(self.node.value, Value::Text) {
            let parts = self.node.text.split(',').map(str::trim).filter(|part| !part.is_empty());
            return parts.map(|part| (part, self.clone())).collect();
        }
        self.list().into_iter().filter_map(|item| Some((item.text()?, item))).collect()
    }

    /// The items of a list that has no more of them than anybody writes; `what` they are.
    pub fn short_list(&self, what: &str) -> Vec<View<'d>> {
        if let Value::List(items) = &self.node.value
            && items.len() > PARTS_MAX
        {
            self.error(format!("more than {PARTS_MAX} {what}: that is no configuration"));
            return Vec::new();
        }
        self.list()
    }

    /// The entries of a section whose keys are the operator's own.
    pub fn entries(&self) -> Vec<(&'d str, View<'d>)> {
        match &self.node.value {
            Value::Map(entries) => {
                let view = |entry: &'d Entry| (entry.key.as_str(), self.below(entry));
                entries.iter().map(view).collect()
            }
            Value::Null => Vec::new(),
            _ => {
                self.expected::<()>("a section");
                Vec::new()
            }
        }
    }

    /// The same of a section that has no more of them than anybody writes; `what` they are.
    pub fn few_entries(&self, what: &str) -> Vec<(&'d str, View<'d>)> {
        if let Value::Map(entries) = &self.node.value
            && entries.len() > PARTS_MAX
        {
            self.error(format!("more than {PARTS_MAX} {what}: that is no configuration"));
            return Vec::new();
        }
        self.entries()
    }

    /// A section with fixed keys. Those that are not in the tables, and those that this version cannot
    /// serve, are reported here, whether anybody asks for them or not.
    pub fn section(&self, tables: Tables) -> Section<'d> {
        self.section_in(tables, &[])
    }

    /// The same of a section within another one, whose keys are `around`: one that belongs there is told so.
    fn section_in(&self, tables: Tables, around: Tables) -> Section<'d> {
        let mut entries = self.entries();
        let keys = || tables.iter().copied().flatten();
        for (name, view) in &mut entries {
            let known = keys().map(|key| key.name);
            match keys().find(|key| key.name == *name) {
                Some(key) => {
                    if self.node.from_environment {
                        // What is written in this program may be shown, whoever wrote it there.
                        view.path = join(&self.path, key.name);
                    }
                    key.check(view);
                }
                None if self.node.from_environment => {
                    view.key_error(format!("unknown key; {}", self.suggest_key("", known)));
                }
                None => {
                    let elsewhere = elsewhere::find(name, tables, around);
                    let hint = elsewhere.unwrap_or_else(|| self.suggest_key(name, known));
                    view.key_error(format!("unknown key; {hint}"));
                }
            }
        }
        Section::present(self.clone(), entries, tables)
    }

    /// Whether what it holds, its keys included, comes from a reference, so that no message may show it.
    pub fn is_hidden(&self) -> bool {
        self.node.from_environment
    }

    /// A part of the value, or a key of it, for people.
    pub fn quoted(&self, part: &str) -> String {
        if self.node.from_environment { HIDDEN.to_owned() } else { format!("`{part}`") }
    }

    /// The end of a message about a word that is not among those known.
    pub fn suggest<'c>(&self, word: &str, known: impl IntoIterator<Item = &'c str>) -> String {
        if self.report.is_full() { String::new() } else { diagnostic::suggest(word, known) }
    }

    /// The same about a key.
    fn suggest_key<'c>(&self, word: &str, known: impl IntoIterator<Item = &'c str>) -> String {
        if self.report.is_full() { String::new() } else { diagnostic::suggest_key(word, known) }
    }

    /// The value for people. What comes from the environment is not shown.
    pub fn shown(&self) -> String {
        const SHOWN_MAX: usize = 60;
        let text = &self.node.text;
        match &self.node.value {
            Value::Null if !self.node.from_environment && !text.is_empty() => {
                format!(
                    "nothing: the environment variable {text} is not set: set it, or write ${{env:{text}:-DEFAULT}}"
                )
            }
            Value::Null => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a section".to_owned(),
            _ if self.node.from_environment => format!("{} of the environment", kind(self.node)),
            Value::Text if text.chars().nth(SHOWN_MAX).is_some() => "a long text".to_owned(),
            Value::Text if text.contains('@') => "a text that may hold a password".to_owned(),
            Value::Text => format!("{text:?}"),
            _ if text.len() > SHOWN_MAX => "a long number".to_owned(),
            _ => text.clone(),
        }
    }

    /// A text that a message may quote: one that stands in the file and holds no password.
    pub fn quotable(&self) -> Option<&'d str> {
        let is_text = matches!(self.node.value, Value::Text);
        (is_text && self.may_quote(&self.node.text)).then_some(self.node.text.as_str())
    }

    /// Whether a message may quote this part of the value.
    pub fn may_quote(&self, part: &str) -> bool {
        !self.node.from_environment && !part.contains(['@', '?'])
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        let hint = match &self.node.value {
            Value::Text if self.node.from_environment => "",
            Value::Text if is_number(&self.node.text) => "; write the number without quotes",
            Value::Text if is_yaml_1_1_boolean(&self.node.text) => "; YAML 1.2 knows only true and false",
            _ => "",
        };
        self.error(format!("expected {what}, found {}{hint}", self.shown()));
        None
    }

    fn below(&self, entry: &'d Entry) -> View<'d> {
        let key = if self.node.from_environment { HIDDEN } else { &entry.key };
        let path = entry.value.known_as.clone().unwrap_or_else(|| join(&self.path, key));
        View { node: &entry.value, key: entry.place, path, report: self.report }
    }

    /// What a key of this section holds, whatever else is in the section.
    pub fn entry(&self, key: &str) -> Option<View<'d>> {
        match &self.node.value {
            Value::Map(entries) => {
                entries.iter().find(|entry| entry.key == key).map(|entry| self.below(entry))
            }
            _ => None,
        }
    }

    /// The same, called by another name in messages.
    pub fn called(self, path: String) -> View<'d> {
        View { path, ..self }
    }

    /// The text of a scalar, whatever its type; it may be a secret.
    pub fn scalar_text(&self) -> Option<&'d str> {
        match self.node.value {
            Value::List(_) | Value::Map(_) => None,
            _ => Some(&self.node.text),
        }
    }

    /// The value as it stands in the document, and the defaults that were taken while it was read.
    pub fn with_taken(&self) -> (&'d Node, Vec<Taken>) {
        (self.node, self.report.take_defaults())
    }

    /// The value, to be put into another document; messages name it as they do here.
    pub fn carried(&self) -> Node {
        Node { known_as: Some(self.path.clone()), ..self.node.clone() }
    }

    /// The same with another value in its place.
    pub fn carried_as(&self, value: Value, text: String) -> Node {
        self.carried().replaced(value, text)
    }
}

fn kind(node: &Node) -> &'static str {
    match node.value {
        Value::Null => "nothing",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Text => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a section",
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_yaml_1_1_boolean(text: &str) -> bool {
    ["yes", "no", "on", "off", "true", "false"].contains(&text.to_ascii_lowercase().as_str())
}
