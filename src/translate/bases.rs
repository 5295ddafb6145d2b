//! The base labels of the scope at hand, and those met before: the same resources and scopes come with
//! each payload, and what was worked out for their labels is good for them again.

use super::base::Base;
use super::slots::{Slot, Slots};

/// Base labels, and the numbers they are known by.
#[derive(Default)]
pub(super) struct Known {
    pub base: Base,
    /// Never that of other base labels. 0 is an empty slot.
    pub number: u64,
    /// The same for all base labels of the same names.
    pub names: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Bases {
    known: Slots<Known>,
    current: Slot,
    numbers: u64,
}

impl Bases {
    /// Takes the base labels of the next scope.
    pub fn set(&mut self, base: Base) {
        self.current = Slot::of(base.identity, base.size());
        let before = self.current();
        if before.number != 0 && before.base.labels == base.labels {
            return;
        }
        self.numbers += 1;
        let has_these_names = |known: &&Known| known.number != 0 && base.has_the_names_of(&known.base);
        let names = self.known.iter().find(has_these_names).map_or(self.numbers, |known| known.names);
        *self.known.at_mut(self.current) = Known { base, number: self.numbers, names };
    }

    /// The base labels of the scope at hand.
    #[inline]
    pub fn current(&self) -> &Known {
        self.known.at(self.current)
    }

    /// Whether they take much memory.
    pub fn is_large(&self) -> bool {
        self.current == Slot::SHARED
    }
}
