//! The configuration of the component, and where in the file each part of it comes from.

use super::view::{Location, View};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Collects the options that are carried to the component unread.
pub(super) struct ComponentConfig {
    json: Map<String, Value>,
    places: Places,
}

/// Where the parts of the component's configuration stand, by JSON Pointer.
pub(super) type Places = BTreeMap<String, Location>;

impl ComponentConfig {
    /// Starts with what every exporter of this host has; parts that stand nowhere in the file are placed at the exporter.
    pub fn new(exporter: &View) -> Self {
        // The pool of instances adds the digests (`crate::component`).
        let json = Map::from_iter([("digest".to_owned(), Value::Bool(false))]);
        ComponentConfig { json, places: Places::from([(String::new(), exporter.location())]) }
    }

    /// Sets an option.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }

    /// Sets an option that stands in the file.
    pub fn set_from(&mut self, key: &str, value: impl Into<Value>, view: &View) {
        self.set(key, value);
        self.place(&[key], view);
    }

    /// Notes where a part stands.
    pub fn place(&mut self, keys: &[&str], view: &View) {
        self.places.insert(pointer(keys), view.location());
    }

    /// The JSON text, and the places.
    pub fn finish(self) -> (String, Places) {
        (Value::Object(self.json).to_string(), self.places)
    }
}

/// A JSON Pointer (RFC 6901, section 3).
fn pointer(keys: &[&str]) -> String {
    keys.iter().fold(String::new(), |pointer, key| pointer + "/" + &key.replace('~', "~0").replace('/', "~1"))
}

/// The place of the nearest part that contains the one pointed to.
pub(super) fn nearest<'p>(places: &'p Places, pointer: &str) -> Option<&'p Location> {
    let mut part = pointer;
    loop {
        match (places.get(part), part.rfind('/')) {
            (Some(location), _) => return Some(location),
            (None, Some(end)) => part = &part[..end],
            (None, None) => return None,
        }
    }
}
