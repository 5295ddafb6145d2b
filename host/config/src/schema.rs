//! The JSON Schema (draft 2020-12) of a Collector file as preamp reads it, made of the definitions of its keys. The
//! component's schema is merged in: it says what its options take.
//!
//! A file that preamp takes fits the schema. The other way round there is more to it: what refers to what, and what
//! stands together.

use super::definition::{Class, Definition, Form, Harmless, Literal, OptionForm, Preset, Table, Type};
use super::options::{OptionDefault, Options, by_profile, text_of};
use super::reference::{meaning, option_of};
use super::root;
use super::service::SIGNALS;
use serde_json::{Map, Value, json};
use std::cell::RefCell;

/// What may stand at any key in place of its value.
const OPEN: &str = "nothing-or-reference";

/// A duration in the notation of Go.
const DURATION: &str = r"^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// The schema; `options` are those of the component.
#[must_use]
pub fn schema(options: &Options) -> Value {
    let schema = Schema { options, sections: RefCell::default() };
    let mut file = schema.section(root::TABLES, &[]);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Preamp",
        "description": "An OpenTelemetry Collector file, as Preamp reads it.",
    });
    let open = json!({
        "type": ["null", "string"],
        "pattern": r"\$\{.+\}",
        "description": "Nothing, which means the default, or a reference such as ${env:NAME}.",
    });
    let sections = schema.sections.into_inner().into_iter();
    let sections: Map<_, _> = sections.chain([(OPEN.to_owned(), open)]).collect();
    if let (Value::Object(file), Value::Object(head)) = (&mut file, head) {
        file.extend(head);
        file.insert("$defs".to_owned(), sections.into());
    }
    file
}

struct Schema<'o> {
    options: &'o Options,
    /// The sections so far, each with a name. Those that are the same are there once.
    sections: RefCell<Vec<(String, Value)>>,
}

