//! A configuration as the text of one Collector file.

use super::diagnostic::name_of;
use super::yaml::{self, Entry, Node, Value};

/// What stands in place of a secret.
const REDACTED: &str = "(redacted)";

/// Parts of the names of keys that hold secrets, unless they name a file.
const SECRET_NAMES: [&str; 9] = [
    "secret",
    "password",
    "passphrase",
    "token",
    "credential",
    "authorization",
    "api_key",
    "key_pem",
    "inline",
];

/// Sections whose values are secrets, or may be.
const SECRET_SECTIONS: [&str; 2] = ["headers", "response_headers"];

/// How values are shown.
#[derive(Clone, Copy)]
pub(super) enum Style<'s> {
    /// With the references that were filled in, to be read as a configuration again.
    AsWritten,
    /// Without secrets, each with the place it comes from; the names of the sources.
    Explained(&'s [String]),
}

/// The text of a document.
pub(super) fn print(document: &Node, style: Style) -> String {
    let mut lines = Vec::new();
    match &document.value {
        Value::Map(entries) => put_entries(&mut lines, entries, style, false),
        _ => lines.push(Line { indent: 0, text: scalar(document, style, false) }),
    }
    lines.into_iter().map(|Line { indent, text }| format!("{}{text}\n", " ".repeat(indent))).collect()
}

struct Line {
    indent: usize,
    text: String,
}

fn put_entries(lines: &mut Vec<Line>, entries: &[Entry], style: Style, secret: bool) {
    for Entry { key, value, .. } in entries {
        let is_secret = secret || is_secret(key);
        let key = quoted(key);
        let below = children(value, style, is_secret);
        if below.is_empty() {
            let value = scalar(value, style, is_secret);
            let text = if value.is_empty() { format!("{key}:") } else { format!("{key}: {value}") };
            lines.push(Line { indent: 0, text });
        } else {
            lines.push(Line { indent: 0, text: format!("{key}:") });
            lines.extend(below.into_iter().map(|line| Line { indent: line.indent + 2, ..line }));
        }
    }
}

/// The lines of a section or list; none for anything else, and for what is written as a reference.
fn children(node: &Node, style: Style, secret: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    match &node.value {
        _ if node.written.is_some() => {}
        Value::Map(entries) => put_entries(&mut lines, entries, style, secret),
        Value::List(items) => items.iter().for_each(|item| put_item(&mut lines, item, style, secret)),
        _ => {}
    }
    lines
}

fn put_item(lines: &mut Vec<Line>, item: &Node, style: Style, secret: bool) {
    let below = children(item, style, secret);
    if below.is_empty() {
        lines.push(Line { indent: 0, text: format!("- {}", scalar(item, style, secret)) });
    }
    for (index, Line { indent, text }) in below.into_iter().enumerate() {
        let line = if index == 0 { format!("- {}{text}", " ".repeat(indent)) } else { text };
        lines.push(Line { indent: if index == 0 { 0 } else { indent + 2 }, text: line });
    }
}

/// A value that has one line.
fn scalar(node: &Node, style: Style, secret: bool) -> String {
    let text = match (&node.written, &node.value) {
        (Some(written), _) => shown(written, style, secret && !written.contains("${")),
        (None, Value::List(_)) => "[]".to_owned(),
        (None, Value::Map(_)) => "{}".to_owned(),
        (None, Value::Null) => String::new(),
        (None, Value::Text) => shown(&node.text, style, secret),
        (None, _) if secret && matches!(style, Style::Explained(_)) => REDACTED.to_owned(),
        (None, _) => node.text.clone(),
    };
    match style {
        Style::AsWritten => text,
        Style::Explained(sources) if text.is_empty() => format!("# {}", origin(node, sources)),
        Style::Explained(sources) => format!("{text}  # {}", origin(node, sources)),
    }
}

fn origin(node: &Node, sources: &[String]) -> String {
    match name_of(sources, node.place) {
        name if name.is_empty() => "default".to_owned(),
        name => format!("{name}:{}:{}", node.place.line, node.place.column),
    }
}

fn shown(text: &str, style: Style, secret: bool) -> String {
    match style {
        Style::AsWritten => quoted(text),
        Style::Explained(_) if secret && !text.is_empty() => REDACTED.to_owned(),
        Style::Explained(_) => quoted(&without_credentials(text)),
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_SECTIONS.contains(&key.as_str())
        || (!key.ends_with("_file") && SECRET_NAMES.iter().any(|part| key.contains(part)))
}

/// A URL without its user and its query, which may hold secrets; any other text as it is.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?(redacted)"));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority
        .rsplit_once('@')
        .map_or_else(|| authority.to_owned(), |(_, host)| format!("{REDACTED}@{host}"));
    format!("{scheme}://{authority}{path}{query}")
}

/// A text as YAML: plain where that is the same wherever it stands, else in quotes.
fn quoted(text: &str) -> String {
    let is_text =
        |node: Option<&Node>| node.is_some_and(|node| matches!(node.value, Value::Text) && node.text == text);
    let as_value = parsed(&format!("k: {text}\n"));
    let as_item = parsed(&format!("- {text}\n"));
    let as_key = parsed(&format!("{text}: 1\n"));
    let is_plain = is_text(as_value.as_ref().and_then(|document| document.entry("k")))
        && matches!(as_item.map(|document| document.value), Some(Value::List(items)) if is_text(items.first()))
        && as_key.is_some_and(|document| document.entry(text).is_some());
    if is_plain && !text.contains(char::is_control) { text.to_owned() } else { in_quotes(text) }
}

fn parsed(text: &str) -> Option<Node> {
    let (document, faults) = yaml::parse(text);
    document.filter(|_| faults.is_empty())
}

/// JSON's strings are strings of YAML.
fn in_quotes(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Report;
    use crate::config::substitution::substitute;

    fn document(text: &str) -> Node {
        let mut document = yaml::parse(text).0.unwrap();
        let report = Report::new(vec!["f".to_owned()]);
        substitute(&mut document, "", &|name| Some(format!("value of {name}")), &report);
        document
    }

    #[test]
    fn what_is_printed_is_what_was_read() {
        let text = "\
a:
  b: 1
  c: \"1\"
  d: true
  e: \"yes: no\"
  f:
  g: ${env:X}
  h: a $$ b ${Y}
  i: https://user@host:80/path?q=1
\"k: l\":
  - 1
  - a: x
    b:
      - y
      - - z
        - {}
  - []
m: \"a\\nb\"
n: \"\"
o: \"# x\"
p: \"x\\u000b\"
";
        assert_eq!(print(&document(text), Style::AsWritten), text);
    }

    #[test]
    fn what_is_explained_holds_no_secret() {
        let text = "\
headers: {a: s3cret, b: '${env:X}'}
secret_key: s3cret
nested: {Password: 5}
token_file: /run/token
proxy_url: http://user:s3cret@proxy:3128/x?token=s3cret
plain: ${env:X}
";
        let expected = "\
headers:
  a: (redacted)  # f:1:14
  b: ${env:X}  # f:1:25
secret_key: (redacted)  # f:2:13
nested:
  Password: (redacted)  # f:3:20
token_file: /run/token  # f:4:13
proxy_url: http://(redacted)@proxy:3128/x?(redacted)  # f:5:12
plain: ${env:X}  # f:6:8
";
        assert_eq!(print(&document(text), Style::Explained(&["f".to_owned()])), expected);
    }
}
