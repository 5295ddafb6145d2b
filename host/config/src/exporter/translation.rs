//! The options of the translation. They go to the component as they are: it knows their rules, and what
//! it says about a value is placed at the key of the file. Only the form is checked here, which YAML and
//! JSON do not share: what is a number, a section or a duration.

use super::keys::OPTIONS;
use crate::component::ComponentConfig;
use crate::definition::{Class, Definition, Form, OptionForm, Tables};
use crate::duration::milliseconds;
use crate::view::{Section, View};
use serde_json::{Map, Value};

/// Carries every option that the exporter has to the component.
pub(super) fn read_translation(exporter: &Section, component: &mut ComponentConfig) {
    for definition in OPTIONS {
        if let Some(view) = exporter.at(definition)
            && let (Class::Option(option), Form::Option(form)) = (definition.class, definition.form)
            && let Some(value) = form.read(&view, &[option], component)
        {
            component.set_from(option, value, &view);
        }
    }
}

impl OptionForm {
    /// The value as JSON; `at` is where it goes. `None` stands for the default, or for a value that was reported.
    fn read(self, view: &View, at: &[&str], component: &mut ComponentConfig) -> Option<Value> {
        let value = match self {
            OptionForm::Flag => view.boolean()?.into(),
            OptionForm::Text => view.text()?.into(),
            OptionForm::Name => view.text().filter(|name| !name.is_empty())?.into(),
            OptionForm::Count => view.integer(0, i64::MAX)?.into(),
            OptionForm::CountOrDefault => view.integer(0, i64::MAX).filter(|count| *count > 0)?.into(),
            OptionForm::Milliseconds => milliseconds(view.duration()?).into(),
            OptionForm::Texts => read_list(view, at, component).into(),
            OptionForm::Map => read_map(view, at, component).into(),
            OptionForm::Section(tables) => read_section(view, tables, at, component).into(),
        };
        Some(value)
    }
}

fn read_list(view: &View, at: &[&str], component: &mut ComponentConfig) -> Vec<Value> {
    let texts = view.texts().into_iter().enumerate();
    let item = |(index, (text, view)): (usize, (&str, View))| {
        component.place(&[at, &[&index.to_string()]].concat(), &view);
        text.into()
    };
    texts.map(item).collect()
}

fn read_map(view: &View, at: &[&str], component: &mut ComponentConfig) -> Map<String, Value> {
    let mut texts = Map::new();
    for (name, value) in view.entries() {
        component.place(&[at, &[name]].concat(), &value);
        // No value is the empty one, about which the component will complain.
        let text = if value.is_null() { Some("") } else { value.text() };
        texts.extend(text.map(|text| (name.to_owned(), text.into())));
    }
    texts
}

fn read_section(
    view: &View,
    tables: Tables,
    at: &[&str],
    component: &mut ComponentConfig,
) -> Map<String, Value> {
    let section = view.section(tables);
    let mut parts = Map::new();
    for definition in tables.iter().copied().flatten() {
        let Definition { name, form: Form::Option(form), .. } = definition else { continue };
        let Some(view) = section.at(definition) else { continue };
        let at = [at, &[*name]].concat();
        component.place(&at, &view);
        parts.extend(form.read(&view, &at, component).map(|value| ((*name).to_owned(), value)));
    }
    parts
}