impl Schema<'_> {
    /// A section with fixed keys; `option` leads to it where it is one of options.
    fn section(&self, tables: &[Table], option: &[&str]) -> Value {
        let keys = || tables.iter().copied().flatten();
        let properties: Map<_, _> =
            keys().map(|key| (key.name.to_owned(), self.property(key, option))).collect();
        let mut section =
            json!({ "type": "object", "properties": properties, "additionalProperties": false });
        let required = keys().filter(|key| matches!(key.preset, Preset::Required));
        // The client's keys may stand in a section of their own.
        let elsewhere = |name: &str| keys().find(|key| holds(key, name)).map(|key| key.name);
        let (movable, fixed): (Vec<_>, Vec<_>) =
            required.map(|key| key.name).partition(|name| elsewhere(name).is_some());
        if !fixed.is_empty() {
            section["required"] = json!(fixed);
        }
        if let Some(name) = movable.first() {
            section["anyOf"] = json!([{ "required": [name] }, { "required": [elsewhere(name)] }]);
        }
        section
    }

    /// The same by its name, which begins with `name`.
    fn named(&self, name: &str, tables: &[Table], option: &[&str]) -> Value {
        let section = self.section(tables, option);
        let mut sections = self.sections.borrow_mut();
        if let Some((name, _)) = sections.iter().find(|(_, other)| *other == section) {
            return refer(name);
        }
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let free = names.find(|name| sections.iter().all(|(other, _)| other != name)).unwrap_or_default();
        sections.push((free.clone(), section));
        refer(&free)
    }

    /// What may stand at a key, and what it means.
    fn property(&self, key: &Definition, within: &[&str]) -> Value {
        let option = [within, &[option_of(key)]].concat();
        let value = self.value(key, &option);
        let mut property = match &value {
            // Any reference is a text too, and anything may be left empty.
            Value::Object(schema) if schema.is_empty() => json!({}),
            _ => json!({ "anyOf": [value, refer(OPEN)] }),
        };
        let is_option = matches!(key.form, Form::Option(_));
        let about = if is_option { self.options.meaning(&option) } else { key.meaning };
        let mut description = meaning(key, about);
        match self.default(key, &option) {
            Default::Nothing => {}
            Default::Is(value) => property["default"] = value,
            Default::Says(words) => {
                if !description.is_empty() {
                    description.push(' ');
                }
                description.push_str(&format!("Default: {words}."));
            }
        }
        property["description"] = description.into();
        property["x-since"] = key.since.into();
        property
    }

    fn value(&self, key: &Definition, option: &[&str]) -> Value {
        match key.class {
            Class::Ignored(_) => return json!({}),
            Class::NotYet(harmless) | Class::NotYetOfPrometheus(harmless) => return harmless_value(harmless),
            Class::Only { taken, .. } => return json!({ "enum": taken }),
            Class::Read | Class::Option(_) => {}
        }
        match key.form {
            Form::Flag => json!({ "type": "boolean" }),
            Form::Count { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Form::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
            Form::Time => duration(),
            Form::Text(_) => json!({ "type": "string" }),
            Form::Choice { of, in_any_case: false } => json!({ "enum": of }),
            Form::Choice { of, in_any_case: true } => {
                json!({ "anyOf": [{ "enum": of }, { "type": "string", "pattern": in_any_case(of) }] })
            }
            Form::Texts(_) => json!({ "type": ["array", "string"], "items": { "type": "string" } }),
            Form::Headers(tables) => json!({ "anyOf": [
                { "type": "object", "additionalProperties": { "type": "string" } },
                { "type": "array", "items": self.named(key.name, tables, &[]) },
            ] }),
            Form::Section(tables) => self.named(key.name, tables, &[]),
            Form::Sections(tables) => json!({ "type": "array", "items": self.named(key.name, tables, &[]) }),
            Form::Pipelines(tables) => json!({
                "type": "object",
                "propertyNames": { "pattern": format!("^({})(/.+)?$", SIGNALS.join("|")) },
                "patternProperties": { ids(&SIGNALS[..1]): self.or_reference("pipeline", tables) },
            }),
            Form::Components(types) => self.components(types),
            Form::Scalar => json!({ "type": ["string", "number", "boolean"] }),
            Form::Anything => json!({}),
            Form::Option(form) => self.option(key.name, form, option),
        }
    }

    /// Components of these types. Others may be there, as long as nothing uses them.
    fn components(&self, types: &[Type]) -> Value {
        let kinds = types.iter().map(|kind| {
            let tables = [kind.tables, kind.base.map_or(&[], |base| base.tables)].concat();
            (ids(kind.names), self.or_reference(kind.names[0], &tables))
        });
        json!({ "type": "object", "patternProperties": kinds.collect::<Map<_, _>>() })
    }

    fn or_reference(&self, name: &str, tables: &[Table]) -> Value {
        json!({ "anyOf": [self.named(name, tables, &[]), refer(OPEN)] })
    }

    /// An option of the component: its own schema, in the form of the file.
    fn option(&self, name: &str, form: OptionForm, option: &[&str]) -> Value {
        const KEPT: [&str; 7] =
            ["type", "enum", "minimum", "maximum", "items", "additionalProperties", "minLength"];
        let property = self.options.property(option).and_then(Value::as_object);
        let kept = property.into_iter().flatten().filter(|(keyword, _)| KEPT.contains(&keyword.as_str()));
        let kept =
            || Value::Object(kept.clone().map(|(keyword, value)| (keyword.clone(), value.clone())).collect());
        match form {
            OptionForm::Flag | OptionForm::Text | OptionForm::Count | OptionForm::Map => kept(),
            OptionForm::Name => json!({ "anyOf": [kept(), { "const": "" }] }),
            OptionForm::CountOrDefault => json!({ "anyOf": [kept(), { "const": 0 }] }),
            OptionForm::Milliseconds => duration(),
            OptionForm::Texts => json!({ "type": ["array", "string"], "items": { "type": "string" } }),
            OptionForm::Section(tables) => self.named(name, tables, option),
        }
    }

    fn default(&self, key: &Definition, option: &[&str]) -> Default {
        if let Form::Option(form) = key.form {
            return match self.options.default(option) {
                None => Default::Nothing,
                Some(OptionDefault::Is(value)) => match form {
                    OptionForm::Milliseconds => Default::Is(text_of(&value, form).into()),
                    _ => Default::Is(value),
                },
                Some(OptionDefault::Says(words)) => Default::Says(words),
                Some(OptionDefault::ByProfile(values)) => {
                    Default::Says(by_profile(&values, |value| text_of(value, form)))
                }
            };
        }
        match key.preset {
            Preset::Nothing | Preset::Required => Default::Nothing,
            Preset::Is(literal) => Default::Is(json_of(literal)),
            Preset::ByQueue { in_memory, persistent } => Default::Says(format!(
                "{} for a queue in memory, {} for one on disk or in NATS",
                in_memory.text(),
                persistent.text()
            )),
            Preset::Says(words) => Default::Says(words.to_owned()),
            Preset::Told(words) => Default::Says(words()),
        }
    }
}

enum Default {
    Nothing,
    Is(Value),
    Says(String),
}

/// Whether a key holds a section that may hold the other key.
fn holds(key: &Definition, name: &str) -> bool {
    matches!(key.form, Form::Section(tables) if tables.iter().copied().flatten().any(|key| key.name == name))
}

/// A duration; 0 needs no unit.
fn duration() -> Value {
    json!({ "type": ["string", "integer"], "pattern": DURATION, "minimum": 0, "maximum": 0 })
}

fn harmless_value(harmless: Harmless) -> Value {
    let off = json!({
        "type": "object", "properties": { "enabled": { "const": false } }, "required": ["enabled"],
    });
    match harmless {
        Harmless::Off => off,
        Harmless::Empty => json!({ "anyOf": [{ "enum": ["", [], {}] }, off] }),
        Harmless::Flag(flag) => json!({ "const": flag }),
    }
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// A pattern for the ids of components of a type, `type` or `type/name`.
fn ids(names: &[&str]) -> String {
    format!("^({})(/.+)?$", names.join("|"))
}

/// A pattern for these words in any capitals.
fn in_any_case(words: &[&str]) -> String {
    let letter = |c: char| format!("[{c}{}]", c.to_ascii_uppercase());
    let words: Vec<String> = words.iter().map(|word| word.chars().map(letter).collect()).collect();
    format!("^({})$", words.join("|"))
}

fn json_of(literal: Literal) -> Value {
    match literal {
        Literal::Flag(flag) => flag.into(),
        Literal::Count(number) => number.into(),
        Literal::Number(number) => number.into(),
        Literal::Time(_) | Literal::Text(_) | Literal::Octal(_) => literal.text().into(),
    }
}
