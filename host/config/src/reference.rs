//! The reference of all keys, made of their definitions: for the terminal, and for docs/configuration.md.

mod markdown;
mod words;

use super::definition::{Class, Definition, Form, Harmless, OptionForm, Preset, Tables};
use super::options::{OptionDefault, Options, by_profile, text_of};
use super::root;
pub use markdown::markdown;
use words::{count, quoted, shown, text};

/// What there is to know of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReference {
    /// The section that it stands in: keys joined by dots, the type in place of an id, `[]` for each item of a list.
    pub section: String,
    /// Its name.
    pub name: String,
    /// How this version treats it.
    pub class: KeyClass,
    /// What may stand there; empty for what is not looked at.
    pub form: String,
    /// What holds where nothing stands there; empty for nothing.
    pub default: String,
    /// The first version that has it.
    pub since: &'static str,
    /// Whether only preamp has it, and no Collector.
    pub is_own: bool,
    /// What it does, or why it is not taken.
    pub meaning: String,
}

/// How this version treats a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyClass {
    /// It does something.
    Read,
    /// Only values that change nothing are taken.
    NotYet,
    /// It is ignored with a warning.
    Ignored,
}

impl KeyClass {
    /// Its name, for people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::NotYet => "not yet",
            Self::Ignored => "ignored",
        }
    }
}

impl KeyReference {
    /// The keys that lead to it.
    #[must_use]
    pub fn path(&self) -> String {
        join(&self.section, &self.name)
    }

    /// What is the same wherever the key stands.
    fn is_like(&self, other: &KeyReference) -> bool {
        let own = |key: &KeyReference| KeyReference { section: String::new(), ..key.clone() };
        own(self) == own(other)
    }
}

/// All keys of a Collector file, in the order of the reference.
#[must_use]
pub fn key_references(options: &Options) -> Vec<KeyReference> {
    sections(options).into_iter().flat_map(|section| section.keys).collect()
}

/// A section and its keys.
struct Section {
    path: String,
    /// The same with the other names of a type.
    others: Vec<String>,
    /// The section whose keys it has too.
    base: Option<String>,
    keys: Vec<KeyReference>,
}

fn sections(options: &Options) -> Vec<Section> {
    let mut walk = Walk { options, sections: Vec::new() };
    walk.section("", root::TABLES, &[]);
    walk.sections
}

struct Walk<'o> {
    options: &'o Options,
    sections: Vec<Section>,
}

