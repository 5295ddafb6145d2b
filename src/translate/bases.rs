//! The base labels of the scope at hand, and those met before: the same resources and scopes come with
//! each payload, and what was worked out for their labels is good for them again.

use super::base::Base;
use super::identity;
use super::slots::{Slot, Slots};

/// What base labels come from, besides the configuration.
#[derive(Clone, Copy)]
pub struct Source<'s> {
    /// The `Resource` message.
    pub resource: &'s [u8],
    /// The `InstrumentationScope` message; empty for labels of the resource alone.
    pub scope: &'s [u8],
    /// Whether the attributes of the scope are among them.
    pub has_scope_attributes: bool,
}

impl Source<'_> {
    /// How long it is.
    pub fn size(&self) -> (usize, usize) {
        (self.resource.len(), self.scope.len())
    }

    fn slot(&self) -> Slot {
        let (resource, _) = identity::hash(self.resource);
        let (scope, _) = identity::hash(self.scope);
        let hash = identity::label(resource, scope ^ u64::from(self.has_scope_attributes));
        Slot::of(hash, self.resource.len() + self.scope.len())
    }
}

/// Base labels, and the numbers they are known by.
#[derive(Default)]
pub(super) struct Known {
    pub base: Base,
    /// Never that of other base labels. 0 is an empty slot.
    pub number: u64,
    /// The same for all base labels of the same names.
    pub names: u64,
    resource: Vec<u8>,
    scope: Vec<u8>,
    has_scope_attributes: bool,
}

impl Known {
    fn is_of(&self, source: Source) -> bool {
        self.number != 0
            && self.has_scope_attributes == source.has_scope_attributes
            && self.resource == source.resource
            && self.scope == source.scope
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Bases {
    known: Slots<Known>,
    current: Slot,
    numbers: u64,
}

impl Bases {
    /// Takes the base labels of the next scope, which are made if they are not known.
    pub fn set<E>(&mut self, source: Source, make: impl FnOnce() -> Result<Base, E>) -> Result<(), E> {
        self.current = source.slot();
        if self.current().is_of(source) {
            return Ok(());
        }
        let base = make()?;
        self.numbers += 1;
        let has_these_names = |known: &&Known| known.number != 0 && base.has_the_names_of(&known.base);
        let names = self.known.iter().find(has_these_names).map_or(self.numbers, |known| known.names);
        *self.known.at_mut(self.current) = Known {
            base,
            number: self.numbers,
            names,
            resource: source.resource.to_vec(),
            scope: source.scope.to_vec(),
            has_scope_attributes: source.has_scope_attributes,
        };
        Ok(())
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
