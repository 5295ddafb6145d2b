//! `${env:NAME}`, `${file:PATH}` and `${yaml:TEXT}` in values, as the Collector's package `confmap`
//! expands them.
//!
//! References stand in values, never in keys. A value that is one single reference takes the type of
//! what it leads to, read as YAML. `$$` stands for `$`; unlike in the Collector, references
//! that follow an escaped one are expanded too.

use super::diagnostic::Report;
use super::path::{join, join_number};
use super::secrets;
use super::yaml::{self, Entry, Node, Value};
use preamp_base::files::read_text;
use std::path::Path;

/// Looks a variable up; `None` if it is not set.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// How many references one value may come to, those in the variables' own texts included.
const REFERENCES_MAX: usize = 1000;

/// How deep references may stand inside each other.
const NESTING_MAX: usize = 32;

/// The longest text that a value may come to, in bytes.
const LENGTH_MAX: usize = 1024 * 1024;

/// How much all references of a configuration may bring in together, in bytes of memory.
const BROUGHT_MAX: usize = 16 * 1024 * 1024;

/// What a reference counts for beside its text.
const REFERENCE_BYTES: usize = 100;

/// Expands all references in trees, once. What goes wrong is reported at the value that holds the reference.
pub(super) fn substitute<'n>(
    documents: impl IntoIterator<Item = &'n mut Node>,
    environment: Environment,
    report: &Report,
) {
    let mut substitution = Substitution { environment, report, brought_bytes: 0 };
    documents.into_iter().for_each(|document| substitution.fill(document, ""));
}

/// The expansion of all values.
struct Substitution<'s> {
    environment: Environment<'s>,
    report: &'s Report,
    brought_bytes: usize,
}

impl Substitution<'_> {
    fn fill(&mut self, node: &mut Node, path: &str) {
        match &mut node.value {
            Value::List(items) => {
                for (item, number) in items.iter_mut().zip(0..) {
                    self.fill(item, &join_number(path, number));
                }
            }
            Value::Map(entries) => {
                for Entry { key, value, .. } in entries {
                    self.fill(value, &join(path, key));
                }
            }
            Value::Text if node.written.is_none() && node.text.contains('$') => self.expand(node, path),
            _ => {}
        }
    }

    fn expand(&mut self, node: &mut Node, path: &str) {
        node.written = Some(node.text.as_str().into());
        let mut expansion = Expansion {
            environment: self.environment,
            references: 0,
            brought_bytes: self.brought_bytes,
            unset: Vec::new(),
        };
        let expanded = expansion.value(&node.text);
        let Expansion { brought_bytes, unset, .. } = expansion;
        self.brought_bytes = brought_bytes;
        match expanded.and_then(|expanded| self.put(expanded, node)) {
            Ok(()) => {}
            Err(message) => self.report.error(node.place, path, message),
        }
        for name in unset {
            self.report.warn(node.place, path, format!("the environment variable {name} is not set"));
            node.unset = Some(name.into());
        }
        self.warn_of_naked(node, path);
    }

    /// Warns of a variable without braces, which stays as it is. That a secret holds a `$` is not told.
    fn warn_of_naked(&self, node: &Node, path: &str) {
        let written = node.written.as_deref().unwrap_or_default();
        if let Some(name) = naked_variable(written).filter(|name| is_meant(written, name))
            && !secrets::is_below_secret(path)
        {
            let message =
                format!("`${name}` is taken as it is: {}; for the text itself, $${name}", remedy(name));
            self.report.warn(node.place, path, message);
        }
    }

    fn put(&mut self, expanded: Expanded, node: &mut Node) -> Result<(), String> {
        match expanded {
            Expanded::Text(text, from_environment) => {
                node.text = text;
                node.from_environment = from_environment;
            }
            Expanded::Reference(text) => {
                // A text that is no YAML is taken as it is.
                let value = match yaml::parse(&text) {
                    (Some(parsed), faults) if faults.is_empty() => {
                        self.brought_bytes += parsed.bytes();
                        parsed.value
                    }
                    _ => Value::Text,
                };
                room(self.brought_bytes)?;
                node.value = value;
                node.text = text;
                mark(node);
            }
            Expanded::Unset(name) => {
                node.value = Value::Null;
                node.text = name;
            }
        }
        Ok(())
    }
}

