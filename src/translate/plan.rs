//! What follows from a set of attribute keys: worked out once, used for every point that has it.

use super::base::{Base, ExtraLabel, METRIC_NAME};
use super::expansion::LABEL_BYTES;
use super::identity;
use super::label::push_label_name;
use super::slots::Slot;
use crate::config::LabelStyle;
use crate::otlp::value::Attribute;
use std::ops::Range;

/// Where the value of a label comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// A base label.
    Base(u32),
    /// An attribute of the point.
    Attribute(u32),
    /// Several attributes on one name, in the order of their keys; the index is into `Plan::joins`.
    Joined(u32),
}

/// One label.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its name, as a range of `Plan::names`.
    pub name: Range<u32>,
    pub name_hash: u64,
    pub origin: Origin,
}

/// What a plan is made for: two points whose keys are equal have the same plan.
pub(super) struct Keys<'k> {
    /// The attributes, of which the values do not matter.
    pub attributes: &'k [Attribute<'k>],
    /// How many of them, the first, are the resource's.
    pub resource_attributes: usize,
    pub extra: ExtraLabel,
    /// The number of the names of the base labels.
    pub base_names: u64,
}

impl Keys<'_> {
    /// Where a plan for them is kept.
    pub fn slot(&self) -> Slot {
        let start = (self.base_names << 2 | self.extra as u64, 0);
        let (hash, bytes) = self.attributes.iter().fold(start, |(hash, bytes), attribute| {
            let (key, _) = identity::hash(attribute.key);
            (identity::label(hash, key), bytes + attribute.key.len())
        });
        Slot::of(identity::label(hash, self.resource_attributes as u64), bytes)
    }
}

/// The labels for a set of attribute keys, in order, without the metric name and the extra label.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Never that of another plan.
    pub number: u64,
    /// The number of the names of the base labels.
    base_names: u64,
    keys: Vec<u8>,
    key_ends: Vec<u32>,
    resource_attributes: usize,
    extra: ExtraLabel,
    pub names: Vec<u8>,
    pub steps: Vec<Step>,
    pub joins: Vec<Vec<u32>>,
    /// Before which step the metric name stands, and the extra label.
    pub name_at: usize,
    pub extra_at: usize,
    /// How many bytes the labels take without their values.
    pub bytes: usize,
    /// A key that cannot be a label name; points with it have no labels.
    pub invalid_key: Option<Vec<u8>>,
}

/// Something that wants to be the label of a name. Of all that do, the first in order wins, and
/// takes the other attributes along if it is one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate<'a> {
    name: &'a [u8],
    rank: Rank,
    key: &'a [u8],
    index: u32,
}

/// A candidate whose name is a range of all names.
struct NameCandidate<'a> {
    name: Range<usize>,
    rank: Rank,
    key: &'a [u8],
    index: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The metric name and the extra label, which are no part of the plan.
    Reserved,
    /// `job`, `instance` and scope labels.
    Base,
    Attribute,
    /// External labels.
    YieldingBase,
}

impl Plan {
    /// Makes a plan, with names in this style.
    pub fn new(number: u64, keys: &Keys, base: &Base, style: LabelStyle) -> Plan {
        let Keys { attributes, resource_attributes, extra, base_names } = *keys;
        let mut plan = Plan { number, base_names, resource_attributes, extra, ..Plan::default() };
        for attribute in attributes {
            plan.keys.extend_from_slice(attribute.key);
            plan.key_ends.push(plan.keys.len() as u32);
        }
        // Their names lie in one piece: with very many the memory they are in is what takes time.
        let mut names = Vec::new();
        let places = plan.candidates(attributes, base, style, &mut names);
        let named =
            |NameCandidate { name, rank, key, index }| Candidate { name: &names[name], rank, key, index };
        let mut candidates: Vec<_> = places.into_iter().map(named).collect();
        // Stable, so that the first attribute comes first; and the component sorts what has no order with
        // leaps through memory otherwise.
        candidates.sort();
        for group in candidates.chunk_by(|a, b| a.name == b.name) {
            plan.push_winner(group);
        }
        plan.bytes = plan.names.len() + LABEL_BYTES * plan.steps.len();
        plan
    }

