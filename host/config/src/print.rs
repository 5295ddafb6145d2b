//! A configuration as the text of one Collector file.

use super::diagnostic::name_of;
use super::secrets::{REDACTED, is_secret, stands_here, without_credentials};
use super::yaml::{self, Entry, Node, Value};
use preamp_base::printable::{self, is_printable};

/// What stands in place of a secret where the text shall not be a configuration as long as it stands there.
const LEFT_OUT: &str = "${redacted:}";

/// How values are shown.
#[derive(Clone, Copy)]
pub(super) enum Style<'s> {
    /// With the references that were filled in, to be read as a configuration again.
    AsWritten,
    /// The same without secrets, which have to be put back first.
    Redacted,
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
    let instead = match style {
        Style::AsWritten => None,
        Style::Redacted => Some(LEFT_OUT),
        Style::Explained(_) => Some(REDACTED),
    };
    let text = match (instead.filter(|_| stands_here(node, secret)), &node.written, &node.value) {
        (Some(instead), ..) if secret => instead.to_owned(),
        (Some(instead), written, _) => {
            quoted(&without_credentials(written.as_deref().unwrap_or(&node.text), instead))
        }
        (None, Some(written), _) => quoted(written),
        (None, None, Value::List(_)) => "[]".to_owned(),
        (None, None, Value::Map(_)) => "{}".to_owned(),
        (None, None, Value::Null) => String::new(),
        (None, None, Value::Text) => quoted(&node.text),
        (None, None, _) => node.text.clone(),
    };
    match style {
        Style::AsWritten | Style::Redacted => text,
        Style::Explained(sources) if text.is_empty() => format!("# {}", origin(node, sources)),
        Style::Explained(sources) => format!("{text}  # {}", origin(node, sources)),
    }
}

fn origin(node: &Node, sources: &[String]) -> String {
    match name_of(sources, node.place) {
        name if name.is_empty() => "default".to_owned(),
        name => format!("{}:{}:{}", printable::Line(name), node.place.line, node.place.column),
    }
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
    if is_plain && text.chars().all(is_printable) { text.to_owned() } else { in_quotes(text) }
}

fn parsed(text: &str) -> Option<Node> {
    let (document, faults) = yaml::parse(text);
    document.filter(|_| faults.is_empty())
}

/// JSON's strings are strings of YAML.
fn in_quotes(text: &str) -> String {
    let quoted = serde_json::Value::String(text.to_owned()).to_string();
    let mut printable = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        match c {
            c if is_printable(c) => printable.push(c),
            // YAML knows no pairs of surrogates.
            c => printable.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Report;
    use crate::substitution::substitute;

    fn document(text: &str) -> Node {
        let mut document = yaml::parse(text).0.unwrap();
        let report = Report::new(vec!["f".to_owned()]);
        substitute([&mut document], &|name| Some(format!("value of {name}")), &report);
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

    #[test]
    fn what_is_redacted_cannot_be_used_as_it_is() {
        let text = "\
headers: {a: s3cret, b: '${env:X}', c: 'pa$${x}'}
nested: {Password: 5}
proxy_url: http://user:s3cret@proxy:3128/x?token=s3cret
plain: a $$ ${env:X}
";
        let expected = "\
headers:
  a: ${redacted:}
  b: ${env:X}
  c: ${redacted:}
nested:
  Password: ${redacted:}
proxy_url: http://${redacted:}@proxy:3128/x?${redacted:}
plain: a $$ ${env:X}
";
        let redacted = print(&document(text), Style::Redacted);
        assert_eq!(redacted, expected);
        let report = Report::new(vec!["f".to_owned()]);
        substitute([&mut yaml::parse(&redacted).0.unwrap()], &|_| None, &report);
        let errors = report.finish().errors.to_string();
        assert_eq!(errors.matches("put the secret back").count(), 4, "{errors}");
    }

    #[test]
    fn what_is_printed_shows_as_what_it_is() {
        let text = "\"a\\u202e\\x1b\": \"b\\u0085\\U000e0041\"\n";
        let document = yaml::parse(text).0.unwrap();
        let printed = print(&document, Style::AsWritten);
        assert!(printed.trim_end().chars().all(is_printable), "{printed:?}");
        assert_eq!(yaml::parse(&printed).0.unwrap().entry("a\u{202e}\x1b").unwrap().text, "b\u{85}\u{e0041}");
    }
}
