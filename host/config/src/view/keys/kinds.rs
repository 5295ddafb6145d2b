//! The kinds of values that keys have, and how a key of each kind is defined.

use super::Key;
use crate::definition::{Form, Literal, Preset, Sort, Tables, Type, Unit};
use crate::view::View;
use crate::yaml::Value;
use std::time::Duration;

/// True or false.
pub(crate) enum Flag {}
/// A whole number.
pub(crate) enum Count {}
/// A number.
pub(crate) enum Number {}
/// A duration.
pub(crate) enum Time {}
/// A text.
pub(crate) enum Text {}
/// One of several texts.
pub(crate) enum Choice {}
/// A list of texts.
pub(crate) enum Texts {}
/// A section with fixed keys.
pub(crate) enum Sub {}
/// What its reader takes apart by itself.
pub(crate) enum Other {}

/// A kind of values that a section can give as they are.
pub(crate) trait Kind {
    type Value<'d>;

    /// What stands there, if it is of this kind; otherwise it was reported.
    fn read<'d>(form: &Form, view: &View<'d>) -> Option<Self::Value<'d>>;

    /// A default.
    fn of<'d>(literal: Literal) -> Option<Self::Value<'d>>;

    /// The value as it would stand in a file.
    fn written(value: &Self::Value<'_>) -> (Value, String);
}

impl Kind for Flag {
    type Value<'d> = bool;

    fn read(_: &Form, view: &View) -> Option<bool> {
        view.boolean()
    }

    fn of<'d>(literal: Literal) -> Option<Self::Value<'d>> {
        if let Literal::Flag(flag) = literal { Some(flag) } else { None }
    }

    fn written(value: &bool) -> (Value, String) {
        (Value::Boolean(*value), value.to_string())
    }
}

impl Kind for Count {
    type Value<'d> = i64;

    fn read(form: &Form, view: &View) -> Option<i64> {
        let Form::Count { min, max, .. } = form else { return None };
        view.integer(*min, *max)
    }

    fn of<'d>(literal: Literal) -> Option<Self::Value<'d>> {
        if let Literal::Count(number) = literal { Some(number) } else { None }
    }

    fn written(value: &i64) -> (Value, String) {
        (Value::Integer(*value), value.to_string())
    }
}

impl Kind for Number {
    type Value<'d> = f64;

    fn read(form: &Form, view: &View) -> Option<f64> {
        let Form::Number { min, max } = form else { return None };
        view.number(*min, *max)
    }

    fn of<'d>(literal: Literal) -> Option<Self::Value<'d>> {
        if let Literal::Number(number) = literal { Some(number) } else { None }
    }

    fn written(value: &f64) -> (Value, String) {
        (Value::Float(*value), value.to_string())
    }
}

impl Kind for Time {
    type Value<'d> = Duration;

    fn read(_: &Form, view: &View) -> Option<Duration> {
        view.duration()
    }

    fn of<'d>(literal: Literal) -> Option<Self::Value<'d>> {
        if let Literal::Time(time) = literal { Some(time) } else { None }
    }

    fn written(value: &Duration) -> (Value, String) {
        (Value::Text, Literal::Time(*value).text())
    }
}

impl Kind for Text {
    type Value<'d> = &'d str;

    fn read<'d>(_: &Form, view: &View<'d>) -> Option<&'d str> {
        view.text()
    }

    fn of<'d>(literal: Literal) -> Option<Self::Value<'d>> {
        if let Literal::Text(text) = literal { Some(text) } else { None }
    }

    fn written(value: &&str) -> (Value, String) {
        (Value::Text, (*value).to_owned())
    }
}

impl Kind for Choice {
    type Value<'d> = &'static str;

    fn read(form: &Form, view: &View) -> Option<&'static str> {
        match form {
            Form::Choice { of, in_any_case: true } => view.choice_of_any_case(of),
            Form::Choice { of, in_any_case: false } => view.choice(of),
            _ => None,
        }
    }

    fn of<'d>(literal: Literal) -> Option<Self::Value<'d>> {
        <Text as Kind>::of(literal)
    }

    fn written(value: &&'static str) -> (Value, String) {
        <Text as Kind>::written(value)
    }
}