    /// How many bytes of keys and names it is made of.
    pub fn key_bytes(&self) -> usize {
        self.keys.len() + self.bytes
    }

    /// Whether these are the keys that the plan was made for.
    #[inline]
    pub fn is_for(&self, keys: &Keys) -> bool {
        if self.key_ends.len() != keys.attributes.len()
            || self.base_names != keys.base_names
            || self.resource_attributes != keys.resource_attributes
            || self.extra != keys.extra
        {
            return false;
        }
        let mut start = 0;
        for (attribute, end) in keys.attributes.iter().zip(&self.key_ends) {
            let end = *end as usize;
            if !self.keys.get(start..end).is_some_and(|key| identity::same(key, attribute.key)) {
                return false;
            }
            start = end;
        }
        true
    }

    fn candidates<'a>(
        &mut self,
        attributes: &[Attribute<'a>],
        base: &Base,
        style: LabelStyle,
        names: &mut Vec<u8>,
    ) -> Vec<NameCandidate<'a>> {
        let mut places = Vec::with_capacity(2 + base.labels.len() + attributes.len());
        let mut push = |names: &mut Vec<u8>, name: &[u8], rank, index| {
            let start = names.len();
            names.extend_from_slice(name);
            places.push(NameCandidate { name: start..names.len(), rank, key: b"".as_slice(), index });
        };
        for name in [METRIC_NAME, self.extra.name()].into_iter().filter(|name| !name.is_empty()) {
            push(names, name, Rank::Reserved, 0);
        }
        for (index, label) in (0..).zip(&base.labels) {
            let rank = if label.yields { Rank::YieldingBase } else { Rank::Base };
            push(names, &label.name, rank, index);
        }
        for (index, attribute) in (0..).zip(attributes) {
            let start = names.len();
            if push_label_name(attribute.key, style, names) {
                let name = start..names.len();
                places.push(NameCandidate { name, rank: Rank::Attribute, key: attribute.key, index });
            } else {
                self.invalid_key = Some(attribute.key.to_vec());
            }
        }
        places
    }

    /// Takes the label of a name from those who want to be it, the first in rank first.
    fn push_winner(&mut self, group: &[Candidate]) {
        let winner = &group[0];
        match winner.rank {
            Rank::Reserved if winner.name == METRIC_NAME => self.name_at = self.steps.len(),
            Rank::Reserved => self.extra_at = self.steps.len(),
            Rank::Base | Rank::YieldingBase => self.push_step(winner.name, Origin::Base(winner.index)),
            Rank::Attribute => {
                let origin = match self.members(group)[..] {
                    [index] => Origin::Attribute(index),
                    ref members => {
                        self.joins.push(members.to_vec());
                        Origin::Joined(self.joins.len() as u32 - 1)
                    }
                };
                self.push_step(winner.name, origin);
            }
        }
        self.extra_at = self.extra_at.max(self.name_at);
    }

    /// The attributes of a group, less those of the point whose very key the resource has too: these
    /// stand right behind the resource's.
    fn members(&self, group: &[Candidate]) -> Vec<u32> {
        let attributes = group.iter().take_while(|candidate| candidate.rank == Rank::Attribute);
        let mut members = Vec::new();
        let mut key_of_resource = None;
        for candidate in attributes {
            if (candidate.index as usize) < self.resource_attributes {
                key_of_resource = Some(candidate.key);
            } else if key_of_resource == Some(candidate.key) {
                continue;
            }
            members.push(candidate.index);
        }
        members
    }

    fn push_step(&mut self, name: &[u8], origin: Origin) {
        let start = self.names.len() as u32;
        self.names.extend_from_slice(name);
        let name_hash = identity::hash(name).0;
        self.steps.push(Step { name: start..self.names.len() as u32, name_hash, origin });
    }
}
