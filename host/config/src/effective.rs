//! What holds where a configuration says nothing: the defaults that its readers took.

use super::diagnostic::Taken;
use super::draft::Draft;
use super::exporter::OPTIONS;
use super::options::Options;
use super::place::Place;
use super::view::View;
use super::yaml::{Node, Value};
use std::collections::BTreeMap;

/// A value as it stands in its document, with the defaults that were taken while it was read.
pub(super) fn with_defaults(view: &View) -> Node {
    let (document, taken) = view.with_taken();
    let mut copy = document.clone();
    fill_in(&mut copy, document, taken);
    copy
}

fn fill_in(copy: &mut Node, document: &Node, taken: Vec<Taken>) {
    let mut by_part: BTreeMap<usize, Vec<Taken>> = BTreeMap::new();
    for default in taken {
        by_part.entry(default.part).or_default().push(default);
    }
    fill_part(copy, document, &mut by_part);
}

fn fill_part(copy: &mut Node, part: &Node, taken: &mut BTreeMap<usize, Vec<Taken>>) {
    match (&mut copy.value, &part.value) {
        (Value::List(copies), Value::List(parts)) => {
            copies.iter_mut().zip(parts).for_each(|(copy, part)| fill_part(copy, part, taken));
        }
        (Value::Map(copies), Value::Map(parts)) => {
            let both = copies.iter_mut().zip(parts);
            both.for_each(|(copy, part)| fill_part(&mut copy.value, &part.value, taken));
        }
        _ => {}
    }
    let draft = Draft { place: Place::NOWHERE };
    for Taken { sections, key, value, .. } in taken.remove(&part.identity()).unwrap_or_default() {
        let sections = sections.iter().rev();
        fill(copy, sections.fold(draft.within(key, value), |part, key| draft.within(key, part)));
    }
}

/// Puts into a section what it does not say.
pub(super) fn fill(section: &mut Node, defaults: Node) {
    let Value::Map(more) = defaults.value else { return };
    if matches!(section.value, Value::Null) {
        section.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut section.value else { return };
    for default in more {
        match entries.iter_mut().find(|entry| entry.key == default.key) {
            Some(entry) if matches!(entry.value.value, Value::Null) => entry.value = default.value,
            Some(entry) => fill(&mut entry.value, default.value),
            None => entries.push(default),
        }
    }
}

/// Puts the defaults of the component into an exporter.
pub(super) fn fill_options(document: &mut Node, exporter: &str, options: &Options, profile: &str) {
    let draft = Draft { place: Place::NOWHERE };
    let defaults = draft.section(OPTIONS.iter().map(|option| (option.name, options.node(option, profile))));
    fill(document, draft.within("exporters", draft.within(exporter, defaults)));
}
