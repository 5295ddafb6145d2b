//! YAML as a tree that knows where in the text each part of it stands.

use super::diagnostic::Place;
use super::path::{join, join_number};
use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// How deep sections and lists may nest: far more than any configuration needs, and shallow enough
/// to walk recursively.
const DEPTH_MAX: usize = 64;

/// The most sections, lists and values of a text: far more than any configuration has, and few enough to be kept.
const NODES_MAX: usize = 200_000;

/// The most documents of a text.
const DOCUMENTS_MAX: usize = 1000;

/// How much anchors and aliases may copy in all, in bytes of memory, so that a few lines cannot expand to
/// gigabytes. An anchor copies what it stands at, and an alias copies that again.
const COPIED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest key, in bytes. YAML itself allows no longer one where a line begins.
const KEY_BYTES_MAX: usize = 1024;

/// Keys that stand twice are named up to this number; more would tell nothing new.
const REPEATS_MAX: usize = 100;

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
    /// What stood there before references were filled in; `None` as long as they are not. All that one reference
    /// leads to shares it.
    pub written: Option<Rc<str>>,
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

    /// What it takes of memory, in bytes.
    pub fn bytes(&self) -> usize {
        Size::of(self).bytes
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

/// What is said of a text that holds too much.
fn too_many(place: Place) -> Fault {
    let message = format!("more than {NODES_MAX} sections, lists and values: that is no configuration");
    Fault { place, path: String::new(), message }
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
    // The parser holds a section or list in brackets as a whole before it tells of it, in a hundred times its text.
    let in_brackets = text.bytes().filter(|byte| b",[{".contains(byte)).count();
    if in_brackets > NODES_MAX {
        return (Vec::new(), vec![too_many(Place::start_of(source))]);
    }
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
    List {
        place: Place,
        anchor: usize,
        items: Vec<Node>,
    },
    Map {
        place: Place,
        anchor: usize,
        entries: Vec<Entry>,
        /// Where each key stood first.
        keys: HashMap<String, Place>,
        key: Option<Key>,
        merged: Vec<Entry>,
    },
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
    nodes: usize,
    copied_bytes: usize,
    repeats: usize,
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
                let (entries, merged) = (Vec::new(), Vec::new());
                self.begin(
                    Open::Map { place, anchor, entries, keys: HashMap::new(), key: None, merged },
                    place,
                )
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
            Some(Open::Map { place, anchor, mut entries, mut keys, merged, .. }) => {
                // Of equal keys the first counts.
                let is_new = |entry: &Entry| keys.insert(entry.key.clone(), entry.place).is_none();
                entries.extend(merged.into_iter().filter(is_new));
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
        let place = new.place;
        if new.text.len() > KEY_BYTES_MAX {
            return Err(self.fault(place, format!("expected a key of at most {KEY_BYTES_MAX} bytes")));
        }
        let Some(Open::Map { keys, key, .. }) = self.open.last_mut() else { return Ok(()) };
        let first = keys.get(&new.text).copied();
        if first.is_none() && !new.merges {
            keys.insert(new.text.clone(), place);
        }
        new.repeats = first.is_some();
        *key = Some(new);
        if let Some(first) = first {
            self.repeated(place, first);
        }
        Ok(())
    }

    /// Reports a key that stands twice, as long as there are not too many of them.
    fn repeated(&mut self, place: Place, Place { line, column, .. }: Place) {
        self.repeats += 1;
        if self.repeats > REPEATS_MAX + 1 {
            return;
        }
        let more = if self.repeats > REPEATS_MAX { ", as do other keys below" } else { "" };
        let fault = self.fault(place, format!("stands here again; it first stood at {line}:{column}{more}"));
        self.faults.push(fault);
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Fault> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err(self.fault(place, "an alias cannot be a key"));
        }
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.fault(place, "an alias stands inside what it refers to"));
        };
        let size = Size::of(node);
        let is_small = self.copied_bytes + size.bytes <= COPIED_BYTES_MAX
            && self.nodes + size.nodes <= NODES_MAX
            && self.open.len() + size.height <= DEPTH_MAX;
        if !is_small {
            return Err(self.fault(place, "aliases make the document too large or too deep"));
        }
        self.copied_bytes += size.bytes;
        self.nodes += size.nodes;
        let node = node.clone();
        self.add(node, 0)
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(too_many(node.place));
        }
        if anchor > 0 {
            self.copied_bytes += Size::of(&node).bytes;
            if self.copied_bytes > COPIED_BYTES_MAX {
                return Err(self.fault(node.place, "anchors make the document too large"));
            }
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None if self.documents.len() == DOCUMENTS_MAX => {
                let message = format!("more than {DOCUMENTS_MAX} documents: that is no configuration");
                return Err(self.fault(node.place, message));
            }
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
        let path = self.open.iter().fold(String::new(), |path, open| match open {
            Open::List { items, .. } => join_number(&path, items.len()),
            Open::Map { key: Some(key), .. } => join(&path, &key.text),
            Open::Map { .. } => path,
        });
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

/// How large a tree is.
struct Size {
    nodes: usize,
    /// What a copy takes of memory.
    bytes: usize,
    height: usize,
}

impl Size {
    fn of(node: &Node) -> Size {
        let own = Size { nodes: 1, bytes: size_of::<Entry>() + node.text.len(), height: 0 };
        match &node.value {
            Value::List(items) => items.iter().fold(own, Size::with),
            Value::Map(entries) => entries.iter().fold(own, |size, Entry { key, value, .. }| {
                let size = size.with(value);
                Size { bytes: size.bytes + key.len(), ..size }
            }),
            _ => own,
        }
    }

    fn with(self, child: &Node) -> Size {
        let below = Size::of(child);
        Size {
            nodes: self.nodes + below.nodes,
            bytes: self.bytes + below.bytes,
            height: self.height.max(below.height + 1),
        }
    }
}
