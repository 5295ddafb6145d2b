//! Reads a JSON object key by key, collecting problems instead of stopping at the first.

use preamp_contract::Problem;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One object of the document, and the problems found in it and below it.
///
/// Every key asked for counts as known; [`Reader::finish`] reports the others. A section hands its
/// problems to its parent when it goes out of scope.
pub struct Reader<'d, 'p> {
    object: Option<&'d Map<String, Value>>,
    prefix: String,
    known: BTreeSet<String>,
    problems: Problems<'p>,
}

enum Problems<'p> {
    Own(Vec<Problem>),
    Parent(&'p mut Vec<Problem>),
}

impl Problems<'_> {
    fn list(&mut self) -> &mut Vec<Problem> {
        match self {
            Problems::Own(list) => list,
            Problems::Parent(list) => list,
        }
    }
}

/// So many keys of a section that are not known are reported each, with all that could stand there.
const UNKNOWN_MAX: usize = 100;

/// Escapes a key as a JSON Pointer token (RFC 6901, section 3).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl<'d> Reader<'d, 'static> {
    /// Starts at the document itself.
    pub fn new(document: &'d Value) -> Self {
        let mut reader = Reader {
            object: document.as_object(),
            prefix: String::new(),
            known: BTreeSet::new(),
            problems: Problems::Own(Vec::new()),
        };
        if reader.object.is_none() {
            let message = format!("expected an object, found {}", kind(document));
            reader.problems.list().push(Problem { path: String::new(), message });
        }
        reader
    }

    /// All problems, in the order of their places.
    pub fn finish(mut self) -> Vec<Problem> {
        self.report_unknown();
        let mut problems = std::mem::take(self.problems.list());
        problems.sort_by(|a, b| a.path.cmp(&b.path));
        problems
    }
}

impl<'d> Reader<'d, '_> {
    /// Notes a problem at a key of this object, or at a path below it.
    pub fn problem(&mut self, path: &str, message: String) {
        let path = format!("{}/{path}", self.prefix);
        self.problems.list().push(Problem { path, message });
    }

    /// Whether the key is there and not null.
    pub fn has(&self, key: &str) -> bool {
        self.object.and_then(|object| object.get(key)).is_some_and(|value| !value.is_null())
    }

    /// The object at a key; an empty one where it is absent.
    pub fn section(&mut self, key: &str) -> Reader<'d, '_> {
        let object = self.read(key, "an object", Value::as_object);
        Reader {
            object,
            prefix: format!("{}/{}", self.prefix, escape(key)),
            known: BTreeSet::new(),
            problems: Problems::Parent(self.problems.list()),
        }
    }

    /// A text.
    pub fn string(&mut self, key: &str) -> Option<String> {
        self.read(key, "a string", Value::as_str).map(str::to_owned)
    }

    /// One of the texts listed.
    pub fn choice(&mut self, key: &str, choices: &[&'static str]) -> Option<&'static str> {
        let text = self.read(key, "a string", Value::as_str)?;
        let choice = choices.iter().copied().find(|choice| *choice == text);
        if choice.is_none() {
            self.problem(key, format!("{text:?} is not one of {}", choices.join(", ")));
        }
        choice
    }

    /// True or false.
    pub fn bool(&mut self, key: &str) -> Option<bool> {
        self.read(key, "true or false", Value::as_bool)
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, key: &str, min: u64, max: u64) -> Option<u64> {
        let expected = format!("a whole number from {min} to {max}");
        self.read(key, &expected, |value| value.as_u64().filter(|n| (min..=max).contains(n)))
    }

    /// A number within bounds.
    pub fn number(&mut self, key: &str, min: f64, max: f64) -> Option<f64> {
        let expected = format!("a number from {min} to {max}");
        self.read(key, &expected, |value| value.as_f64().filter(|n| (min..=max).contains(n)))
    }

    /// A list of texts.
    pub fn strings(&mut self, key: &str) -> Vec<String> {
        let items = self.read(key, "a list of strings", Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) => strings.push(text.to_owned()),
                None => {
                    let message = format!("expected a string, found {}", kind(item));
                    self.problem(&format!("{key}/{index}"), message);
                }
            }
        }
        strings
    }

    /// An object whose values are texts, in the order of its keys.
    pub fn string_map(&mut self, key: &str) -> Vec<(String, String)> {
        let Some(object) = self.read(key, "an object of strings", Value::as_object) else {
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(object.len());
        for (name, value) in object {
            match value.as_str() {
                Some(text) => entries.push((name.clone(), text.to_owned())),
                None => {
                    let message = format!("expected a string, found {}", kind(value));
                    self.problem(&format!("{key}/{}", escape(name)), message);
                }
            }
        }
        entries.sort();
        entries
    }

    fn read<T>(&mut self, key: &str, expected: &str, get: impl Fn(&'d Value) -> Option<T>) -> Option<T> {
        self.known.insert(key.to_owned());
        let value = self.object?.get(key).filter(|value| !value.is_null())?;
        let read = get(value);
        if read.is_none() {
            self.problem(key, format!("expected {expected}, found {}", kind(value)));
        }
        read
    }

    fn report_unknown(&mut self) {
        let Some(object) = self.object.take() else { return };
        let known = self.known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let mut unknown = object.keys().filter(|key| !self.known.contains(*key));
        for key in unknown.by_ref().take(UNKNOWN_MAX) {
            let message = format!("is not an option here; there are {known}");
            let path = format!("{}/{}", self.prefix, escape(key));
            self.problems.list().push(Problem { path, message });
        }
        let more = unknown.count();
        if more > 0 {
            let message = format!("has {more} more keys that are no options");
            self.problems.list().push(Problem { path: self.prefix.clone(), message });
        }
    }
}

impl Drop for Reader<'_, '_> {
    fn drop(&mut self) {
        self.report_unknown();
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        // Not as the library writes floating-point numbers, whose tables would be 12 KB of the component.
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.to_string(),
            (_, Some(integer)) => integer.to_string(),
            _ => format!("{:?}", number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