impl Key<Flag> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Flag, meaning)
    }

    pub const fn or(self, default: bool) -> Self {
        self.preset_to(Preset::Is(Literal::Flag(default)))
    }
}

impl Key<Count> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Count { min: 0, max: i64::MAX, unit: Unit::Things }, meaning)
    }

    pub const fn within(self, min: i64, max: i64) -> Self {
        self.of_form(Form::Count { min, max, unit: Unit::Things })
    }

    pub const fn bytes(self, min: i64, max: i64) -> Self {
        self.of_form(Form::Count { min, max, unit: Unit::Bytes })
    }

    pub const fn mebibytes(self, min: i64, max: i64) -> Self {
        self.of_form(Form::Count { min, max, unit: Unit::Mebibytes })
    }

    pub const fn percent(self) -> Self {
        self.of_form(Form::Count { min: 0, max: 100, unit: Unit::Percent })
    }

    pub const fn or(self, default: i64) -> Self {
        self.preset_to(Preset::Is(Literal::Count(default)))
    }

    pub const fn or_by_queue(self, in_memory: i64, persistent: i64) -> Self {
        let (in_memory, persistent) = (Literal::Count(in_memory), Literal::Count(persistent));
        self.preset_to(Preset::ByQueue { in_memory, persistent })
    }
}

impl Key<Number> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Number { min: 0.0, max: f64::MAX }, meaning)
    }

    pub const fn within(self, min: f64, max: f64) -> Self {
        self.of_form(Form::Number { min, max })
    }

    pub const fn or(self, default: f64) -> Self {
        self.preset_to(Preset::Is(Literal::Number(default)))
    }
}

impl Key<Time> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Time, meaning)
    }

    pub const fn or(self, default: Duration) -> Self {
        self.preset_to(Preset::Is(Literal::Time(default)))
    }

    pub const fn or_by_queue(self, in_memory: Duration, persistent: Duration) -> Self {
        let (in_memory, persistent) = (Literal::Time(in_memory), Literal::Time(persistent));
        self.preset_to(Preset::ByQueue { in_memory, persistent })
    }
}

impl Key<Text> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Text(Sort::Plain), meaning)
    }

    pub const fn sort(self, sort: Sort) -> Self {
        self.of_form(Form::Text(sort))
    }

    pub const fn or(self, default: &'static str) -> Self {
        self.preset_to(Preset::Is(Literal::Text(default)))
    }

    pub const fn or_octal(self, default: u32) -> Self {
        self.preset_to(Preset::Is(Literal::Octal(default)))
    }
}

impl Key<Choice> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Choice { of: &[], in_any_case: false }, meaning)
    }

    pub const fn among(self, of: &'static [&'static str]) -> Self {
        self.of_form(Form::Choice { of, in_any_case: false })
    }

    pub const fn among_in_any_case(self, of: &'static [&'static str]) -> Self {
        self.of_form(Form::Choice { of, in_any_case: true })
    }

    pub const fn or(self, default: &'static str) -> Self {
        self.preset_to(Preset::Is(Literal::Text(default)))
    }
}

impl Key<Texts> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Texts(Sort::Plain), meaning)
    }

    pub const fn sort(self, sort: Sort) -> Self {
        self.of_form(Form::Texts(sort))
    }
}

impl Key<Sub> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Section(&[]), meaning)
    }

    pub const fn of(self, tables: Tables) -> Self {
        self.of_form(Form::Section(tables))
    }

    pub const fn list_of(self, tables: Tables) -> Self {
        self.of_form(Form::Sections(tables))
    }
}

impl Key<Other> {
    pub const fn new(name: &'static str, meaning: &'static str) -> Self {
        Self::with(name, Form::Anything, meaning)
    }

    pub const fn form(self, form: Form) -> Self {
        self.of_form(form)
    }

    pub const fn components(self, types: &'static [Type]) -> Self {
        self.of_form(Form::Components(types))
    }
}
