//! Keys of sections, each with the type of what its reader gets. A reader cannot ask for a key that is not defined, and
//! a key that is defined and never asked for is one that the compiler warns of (`dead_code`).

mod check;
mod kinds;

use crate::definition::{Definition, Form, Preset};
pub(crate) use check::NOT_YET;
pub(crate) use kinds::{Choice, Count, Flag, Kind, Number, Other, Sub, Text, Texts, Time};
use std::marker::PhantomData;

/// A key whose value is of a kind.
pub(crate) struct Key<K> {
    pub definition: Definition,
    kind: PhantomData<K>,
}

/// Defines the keys of a section: a module with a constant for each of those that are read, under the name that the
/// key has in files, and the table of all of them. What is not read stands behind `and`.
macro_rules! keys {
    (
        $(#[$attribute:meta])*
        $vis:vis mod $table:ident {
            $(
                $(#[doc = $meaning:literal])+
                $name:ident : $kind:ident $(. $builder:ident ($($argument:expr),* $(,)?))*
            ),* $(,)?
        }
        $(and [$($other:expr),* $(,)?])?
    ) => {
        $(#[$attribute])*
        $vis mod $table {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use $crate::{definition::*, view::keys::*};

            $(
                $(#[doc = $meaning])+
                #[allow(non_upper_case_globals)]
                pub const $name: Key<$kind> =
                    Key::<$kind>::new(stringify!($name), concat!($($meaning),+))$(.$builder($($argument),*))*;
            )*

            // Not made of the constants, so that one that nobody reads is noticed.
            pub const TABLE: Table = &[
                $(
                    Key::<$kind>::new(stringify!($name), concat!($($meaning),+))
                        $(.$builder($($argument),*))*.definition,
                )*
                $($($other),*)?
            ];
        }
    };
}
pub(crate) use keys;

impl<K> Key<K> {
    const fn with(name: &'static str, form: Form, meaning: &'static str) -> Self {
        Key { definition: Definition::new(name, form, meaning), kind: PhantomData }
    }

    const fn of_form(mut self, form: Form) -> Self {
        self.definition.form = form;
        self
    }

    const fn preset_to(mut self, preset: Preset) -> Self {
        self.definition.preset = preset;
        self
    }

    /// Only preamp has it.
    pub const fn own(mut self) -> Self {
        self.definition.is_own = true;
        self
    }

    /// It cannot be left out.
    pub const fn required(self) -> Self {
        self.preset_to(Preset::Required)
    }

    /// What holds without it depends on something that these words name.
    pub const fn says(self, words: &'static str) -> Self {
        self.preset_to(Preset::Says(words))
    }

    /// The same, with words that hold values of the program.
    pub const fn told(self, words: fn() -> String) -> Self {
        self.preset_to(Preset::Told(words))
    }
}

impl<K: Kind> Key<K> {
    /// The default, where there is one that depends on nothing.
    pub fn preset<'d>(&self) -> Option<K::Value<'d>> {
        if let Preset::Is(literal) = self.definition.preset { K::of(literal) } else { None }
    }

    /// The default where the queue is in memory, or is persistent.
    pub fn preset_for<'d>(&self, is_persistent: bool) -> Option<K::Value<'d>> {
        match self.definition.preset {
            Preset::ByQueue { in_memory, persistent } => {
                K::of(if is_persistent { persistent } else { in_memory })
            }
            Preset::Is(literal) => K::of(literal),
            _ => None,
        }
    }
}
