//! YAML as a tree that knows where in the text each part of it stands.

use super::diagnostic::Place;
use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// How deep sections and lists may nest: far more than any configuration needs, and shallow enough
/// to walk recursively.
const DEPTH_MAX: usize = 64;

/// How many nodes aliases may add, so that a few lines cannot expand to gigabytes.
const ALIASED_NODES_MAX: usize = 10_000;

/// A part of a document.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is, by the YAML 1.2 core schema.
    pub value: Value,
    /// The text of a scalar as it was written. A value from the environment keeps its type, but
    /// gives this text where text is asked for. Of a null: the variable whose absence made it one.
    pub text: String,
    /// Whether it comes from the environment, so that no message may show it.
    pub from_environment: bool,
    /// What messages call it, where that is not where it stands in the tree.
    pub known_as: Option<String>,
    /// What stood there before references were filled in; `None` as long as they are not.
    pub written: Option<String>,
}

impl Node {
    /// A node that stands in a file.
    pub fn new(place: Place, value: Value, text: String) -> Node {
        Node { place, value, text, from_environment: false, known_as: None, written: None }
    }

    /// The same place with something else in it.
    pub fn replaced(self, value: Value, text: String) -> Node {
        Node { value, text, written: None, ..self }
    }

    /// The value of a key, if this is a section that has it.
    pub fn entry(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }
}

/// A YAML value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text,
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub place: Place,
    pub value: Node,
}

/// Why a text is not the YAML that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub place: Place,
    /// The keys that lead to the place, joined by dots.
    pub path: String,
    pub message: String,
}

/// Reads a text that holds at most one document; an empty one is null.
pub(super) fn parse(text: &str) -> (Option<Node>, Vec<Fault>) {
    let (mut documents, mut faults) = parse_all(text, 0);
    if let Some(second) = documents.get(1) {
        faults.push(a_second(second.place));
        documents.clear();
    }
    let only = documents.pop();
    let nothing = || Node::new(Place::start_of(0), Value::Null, String::new());
    (if faults.is_empty() { Some(only.unwrap_or_else(nothing)) } else { only }, faults)
}

/// What is said of a document where there should be none.
pub(super) fn a_second(place: Place) -> Fault {
    let message = "a second YAML document begins here; expected only one".to_owned();
    Fault { place, path: String::new(), message }
}

/// Reads all documents of a text, which is the `source`-th of the configuration.
///
/// Keys that stand twice leave a document with the first of them; after any other fault there are none.
pub(super) fn parse_all(text: &str, source: usize) -> (Vec<Node>, Vec<Fault>) {
    let mut builder = Builder { source, ..Builder::default() };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let step = event
            .map_err(|error| builder.fault(builder.place(*error.marker()), error.info()))
            .and_then(|(event, span)| builder.take(event, span));
        if let Err(fault) = step {
            builder.faults.push(fault);
            return (Vec::new(), builder.faults);
        }
    }
    (builder.documents, builder.faults)
}

/// A section or list whose end has not come yet.
enum Open {
    List { place: Place, anchor: usize, items: Vec<Node> },
    Map { place: Place, anchor: usize, entries: Vec<Entry>, key: Option<Key>, merged: Vec<Entry> },
}

struct Key {
    text: String,
    place: Place,
    merges: bool,
    repeats: bool,
}

