//! Bindplane's documentation prints a destination with line numbers, and the lines `apiVersion`,
//! `metadata:` and `spec:` lost: pasted as it is, it is no YAML.

use crate::place::Place;
use crate::yaml::{Node, Value};

/// A text made into YAML, and how much was taken from the front of its lines.
pub(crate) struct Repaired {
    pub text: String,
    removed: Vec<usize>,
}

/// Repairs a text that begins as that print does; `None` if it does not.
pub(crate) fn repaired(text: &str) -> Option<Repaired> {
    let unnumbered: Vec<&str> = text.lines().map(without_number).collect();
    let mut filled = unnumbered.iter().filter(|line| !line.trim().is_empty());
    if filled.next()?.trim() != "kind: Destination" {
        return None;
    }
    let indent = filled.map(|line| indent(line)).min()?;
    let lines: Vec<&str> = unnumbered
        .iter()
        .map(|line| {
            if line.trim() == "kind: Destination" {
                line.trim_start()
            } else {
                line.get(indent..).unwrap_or("")
            }
        })
        .collect();
    let removed = text.lines().zip(&lines).map(|(before, after)| before.len() - after.len()).collect();
    Some(Repaired { text: lines.join("\n"), removed })
}

impl Repaired {
    /// Moves the places in a document to where they were before the repair.
    pub fn replace(&self, node: &mut Node) {
        self.shift(&mut node.place);
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.replace(item)),
            Value::Map(entries) => {
                for entry in entries {
                    self.shift(&mut entry.place);
                    self.replace(&mut entry.value);
                }
            }
            _ => {}
        }
    }

    fn shift(&self, place: &mut Place) {
        place.column += self.removed.get(place.line - 1).copied().unwrap_or(0);
    }
}

/// A line without the number in front of it, if it has one.
fn without_number(line: &str) -> &str {
    let digits = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    if digits.len() == line.trim_start().len() {
        line
    } else {
        digits.strip_prefix([' ', '\t']).unwrap_or(digits)
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
