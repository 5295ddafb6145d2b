//! YAML as a tree that knows where in the text each part of it stands.

mod builder;

use super::place::Place;
use builder::Builder;
use saphyr_parser::Parser;
use std::rc::Rc;

/// The most sections, lists and values of a text: far more than any configuration has, and few enough to be kept.
const NODES_MAX: usize = 200_000;

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
    /// A variable that the text refers to and that is not set.
    pub unset: Option<Rc<str>>,
}

impl Node {
    /// Which part of a document this is: no other has the same number as long as the document is there.
    pub fn identity(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// A node that stands in a file.
    pub fn new(place: Place, value: Value, text: String) -> Node {
        Node { place, value, text, from_environment: false, known_as: None, written: None, unset: None }
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
    let mut builder = Builder::of(source);
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
