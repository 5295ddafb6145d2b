//! The definition of a key: the one place that says what the key is called, what may stand there, what holds where
//! nothing does, how it is treated, and what it means. Parsing, `print-config`, the JSON Schema and the reference in
//! docs/configuration.md all come from it.

use super::duration;
use std::time::Duration;

/// The version that had the first keys.
const FIRST: &str = "0.1.0";

/// A key of a section.
#[derive(Clone, Copy)]
pub(super) struct Definition {
    pub name: &'static str,
    /// What may stand there.
    pub form: Form,
    /// What holds where nothing stands there.
    pub preset: Preset,
    /// How this version treats it.
    pub class: Class,
    /// Whether only preamp has it.
    pub is_own: bool,
    /// What it does, in the words of the reference.
    pub meaning: &'static str,
    /// The version that has it first.
    pub since: &'static str,
}

/// The keys of a section that stand together. A section may have several of them.
pub(super) type Table = &'static [Definition];

/// All keys of a section.
pub(super) type Tables = &'static [Table];

/// What may stand at a key.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// True or false.
    Flag,
    /// A whole number.
    Count { min: i64, max: i64, unit: Unit },
    /// A number.
    Number { min: f64, max: f64 },
    /// A duration, with units.
    Time,
    /// A text.
    Text(Sort),
    /// One of these texts.
    Choice { of: &'static [&'static str], in_any_case: bool },
    /// A list of texts; one text with commas counts as a list.
    Texts(Sort),
    /// Texts under keys of the operator's own, or a list of sections that give each as `name` and `value`.
    Headers(Tables),
    /// A section with fixed keys.
    Section(Tables),
    /// A list of such sections.
    Sections(Tables),
    /// Pipelines under their ids. An id begins with its signal.
    Pipelines(Tables),
    /// Components under their ids: each is a section with the keys of its type.
    Components(&'static [Type]),
    /// A text, a number, or true or false.
    Scalar,
    /// Anything: this version does not look at it.
    Anything,
    /// An option of the component, which knows the default and the meaning.
    Option(OptionForm),
}

/// What a whole number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Things,
    Bytes,
    Mebibytes,
    Percent,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Any text.
    Plain,
    /// `host:port`.
    Address,
    Url,
    /// A file or a directory.
    Path,
    /// The id of a component.
    Id,
    /// Octal digits.
    Permissions,
    Secret,
}

/// What may stand at the key of an option of the component, as far as YAML and JSON do not share it.
#[derive(Clone, Copy)]
pub(super) enum OptionForm {
    /// True or false.
    Flag,
    /// A text, which may be empty.
    Text,
    /// A text. An empty text means the default, as in the Collector.
    Name,
    /// A whole number.
    Count,
    /// A whole number, of which 0 means the default, as in the Collector.
    CountOrDefault,
    /// A duration, which the component takes in milliseconds.
    Milliseconds,
    /// A list of texts.
    Texts,
    /// Texts under keys of the operator's own.
    Map,
    /// A section of options, with the keys that the component has too.
    Section(Tables),
}

/// A type of components.
#[derive(Clone, Copy)]
pub(super) struct Type {
    /// Its names, the usual one first.
    pub names: &'static [&'static str],
    /// Its keys, but for those of `base`.
    pub tables: Tables,
    /// A type whose keys it has too.
    pub base: Option<&'static Type>,
}

impl Type {
    /// A type with keys of its own.
    pub const fn new(names: &'static [&'static str], tables: Tables) -> Type {
        Type { names, tables, base: None }
    }
}

/// What holds where nothing stands at a key.
#[derive(Clone, Copy)]
pub(super) enum Preset {
    /// Nothing.
    Nothing,
    /// It cannot be left out.
    Required,
    /// This.
    Is(Literal),
    /// It depends on where the queue is.
    ByQueue { in_memory: Literal, persistent: Literal },
    /// It depends on something else, which these words name.
    Says(&'static str),
    /// The same, in words that hold values of the program.
    Told(fn() -> String),
}

/// A default.
#[derive(Clone, Copy)]
pub(super) enum Literal {
    Flag(bool),
    Count(i64),
    Number(f64),
    Time(Duration),
    Text(&'static str),
    /// Permissions of a directory.
    Octal(u32),
}

/// How this version treats a key.
#[derive(Clone, Copy)]
pub(super) enum Class {
    /// Its reader asks for it.
    Read,
    /// It is carried to the component, as the option of this name.
    Option(&'static str),
    /// Accepted with one warning, which says why it changes nothing.
    Ignored(&'static str),
    /// Known to the Collector, but only the values that change nothing are taken.
    NotYet(Harmless),
    /// The same of a key of Prometheus.
    NotYetOfPrometheus(Harmless),
    /// Of the values that the Collector knows, only the first few are taken.
    Only { taken: &'static [&'static str], not_yet: &'static [&'static str] },
}

/// The values of a key that ask for what preamp does anyway.
#[derive(Clone, Copy)]
pub(super) enum Harmless {
    /// Nothing, or a section that is switched off.
    Off,
    /// An empty text, list or section.
    Empty,
    /// This boolean.
    Flag(bool),
}

impl Definition {
    /// A key that its reader asks for.
    pub const fn new(name: &'static str, form: Form, meaning: &'static str) -> Self {
        let (preset, class) = (Preset::Nothing, Class::Read);
        let meaning = meaning.trim_ascii_start();
        Definition { name, form, preset, class, is_own: false, meaning, since: FIRST }
    }

    /// The same, which Prometheus has.
    pub const fn of_prometheus(mut self) -> Self {
        if let Class::NotYet(harmless) = self.class {
            self.class = Class::NotYetOfPrometheus(harmless);
        }
        self
    }

    /// The same, which only preamp has.
    pub const fn own(mut self) -> Self {
        self.is_own = true;
        self
    }
}

/// A key that is accepted with a warning.
pub(super) const fn ignored(name: &'static str, why: &'static str) -> Definition {
    let definition = Definition::new(name, Form::Anything, "");
    Definition { class: Class::Ignored(why), ..definition }
}

/// A key that is taken only where it changes nothing.
pub(super) const fn not_yet(name: &'static str, harmless: Harmless) -> Definition {
    let definition = Definition::new(name, Form::Anything, "");
    Definition { class: Class::NotYet(harmless), ..definition }
}

/// A key of which only some values are taken.
pub(super) const fn only(
    name: &'static str,
    taken: &'static [&'static str],
    not_yet: &'static [&'static str],
) -> Definition {
    let form = Form::Choice { of: taken, in_any_case: false };
    Definition { class: Class::Only { taken, not_yet }, ..Definition::new(name, form, "") }
}

/// A key that is an option of the component by the same name.
pub(super) const fn option(name: &'static str, form: OptionForm) -> Definition {
    renamed(name, name, form)
}

/// A key that is an option of the component by another name.
pub(super) const fn renamed(name: &'static str, option: &'static str, form: OptionForm) -> Definition {
    Definition { class: Class::Option(option), ..Definition::new(name, Form::Option(form), "") }
}

impl Literal {
    /// The text that means this in a file.
    pub fn text(self) -> String {
        match self {
            Literal::Flag(flag) => flag.to_string(),
            Literal::Count(number) => number.to_string(),
            Literal::Number(number) => number.to_string(),
            Literal::Time(time) => duration::shown(time),
            Literal::Text(text) => text.to_owned(),
            Literal::Octal(digits) => format!("{digits:04o}"),
        }
    }
}