/// Builds the trees from the parser's events, without recursion.
#[derive(Default)]
struct Builder {
    source: usize,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    faults: Vec<Fault>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let place = self.place(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag.as_ref(), place),
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::SequenceStart(anchor, _) => {
                self.begin(Open::List { place, anchor, items: Vec::new() }, place)
            }
            Event::MappingStart(anchor, _) => {
                let open = Open::Map { place, anchor, entries: Vec::new(), key: None, merged: Vec::new() };
                self.begin(open, place)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, place: Place) -> Result<(), Fault> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err(self.fault(place, "expected a key, found a list or a section"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.fault(place, format!("is nested deeper than {DEPTH_MAX} levels")));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let (place, anchor, value) = match self.open.pop() {
            Some(Open::List { place, anchor, items }) => (place, anchor, Value::List(items)),
            Some(Open::Map { place, anchor, mut entries, merged, .. }) => {
                for entry in merged {
                    if entries.iter().all(|own| own.key != entry.key) {
                        entries.push(entry);
                    }
                }
                (place, anchor, Value::Map(entries))
            }
            None => return Ok(()),
        };
        let node = Node::new(place, value, String::new());
        self.add(node, anchor)
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Cow<'_, Tag>>,
        place: Place,
    ) -> Result<(), Fault> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            let merges = text == "<<" && style == ScalarStyle::Plain;
            return self.key(Key { text: text.into_owned(), place, merges, repeats: false });
        }
        let Some(scalar) = Scalar::parse_from_cow_and_metadata(text.clone(), style, tag) else {
            return Err(self.fault(place, "the value does not fit its tag"));
        };
        let value = match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(flag) => Value::Boolean(flag),
            Scalar::Integer(number) => Value::Integer(number),
            Scalar::FloatingPoint(number) => Value::Float(number.into_inner()),
            Scalar::String(_) => Value::Text,
        };
        // The parser places an absent value at the token that follows it, which misleads.
        let place = match self.open.last() {
            Some(Open::Map { key: Some(key), .. }) if text.is_empty() && style == ScalarStyle::Plain => {
                key.place
            }
            _ => place,
        };
        let text = if matches!(value, Value::Null) { String::new() } else { text.into_owned() };
        self.add(Node::new(place, value, text), anchor)
    }

    fn key(&mut self, mut new: Key) -> Result<(), Fault> {
        let Some(Open::Map { entries, key, .. }) = self.open.last_mut() else { return Ok(()) };
        let first = entries.iter().find(|entry| entry.key == new.text).map(|entry| entry.place);
        let place = new.place;
        new.repeats = first.is_some();
        *key = Some(new);
        if let Some(Place { line, column, .. }) = first {
            let fault = self.fault(place, format!("stands here again; it first stood at {line}:{column}"));
            self.faults.push(fault);
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Fault> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err(self.fault(place, "an alias cannot be a key"));
        }
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.fault(place, "an alias stands inside what it refers to"));
        };
        let (nodes, height) = measure(node);
        self.aliased += nodes;
        if self.aliased > ALIASED_NODES_MAX || self.open.len() + height > DEPTH_MAX {
            return Err(self.fault(place, "aliases make the document too large or too deep"));
        }
        let node = node.clone();
        self.add(node, 0)
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, merged, .. }) => match key.take() {
                Some(key) if key.merges => {
                    let place = node.place;
                    let Some(more) = merge_sources(node) else {
                        return Err(self.fault(place, "`<<` takes a section or a list of sections"));
                    };
                    merged.extend(more);
                }
                Some(key) if key.repeats => {}
                Some(key) => entries.push(Entry { key: key.text, place: key.place, value: node }),
                None => {}
            },
        }
        Ok(())
    }

    fn place(&self, marker: Marker) -> Place {
        Place { source: self.source, line: marker.line().max(1), column: marker.col() + 1 }
    }

    fn fault(&self, place: Place, message: impl Into<String>) -> Fault {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::List { items, .. } => path.push_str(&format!("[{}]", items.len())),
                Open::Map { key: Some(key), .. } if path.is_empty() => path.push_str(&key.text),
                Open::Map { key: Some(key), .. } => path.extend([".", &key.text]),
                Open::Map { .. } => {}
            }
        }
        Fault { place, path, message: message.into() }
    }
}

/// The entries that a merge key brings in (YAML 1.1, "Merge Key"); of equal keys the first counts.
fn merge_sources(node: Node) -> Option<Vec<Entry>> {
    match node.value {
        Value::Map(entries) => Some(entries),
        Value::List(items) => {
            let sources = items.into_iter().map(|item| match item.value {
                Value::Map(entries) => Some(entries),
                _ => None,
            });
            sources.collect::<Option<Vec<_>>>().map(|sources| sources.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// The number of nodes in a tree, and its height.
fn measure(node: &Node) -> (usize, usize) {
    let below = |(nodes, height): (usize, usize), child: &Node| {
        let (more, below) = measure(child);
        (nodes + more, height.max(below + 1))
    };
    match &node.value {
        Value::List(items) => items.iter().fold((1, 0), below),
        Value::Map(entries) => entries.iter().map(|entry| &entry.value).fold((1, 0), below),
        _ => (1, 0),
    }
}
