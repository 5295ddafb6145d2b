//! A Collector file that stands as a text in another document.

use super::diagnostic::Report;
use super::place::Place;
use super::view::View;
use super::yaml::{self, Node, Value};

/// Reads the text; what is wrong is reported, and what is in it is placed in the file that it stands in.
pub(super) fn read(view: &View, source: &str, report: &Report) -> Option<Node> {
    let text = view.text()?;
    let place = view.location().place;
    let shift = Shift::find(text, source, place);
    let (document, faults) = yaml::parse(text);
    for fault in &faults {
        report.error(shift.of(fault.place), &fault.path, fault.message.clone());
    }
    let mut document = document?;
    shift.apply(&mut document);
    Some(document)
}

/// How places in the text become places in the file.
struct Shift {
    /// Where the text stands.
    outer: Place,
    /// The first line of the text in the file, from 0, and what stands before it in every line; `None` if its
    /// lines are not lines of the file.
    lines: Option<(usize, usize)>,
}

impl Shift {
    fn find(text: &str, source: &str, outer: Place) -> Shift {
        let lines: Vec<&str> = source.lines().collect();
        // The parser places a block at its sign or at its first line.
        let stands_at = |first: usize| {
            let mut pairs = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            pairs.all(|(index, line)| {
                lines.get(first + index).is_some_and(|whole| whole.trim_end().ends_with(line.trim_end()))
            })
        };
        let first = (outer.line - 1..=outer.line).find(|first| stands_at(*first));
        let lines = first.and_then(|first| {
            let (index, line) = text.lines().enumerate().find(|(_, line)| !line.trim().is_empty())?;
            Some((first, lines.get(first + index)?.trim_end().len() - line.trim_end().len()))
        });
        Shift { outer, lines }
    }

    fn of(&self, place: Place) -> Place {
        match self.lines {
            Some((first, indent)) => {
                Place { line: place.line + first, column: place.column + indent, ..self.outer }
            }
            None => self.outer,
        }
    }

    fn apply(&self, node: &mut Node) {
        node.place = self.of(node.place);
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.apply(item)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.place = self.of(entry.place);
                    self.apply(&mut entry.value);
                }
            }
            _ => {}
        }
    }
}