/// Whether more may be brought in.
fn room(brought_bytes: usize) -> Result<(), String> {
    if brought_bytes <= BROUGHT_MAX {
        return Ok(());
    }
    let limit = BROUGHT_MAX / (1024 * 1024);
    Err(format!("what all references lead to takes more than {limit} MiB: that is no configuration"))
}

/// What a value became.
enum Expanded {
    /// Text; whether any of it comes from elsewhere.
    Text(String, bool),
    /// The text of a value that was one single reference.
    Reference(String),
    /// A single reference that leads nowhere: the name of a variable that is not set.
    Unset(String),
}

/// Marks a tree as coming from elsewhere, all of it standing where its reference stands.
fn mark(node: &mut Node) {
    node.from_environment = true;
    let place = node.place;
    let written = node.written.clone();
    let mark_below = |child: &mut Node| {
        child.place = place;
        child.written = written.clone();
        mark(child);
    };
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(mark_below),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| {
            entry.place = place;
            mark_below(&mut entry.value);
        }),
        _ => {}
    }
}

/// The expansion of one value.
struct Expansion<'e> {
    environment: Environment<'e>,
    references: usize,
    brought_bytes: usize,
    unset: Vec<String>,
}

impl Expansion<'_> {
    fn value(&mut self, text: &str) -> Result<Expanded, String> {
        if let Some((content, "")) = text.strip_prefix("${").map(split_reference).transpose()? {
            return Ok(match self.reference(content, 0)? {
                Some(text) => Expanded::Reference(text),
                None => Expanded::Unset(self.unset.last().cloned().unwrap_or_default()),
            });
        }
        let text = self.text(text, 0)?;
        Ok(Expanded::Text(text, self.references > 0))
    }

    /// Expands what stands in a longer text.
    fn text(&mut self, text: &str, nesting: usize) -> Result<String, String> {
        if nesting > NESTING_MAX {
            return Err(format!("references stand inside each other more than {NESTING_MAX} deep"));
        }
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('{') {
                let (content, after) = split_reference(after)?;
                expanded.push_str(&self.reference(content, nesting)?.unwrap_or_default());
                rest = after;
            } else {
                // A doubled sign stands for one; a single one before anything else for itself.
                expanded.push('$');
                rest = rest.strip_prefix('$').unwrap_or(rest);
            }
            if expanded.len() > LENGTH_MAX {
                return Err(format!("comes to more than {LENGTH_MAX} bytes"));
            }
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// Resolves what stands between the braces; `None` if that is a variable that is not set.
    fn reference(&mut self, written: &str, nesting: usize) -> Result<Option<String>, String> {
        self.references += 1;
        if self.references > REFERENCES_MAX {
            return Err(format!(
                "comes to more than {REFERENCES_MAX} references; does a variable name itself?"
            ));
        }
        let content = self.text(written, nesting + 1)?;
        room(self.brought_bytes)?;
        // What a reference brought in is not shown, and may be part of this one.
        let is_hidden = nesting > 0 || content != written;
        let shown = |problem: String| if is_hidden { NO_REFERENCE.to_owned() } else { problem };
        let text = match split_content(&content).map_err(shown)? {
            Reference::Yaml(text) => text.to_owned(),
            Reference::File(path) => read_text(Path::new(path)).map_err(|error| {
                let path = if is_hidden { "a file that a reference names" } else { path };
                format!("{path} {error}")
            })?,
            Reference::Variable(name, default) => {
                let name = variable_name(name).map_err(shown)?;
                match ((self.environment)(name), default) {
                    (Some(text), _) => text,
                    (None, Some(default)) => return Ok(Some(default.to_owned())),
                    (None, None) => {
                        let name = if is_hidden { "that a reference names" } else { name };
                        self.unset.push(name.to_owned());
                        return Ok(None);
                    }
                }
            }
        };
        self.brought_bytes += text.len() + REFERENCE_BYTES;
        room(self.brought_bytes)?;
        // Editors end files with a line break, which belongs to no value.
        self.text(text.strip_suffix('\n').unwrap_or(&text), nesting + 1).map(Some)
    }
}

