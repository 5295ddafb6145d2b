//! The options of the translation. They go to the component as they are: it knows their rules, and what
//! it says about a value is placed at the key of the file. Only the form is checked here, which YAML and
//! JSON do not share: what is a number, a section or a duration.

use super::keys;
use crate::component::ComponentConfig;
use crate::duration::milliseconds;
use crate::keys::Key;
use crate::view::{Section, View};
use serde_json::{Map, Value};

/// An option: its key in the file, its key in the component's configuration, and its form.
struct Choice {
    key: &'static str,
    option: &'static str,
    form: Form,
}

/// What may stand at a key of the file.
enum Form {
    /// True or false.
    Flag,
    /// A text, which may be empty.
    Text,
    /// A text, of which the empty one means the default, as in the Collector.
    Name,
    /// A whole number.
    Count,
    /// A whole number, of which 0 means the default, as in the Collector.
    CountOrDefault,
    /// A duration, which the component takes in milliseconds.
    Milliseconds,
    /// A list of texts.
    List,
    /// Texts under keys of the operator's own.
    Map,
    /// Fixed keys, all of one form.
    Section(&'static [&'static [Key]], &'static Form),
}

/// A section that can be switched on and off.
const SWITCH: Form = Form::Section(&[keys::SWITCH], &Form::Flag);

const fn choice(key: &'static str, form: Form) -> Choice {
    Choice { key, option: key, form }
}

const fn renamed(key: &'static str, option: &'static str, form: Form) -> Choice {
    Choice { key, option, form }
}

/// In the order of `keys::EXPORTER`.
const CHOICES: &[Choice] = &[
    choice("namespace", Form::Text),
    choice("external_labels", Form::Map),
    choice("add_metric_suffixes", Form::Flag),
    choice("translation_strategy", Form::Name),
    choice("resource_to_telemetry_conversion", Form::Section(&[keys::RESOURCE_LABELS], &Form::Flag)),
    choice("resource_constant_labels", Form::Section(&[keys::CONSTANT_LABELS], &Form::List)),
    choice("target_info", SWITCH),
    choice("disable_scope_info", Form::Flag),
    // The Collector's name from before scope labels; the component has the name of the series.
    renamed("scope_info", "otel_scope_info", SWITCH),
    choice("export_created_metric", SWITCH),
    choice("send_metadata", Form::Flag),
    choice("protobuf_message", Form::Name),
    choice("max_batch_size_bytes", Form::CountOrDefault),
    choice("convert_explicit_histograms_to_nhcb", Form::Flag),
    choice("keep_classic_histograms", Form::Flag),
    choice("profile", Form::Name),
    choice("exemplars", Form::Flag),
    choice("exponential_histograms", Form::Name),
    choice("delta", Form::Name),
    choice("delta_max_series", Form::Count),
    renamed("delta_max_idle", "delta_max_idle_ms", Form::Milliseconds),
    renamed("metadata_interval", "metadata_interval_ms", Form::Milliseconds),
    renamed("max_sample_age", "max_sample_age_ms", Form::Milliseconds),
    renamed("max_sample_future", "max_sample_future_ms", Form::Milliseconds),
    choice("max_labels_per_series", Form::Count),
    choice("max_labels_bytes", Form::Count),
];

/// Carries every option that the exporter has to the component.
pub(super) fn read_translation(exporter: &Section, component: &mut ComponentConfig) {
    for Choice { key, option, form } in CHOICES {
        if let Some(view) = exporter.get(key)
            && let Some(value) = form.read(&view, &[option], component)
        {
            component.set_from(option, value, &view);
        }
    }
}

impl Form {
    /// The value as JSON; `at` is where it goes. `None` stands for the default, or for a value that was reported.
    fn read(&self, view: &View, at: &[&str], component: &mut ComponentConfig) -> Option<Value> {
        let value = match self {
            Form::Flag => view.boolean()?.into(),
            Form::Text => view.text()?.into(),
            Form::Name => view.text().filter(|name| !name.is_empty())?.into(),
            Form::Count => view.integer(0, i64::MAX)?.into(),
            Form::CountOrDefault => view.integer(0, i64::MAX).filter(|count| *count > 0)?.into(),
            Form::Milliseconds => milliseconds(view.duration()?).into(),
            Form::List => read_list(view, at, component).into(),
            Form::Map => read_map(view, at, component).into(),
            Form::Section(table, form) => read_section(view, table, form, at, component).into(),
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
    table: &'static [&'static [Key]],
    form: &Form,
    at: &[&str],
    component: &mut ComponentConfig,
) -> Map<String, Value> {
    let section = view.section(table);
    let mut parts = Map::new();
    for Key { name, .. } in table.iter().copied().flatten() {
        let Some(view) = section.get(name) else { continue };
        let at = [at, &[*name]].concat();
        component.place(&at, &view);
        parts.extend(form.read(&view, &at, component).map(|value| ((*name).to_owned(), value)));
    }
    parts
}