impl Walk<'_> {
    /// Adds a section and those in it; `option` leads to it where it is one of options.
    fn section(&mut self, path: &str, tables: Tables, option: &[&str]) {
        let mut keys: Vec<_> =
            tables.iter().copied().flatten().map(|key| self.key(path, key, option)).collect();
        keys.sort_by_key(|key| key.class);
        self.sections.push(Section { path: path.to_owned(), others: Vec::new(), base: None, keys });
        for key in tables.iter().copied().flatten() {
            let below = join(path, key.name);
            match key.form {
                Form::Section(tables) => self.section(&below, tables, &[]),
                Form::Sections(tables) | Form::Headers(tables) => {
                    self.section(&format!("{below}[]"), tables, &[])
                }
                Form::Pipelines(tables) => self.section(&format!("{below}.metrics"), tables, &[]),
                Form::Components(types) => {
                    for kind in types {
                        let Some((name, others)) = kind.names.split_first() else { continue };
                        let number = self.sections.len();
                        self.section(&join(&below, name), kind.tables, &[]);
                        let section = &mut self.sections[number];
                        section.others = others.iter().map(|name| join(&below, name)).collect();
                        section.base = kind.base.map(|base| join(&below, base.names[0]));
                    }
                }
                Form::Option(OptionForm::Section(tables)) => {
                    self.section(&below, tables, &[option, &[option_of(key)]].concat());
                }
                _ => {}
            }
        }
    }

    fn key(&self, section: &str, key: &Definition, within: &[&str]) -> KeyReference {
        let option = [within, &[option_of(key)]].concat();
        let is_option = matches!(key.form, Form::Option(_));
        let about = if is_option { self.options.meaning(&option) } else { key.meaning };
        KeyReference {
            section: section.to_owned(),
            name: key.name.to_owned(),
            class: match key.class {
                Class::Read | Class::Option(_) | Class::Only { .. } => KeyClass::Read,
                Class::NotYet(_) | Class::NotYetOfPrometheus(_) => KeyClass::NotYet,
                Class::Ignored(_) => KeyClass::Ignored,
            },
            form: self.form(key, &option),
            default: self.default(key, &option),
            since: key.since,
            is_own: key.is_own,
            meaning: meaning(key, about),
        }
    }

    fn form(&self, key: &Definition, option: &[&str]) -> String {
        let choice = |of: &[&str]| {
            let named: Vec<_> = of.iter().copied().filter(|name| !name.is_empty()).collect();
            format!("enum: {}", named.join(", "))
        };
        let form = match key.form {
            Form::Flag | Form::Option(OptionForm::Flag) => "bool",
            Form::Count { min, max, unit } => return count(min, max, unit),
            Form::Number { min, max } if max < f64::from(u16::MAX) => {
                return format!("number, {min} to {max}");
            }
            Form::Number { .. } => "number",
            Form::Time | Form::Option(OptionForm::Milliseconds) => "duration",
            Form::Text(sort) => text(sort),
            Form::Choice { of, .. } => return choice(of),
            Form::Texts(sort) => return format!("list of {}", text(sort)),
            Form::Headers(_) | Form::Option(OptionForm::Map) => "map of text",
            Form::Section(_) | Form::Option(OptionForm::Section(_)) => "section",
            Form::Sections(_) => "list of sections",
            Form::Pipelines(_) => "pipelines by id",
            Form::Components(_) => "components by id",
            Form::Scalar => "text, number or bool",
            Form::Anything => "",
            Form::Option(OptionForm::Text) => "text",
            Form::Option(OptionForm::Name) => {
                let names = self.options.choices(option);
                return if names.is_empty() { "text".to_owned() } else { choice(&names) };
            }
            Form::Option(OptionForm::Count | OptionForm::CountOrDefault) => "int",
            Form::Option(OptionForm::Texts) => "list of text",
        };
        form.to_owned()
    }

    fn default(&self, key: &Definition, option: &[&str]) -> String {
        if let Form::Option(form) = key.form {
            return match self.options.default(option) {
                Some(OptionDefault::Is(value)) => quoted(&text_of(&value, form)),
                Some(OptionDefault::ByProfile(values)) => {
                    by_profile(&values, |value| quoted(&text_of(value, form)))
                }
                Some(OptionDefault::Says(words)) => words,
                None => String::new(),
            };
        }
        match key.preset {
            Preset::Nothing => String::new(),
            Preset::Required => "required".to_owned(),
            Preset::Is(literal) => shown(literal, key.form),
            Preset::ByQueue { in_memory, persistent } => format!(
                "{} for a queue in memory, {} for one on disk or in NATS",
                shown(in_memory, key.form),
                shown(persistent, key.form)
            ),
            Preset::Says(words) => words.to_owned(),
            Preset::Told(words) => words(),
        }
    }
}

/// The component's name for an option.
pub(super) fn option_of(key: &Definition) -> &'static str {
    if let Class::Option(option) = key.class { option } else { key.name }
}

/// What a key means, and how this version treats it.
pub(super) fn meaning(key: &Definition, about: &str) -> String {
    match key.class {
        Class::Read | Class::Option(_) => about.to_owned(),
        Class::Ignored(why) => format!("Ignored with a warning: {why}."),
        Class::NotYet(Harmless::Off | Harmless::Empty)
        | Class::NotYetOfPrometheus(Harmless::Off | Harmless::Empty) => {
            "Not supported yet: leave it out.".to_owned()
        }
        Class::NotYet(Harmless::Flag(flag)) | Class::NotYetOfPrometheus(Harmless::Flag(flag)) => {
            format!("Not supported yet: only `{flag}` is taken.")
        }
        Class::Only { taken, not_yet } => {
            format!("Only {} is taken; {} are not supported yet.", taken.join(", "), not_yet.join(", "))
        }
    }
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
