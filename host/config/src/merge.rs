//! Several sources that come to one configuration, as in the Collector: sections are merged key by key, and
//! anything else, lists included, takes the place of what was there.

use super::source::keys_of;
use super::yaml::{Entry, Node, Value};
use std::collections::HashMap;

/// Puts a later source over what the earlier ones came to.
pub(super) fn merge(earlier: &mut Node, later: Node) {
    match (&mut earlier.value, later.value) {
        (Value::Map(entries), Value::Map(more)) => put_all(entries, more),
        (_, value) => *earlier = Node { value, ..later },
    }
}

/// Puts later entries over earlier ones, each found by its key at once.
fn put_all(entries: &mut Vec<Entry>, more: impl IntoIterator<Item = Entry>) {
    let known = entries.iter().enumerate().map(|(number, entry)| (entry.key.clone(), number));
    let mut numbers: HashMap<String, usize> = known.collect();
    for later in more {
        match numbers.get(&later.key).and_then(|number| entries.get_mut(*number)) {
            Some(entry) => {
                entry.place = later.place;
                merge(&mut entry.value, later.value);
            }
            None => {
                numbers.insert(later.key.clone(), entries.len());
                entries.push(later);
            }
        }
    }
}

/// A value below the keys that lead to it, from the outermost.
pub(super) fn below(keys: &[&str], value: Node) -> Node {
    keys.iter().rev().fold(value, |value, key| {
        let place = value.place;
        let entry = Entry { key: (*key).to_owned(), place, value };
        Node::new(place, Value::Map(vec![entry]), String::new())
    })
}

/// The same document with sections in place of keys that are paths.
pub(super) fn unfolded(mut document: Node) -> Node {
    let Value::Map(entries) = document.value else { return document };
    let mut unfolded = Vec::new();
    let of_paths = entries.into_iter().map(|Entry { key, place, value }| {
        let value = self::unfolded(value);
        let keys = keys_of(&key);
        let (first, rest) = keys.split_first().unwrap_or((&"", &[]));
        Entry { key: (*first).to_owned(), place, value: below(rest, value) }
    });
    put_all(&mut unfolded, of_paths);
    document.value = Value::Map(unfolded);
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn node(text: &str) -> Node {
        yaml::parse(text).0.unwrap()
    }

    /// A short form of a tree.
    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Map(entries) => {
                let entries = entries.iter().map(|entry| format!("{}: {}", entry.key, shown(&entry.value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            Value::List(items) => {
                format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "))
            }
            Value::Null => "null".to_owned(),
            _ => node.text.clone(),
        }
    }

    #[test]
    fn sections_merge_and_everything_else_replaces() {
        for (earlier, later, expected) in [
            ("{a: {b: 1, c: 2}}", "{a: {c: 3, d: 4}, e: 5}", "{a: {b: 1, c: 3, d: 4}, e: 5}"),
            ("{a: [1, 2]}", "{a: [3]}", "{a: [3]}"),
            ("{a: {b: 1}}", "{a: }", "{a: null}"),
            ("{a: }", "{a: {b: 1}}", "{a: {b: 1}}"),
            ("{a: 1}", "{a: {b: 1}}", "{a: {b: 1}}"),
            ("", "{a: 1}", "{a: 1}"),
        ] {
            let mut merged = node(earlier);
            merge(&mut merged, node(later));
            assert_eq!(shown(&merged), expected, "{earlier} {later}");
        }
    }

    #[test]
    fn keys_that_are_paths_become_sections() {
        let document = unfolded(node("{a::b: 1, a::c::d: 2, e: {f::g: 3}}"));
        assert_eq!(shown(&document), "{a: {b: 1, c: {d: 2}}, e: {f: {g: 3}}}");
        assert_eq!(shown(&below(&["a", "b"], node("[1]"))), "{a: {b: [1]}}");
    }
}
