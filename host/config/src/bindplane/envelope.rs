//! What is around the parameters of a resource: Bindplane's own form, what its API and Terraform
//! provider use, and what people make of it.

use crate::view::View;
use crate::yaml::Value;

/// A kind of resource that preamp can stand for, in its one type.
pub(super) struct Kind {
    pub kind: &'static str,
    pub type_name: &'static str,
    /// What messages call it.
    pub noun: &'static str,
}

/// A resource of the right type.
pub(super) struct Resource<'d> {
    /// Its name, if it has one.
    pub name: Option<&'d str>,
    /// Its parameters: a list of names and values, or a map.
    pub parameters: View<'d>,
}

/// Where the parts of a resource may stand.
pub(super) struct Envelope<'d> {
    root: View<'d>,
    body: View<'d>,
    metadata: View<'d>,
}

impl<'d> Envelope<'d> {
    pub fn new(root: View<'d>) -> Self {
        let root = root.entry("destination").unwrap_or(root);
        let part = |key: &str| root.entry(key).unwrap_or_else(|| root.clone());
        Envelope { body: part("spec"), metadata: part("metadata"), root }
    }

    /// What it says it is.
    pub fn kind(&self) -> Option<&'d str> {
        self.root.entry("kind").and_then(|kind| kind.scalar_text())
    }

    pub fn name(&self) -> Option<&'d str> {
        self.metadata.entry("name").and_then(|name| name.scalar_text()).filter(|name| !name.is_empty())
    }

    /// Its name, unless that comes from a reference, so that no message may show it.
    pub fn shown_name(&self) -> Option<&'d str> {
        self.name().filter(|_| !self.metadata.entry("name").is_some_and(|name| name.is_hidden()))
    }

    /// Whether a reference means this one.
    pub fn is_called(&self, name: &str) -> bool {
        let id = self.metadata.entry("id").and_then(|id| id.scalar_text());
        self.name() == Some(name) || id == Some(name)
    }

    /// Its type, without the version of Bindplane's own definition that may stand behind a colon.
    pub fn type_name(&self) -> Option<&'d str> {
        let text = self.part("type")?.scalar_text()?;
        Some(text.split_once(':').map_or(text, |(name, _version)| name))
    }

    /// The whole of it.
    pub fn view(&self) -> &View<'d> {
        &self.root
    }

    /// Where the page's example lost its headings, parts of the one stand beside those of the other.
    pub fn part(&self, key: &str) -> Option<View<'d>> {
        [&self.body, &self.metadata, &self.root].into_iter().find_map(|view| view.entry(key))
    }

    /// The resource, if it can be used; `None` after it was reported why not.
    pub fn open(&self, expected: &Kind) -> Option<Resource<'d>> {
        let Kind { kind, noun, .. } = expected;
        if matches!(self.root.value(), Value::List(_)) {
            return Some(Resource { name: None, parameters: self.root.clone() });
        }
        if let Some(view) = self.root.entry("kind")
            && view.text()? != *kind
        {
            view.error(format!("{} is not supported: expected the kind {kind}", view.shown()));
            return None;
        }
        self.check_type(expected)?;
        if let Some(disabled) = self.part("disabled").filter(|view| view.boolean() == Some(true)) {
            disabled.key_error(format!("switches the {noun} off: take this out to use it"));
        }
        if let Some(processors) = self.part("processors").filter(|view| !view.list().is_empty()) {
            processors.key_error(format!(
                "are not supported by this version of preamp: take them out of the {noun}"
            ));
        }
        let Some(parameters) = self.part("parameters") else {
            self.root.error("lacks `parameters`, a list of entries with `name` and `value`");
            return None;
        };
        Some(Resource { name: self.name(), parameters })
    }

    fn check_type(&self, Kind { type_name, noun, .. }: &Kind) -> Option<()> {
        let Some(view) = self.part("type") else {
            self.root.error(format!("lacks `type`: expected {type_name}"));
            return None;
        };
        view.text()?;
        let found = self.type_name()?;
        if found == *type_name {
            return Some(());
        }
        let hint = view.suggest(found, [*type_name]);
        view.error(format!("{} is no {noun} that preamp stands for; {hint}", view.shown()));
        None
    }
}
