//! A section with fixed keys.

use super::View;

/// A section whose keys have been checked.
pub(crate) struct Section<'d> {
    pub(super) view: View<'d>,
    pub(super) entries: Vec<(&'d str, View<'d>)>,
}

impl<'d> Section<'d> {
    /// The section as a value.
    pub fn view(&self) -> &View<'d> {
        &self.view
    }

    /// What a key holds; `None` if it is absent or null, which both mean the default.
    pub fn get(&self, key: &str) -> Option<View<'d>> {
        self.present(key).filter(|view| !view.is_null())
    }

    /// A text that is not empty, which would mean the default.
    pub fn text(&self, key: &str) -> Option<(&'d str, View<'d>)> {
        let view = self.get(key)?;
        view.text().filter(|text| !text.is_empty()).map(|text| (text, view))
    }

    /// What a key holds, null included: for sections that are off when absent and on when null.
    pub fn present(&self, key: &str) -> Option<View<'d>> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, view)| view.clone())
    }
}
