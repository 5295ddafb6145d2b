//! Making a Collector file of another form of configuration.

use super::place::Place;
use super::yaml::{Entry, Node, Value};

/// What the file sends with, and signs with.
pub(super) const EXPORTER: &str = "prometheusremotewrite";
pub(super) const SIGNER: &str = "sigv4auth";
pub(super) const BASIC_AUTH: &str = "basicauth";
pub(super) const BEARER_AUTH: &str = "bearertokenauth";

/// The AWS service to sign for where nothing else is said.
pub(super) const SERVICE: &str = "aps";

/// The id of the exporter that is called so, if that can be a name.
pub(super) fn exporter_id(name: &str) -> Option<String> {
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    is_name.then(|| format!("{EXPORTER}/{name}"))
}

/// Makes nodes that stand for nothing in particular, and are placed where the whole stands.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub place: Place,
}

impl Draft {
    /// A section of those parts that there are.
    pub fn section<'k>(self, parts: impl IntoIterator<Item = (&'k str, Option<Node>)>) -> Node {
        let entry = |(key, node): (&str, Option<Node>)| {
            node.map(|value| Entry { key: key.to_owned(), place: value.place, value })
        };
        Node::new(self.place, Value::Map(parts.into_iter().filter_map(entry).collect()), String::new())
    }

    /// A section with one part.
    pub fn within(self, key: &str, part: Node) -> Node {
        self.section([(key, Some(part))])
    }

    /// A section that can be switched on and off.
    pub fn switch(self, enabled: Node) -> Node {
        self.within("enabled", enabled)
    }

    /// A text.
    pub fn text(self, text: &str) -> Node {
        Node::new(self.place, Value::Text, text.to_owned())
    }

    /// True or false.
    pub fn flag(self, flag: bool) -> Node {
        Node::new(self.place, Value::Boolean(flag), flag.to_string())
    }

    /// A whole number.
    pub fn integer(self, number: i64) -> Node {
        Node::new(self.place, Value::Integer(number), number.to_string())
    }

    /// A list of texts.
    pub fn texts(self, items: &[&str]) -> Node {
        self.list(items.iter().map(|item| self.text(item)).collect())
    }

    /// A list.
    pub fn list(self, items: Vec<Node>) -> Node {
        Node::new(self.place, Value::List(items), String::new())
    }

    /// A whole file with one pipeline of metrics, from the receiver `otlp` to one exporter, which an extension
    /// authenticates if there is one.
    pub fn file(
        self,
        protocols: Node,
        (id, exporter): (&str, Node),
        authenticator: Option<(&str, Node)>,
    ) -> Node {
        let pipeline = self
            .section([("receivers", Some(self.texts(&["otlp"]))), ("exporters", Some(self.texts(&[id])))]);
        self.section([
            ("receivers", Some(self.within("otlp", self.within("protocols", protocols)))),
            ("exporters", Some(self.within(id, exporter))),
            ("extensions", authenticator.as_ref().map(|(id, extension)| self.within(id, extension.clone()))),
            (
                "service",
                Some(self.section([
                    ("extensions", authenticator.map(|(id, _)| self.texts(&[id]))),
                    ("pipelines", Some(self.within("metrics", pipeline))),
                ])),
            ),
        ])
    }
}
