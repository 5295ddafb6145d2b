//! A section with fixed keys.

use super::{Value, View};
use crate::definition::{Definition, Form, Table, Tables};
use crate::diagnostic::{Report, Taken};
use crate::place::Place;
use crate::view::keys::{Flag, Key, Kind, Sub, Text};
use crate::yaml::Node;

/// A section whose keys have been checked, or one that is not in the document, where all keys have their defaults.
///
/// A value is only to be had by the definition of its key. What is taken where the document says nothing is noted, so
/// that `print-config` shows it.
pub(crate) struct Section<'d> {
    /// The section; the nearest one that is in the document where this one is not.
    view: View<'d>,
    entries: Vec<(&'d str, View<'d>)>,
    /// The keys that lead from `view` to a section that is not in the document.
    absent: Vec<&'static str>,
    tables: Tables,
}

impl<'d> Section<'d> {
    pub(super) fn present(view: View<'d>, entries: Vec<(&'d str, View<'d>)>, tables: Tables) -> Self {
        Section { view, entries, absent: Vec::new(), tables }
    }

    /// The section as a value.
    pub fn view(&self) -> &View<'d> {
        &self.view
    }

    /// What a key holds; `None` if it is absent or null, which both mean the default.
    pub fn get<K>(&self, key: &Key<K>) -> Option<View<'d>> {
        self.present_at(key).filter(|view| !view.is_null())
    }

    /// What a key holds, null included: for sections that are off when absent and on when null.
    pub fn present_at<K>(&self, key: &Key<K>) -> Option<View<'d>> {
        self.find(key.definition.name)
    }

    /// What a key holds that has no kind, such as an option of the component; `None` if it is absent or null.
    pub fn at(&self, definition: &Definition) -> Option<View<'d>> {
        self.find(definition.name).filter(|view| !view.is_null())
    }

    fn find(&self, name: &str) -> Option<View<'d>> {
        let is_defined = |table: &Table| table.iter().any(|definition| definition.name == name);
        debug_assert!(
            self.tables.is_empty() || self.tables.iter().any(is_defined),
            "`{name}` is no key of {}",
            self.view.path
        );
        self.entries.iter().find(|(entry, _)| *entry == name).map(|(_, view)| view.clone())
    }

    /// The value in the document; `None` if there is none, or none of this kind, which was reported.
    pub fn given<K: Kind>(&self, key: &Key<K>) -> Option<K::Value<'d>> {
        K::read(&key.definition.form, &self.get(key)?)
    }

    /// The value in the document, or the default of the key.
    pub fn value<K: Kind>(&self, key: &Key<K>) -> K::Value<'d>
    where
        K::Value<'d>: Default,
    {
        let default = key.preset();
        debug_assert!(default.is_some(), "`{}` has no default", key.definition.name);
        self.value_or(key, default.unwrap_or_default())
    }

    /// The value in the document, or one that depends on other keys.
    pub fn value_or<K: Kind>(&self, key: &Key<K>, default: K::Value<'d>) -> K::Value<'d> {
        self.given(key).unwrap_or_else(|| {
            self.note(key, &default);
            default
        })
    }

    /// Notes what holds where the document does not have the key.
    pub fn note<K: Kind>(&self, key: &Key<K>, default: &K::Value<'_>) {
        self.note_node(key, || {
            let (value, text) = K::written(default);
            Node::new(Place::NOWHERE, value, text)
        });
    }

    /// The same of a value that is no scalar.
    pub fn note_node<K>(&self, key: &Key<K>, value: impl FnOnce() -> Node) {
        if self.get(key).is_some() {
            return;
        }
        self.view.report.default(|| Taken {
            part: self.view.identity(),
            sections: self.absent.clone(),
            key: key.definition.name,
            value: value(),
        });
    }

    /// Where a switch is put on, if it is.
    pub fn on(&self, switch: &Key<Flag>) -> Option<View<'d>> {
        let is_on = self.value(switch);
        self.get(switch).filter(|_| is_on)
    }

    /// A text that is not empty, which would mean the default.
    pub fn text(&self, key: &Key<Text>) -> Option<(&'d str, View<'d>)> {
        let view = self.get(key)?;
        view.text().filter(|text| !text.is_empty()).map(|text| (text, view))
    }

    /// The same, or the default of the key.
    pub fn text_or_default(&self, key: &Key<Text>) -> &'d str {
        self.text(key).map_or_else(
            || {
                let default = key.preset().unwrap_or_default();
                self.note(key, &default);
                default
            },
            |(text, _)| text,
        )
    }

    /// A section within this one; `None` if it is absent or null.
    pub fn within(&self, key: &Key<Sub>) -> Option<Section<'d>> {
        self.get(key).map(|view| view.section_in(tables(key), self.tables))
    }

    /// The same of a section that is on when it is there, even if null.
    pub fn switched_on(&self, key: &Key<Sub>) -> Option<Section<'d>> {
        self.present_at(key).map(|view| view.section_in(tables(key), self.tables))
    }

    /// Reports a variable that was to give the value of a key and is not set.
    pub fn report_unset<K>(&self, key: &Key<K>) {
        if let Some(view) = self.present_at(key).filter(View::is_null)
            && let Some(fault) = view.variable_fault()
        {
            view.error(fault);
        }
    }

    /// Reports that a key lacks its value: at the variable that is not set, if one was to give it.
    pub fn report_missing<K>(&self, key: &Key<K>, message: &str) {
        match self.present_at(key).and_then(|view| Some((view.variable_fault()?, view))) {
            Some((fault, view)) => view.error(fault),
            None => self.view.error(message),
        }
    }

    /// A section within this one. Where it is absent, all its keys have their defaults.
    pub fn below(&self, key: &Key<Sub>) -> Section<'d> {
        self.within(key).unwrap_or_else(|| {
            let absent = self.absent.iter().copied().chain([key.definition.name]).collect();
            Section { view: self.view.clone(), entries: Vec::new(), absent, tables: tables(key) }
        })
    }

    /// The items of a list of sections.
    pub fn items(&self, key: &Key<Sub>) -> Vec<Section<'d>> {
        let items = self.get(key).map(|view| view.list()).unwrap_or_default();
        items.iter().map(|item| item.section(tables(key))).collect()
    }
}

/// What a reader makes of a section in which nothing stands: the defaults.
pub(crate) fn of_nothing<T>(read: impl FnOnce(&Section) -> T) -> T {
    let report = Report::new(Vec::new());
    let nothing = Node::new(Place::NOWHERE, Value::Null, String::new());
    read(&Section::present(View::root(&nothing, &report), Vec::new(), &[]))
}

/// The keys that a section has.
pub(crate) const fn tables(key: &Key<Sub>) -> Tables {
    match key.definition.form {
        Form::Section(tables) | Form::Sections(tables) => tables,
        _ => &[],
    }
}