/// What is said of a reference that may not be shown.
const NO_REFERENCE: &str = "a reference inside a reference names no variable, file or text";

/// What stands between the braces.
enum Reference<'c> {
    /// A variable, and what it is if it is not set.
    Variable(&'c str, Option<&'c str>),
    File(&'c str),
    Yaml(&'c str),
}

/// Splits what follows `${` at the brace that closes it.
fn split_reference(text: &str) -> Result<(&str, &str), String> {
    let mut open = 1_usize;
    let mut previous = None;
    for (at, character) in text.char_indices() {
        match character {
            '{' if previous == Some('$') => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok((&text[..at], &text[at + 1..]));
        }
        previous = Some(character);
    }
    Err("a reference lacks its closing `}`; write `$$` for a `$` of the text itself".to_owned())
}

/// Takes `env:NAME:-default` and the like apart; `env:` may be left out when there is no default.
fn split_content(content: &str) -> Result<Reference<'_>, String> {
    let Some((scheme, rest)) = content.split_once(':') else { return Ok(Reference::Variable(content, None)) };
    match scheme {
        "env" => Ok(match rest.split_once(":-") {
            Some((name, default)) => Reference::Variable(name, Some(default)),
            None => Reference::Variable(rest, None),
        }),
        "file" => Ok(Reference::File(rest)),
        "yaml" => Ok(Reference::Yaml(rest)),
        "redacted" => Err(
            "stands where `preamp convert --redact` left a secret out: put the secret back, or write ${env:NAME}"
                .to_owned(),
        ),
        "http" | "https" => Err(format!(
            "`${{{scheme}:…}}` is known to the Collector, but preamp fetches no configuration: keep it in a file, and \
             write `${{file:PATH}}`"
        )),
        _ if rest.starts_with('-') => Err(format!("a default needs the scheme: write `${{env:{content}}}`")),
        _ => Err(format!("has `{scheme}:` where `env:` is expected")),
    }
}

/// The first variable in a text, as it stands in a file, that lacks its braces.
pub(super) fn naked_variable(written: &str) -> Option<&str> {
    let mut rest = written;
    loop {
        let (_, after) = rest.split_once('$')?;
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        match variable_name(&after[..end]) {
            Ok(name) => return Some(name),
            // A doubled sign stands for itself, and so does one before anything that is no name.
            Err(_) => rest = after.strip_prefix('$').unwrap_or(after),
        }
    }
}

/// Whether a variable is meant, and no text that holds a `$`: it is the whole value, or is written as variables are.
fn is_meant(written: &str, name: &str) -> bool {
    let is_whole = written.strip_prefix('$') == Some(name);
    is_whole || (name.len() > 2 && !name.contains(|c: char| c.is_ascii_lowercase()))
}

/// How to refer to a variable.
pub(super) fn remedy(name: &str) -> String {
    format!("a variable needs braces, write ${{env:{name}}}")
}

/// A name, if it can be that of a variable.
pub(super) fn variable_name(name: &str) -> Result<&str, String> {
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if is_name {
        return Ok(name);
    }
    Err(format!("`{name}` is no name of an environment variable: letters, digits and `_`, no digit first"))
}

#[cfg(test)]
mod tests;
