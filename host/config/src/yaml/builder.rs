//! Builds trees from the parser's events, without recursion, and bounds what they may take.

use super::{Entry, Fault, NODES_MAX, Node, Size, Value, too_many};
use crate::path::{join, join_number};
use crate::place::Place;
use saphyr::Scalar;
use saphyr_parser::{Event, Marker, ScalarStyle, Span, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// How deep sections and lists may nest: far more than any configuration needs, and shallow enough
/// to walk recursively.
const DEPTH_MAX: usize = 64;

/// The most documents of a text.
const DOCUMENTS_MAX: usize = 1000;

/// How much anchors and aliases may copy in all, in bytes of memory, so that a few lines cannot expand to
/// gigabytes. An anchor copies what it stands at, and an alias copies that again.
const COPIED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest key, in bytes. YAML itself allows no longer one where a line begins.
const KEY_BYTES_MAX: usize = 1024;

/// Keys that stand twice are named up to this number; more would tell nothing new.
const REPEATS_MAX: usize = 100;

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
pub(super) struct Builder {
    source: usize,
    pub documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    copied_bytes: usize,
    repeats: usize,
    pub faults: Vec<Fault>,
}

impl Builder {
    /// Begins the `source`-th text of a configuration.
    pub fn of(source: usize) -> Builder {
        Builder { source, ..Builder::default() }
    }

    /// Takes the parser's next event.
    pub fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
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

    /// Where a mark of the parser is.
    pub fn place(&self, marker: Marker) -> Place {
        Place { source: self.source, line: marker.line().max(1), column: marker.col() + 1 }
    }

    /// What is wrong at a place.
    pub fn fault(&self, place: Place, message: impl Into<String>) -> Fault {
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
