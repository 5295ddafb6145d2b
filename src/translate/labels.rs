//! The labels of a point, in order.
//!
//! Attribute keys repeat from point to point, so all that depends on keys alone is worked out once
//! for each set of keys and kept as a plan: sanitised names, order, which label wins where two
//! fall on one name. For each point only the values are looked at.

use super::base::{Base, ExtraLabel};
use super::bases::{Bases, Source};
use super::identity;
use super::plan::{Keys, Origin, Plan, Step};
use super::slots::{Slot, Slots};
use crate::config::LabelStyle;
use crate::otlp::value::{Attribute, Text};
use std::ops::Range;

/// A label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value, never empty.
    pub value: &'a [u8],
}

/// A point that cannot have labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelError {
    /// What is wrong with them.
    pub fault: LabelFault,
    /// How many bytes were looked at.
    pub bytes: usize,
}

/// Why a point cannot have labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelFault {
    /// This attribute key holds nothing that could be a label name.
    Name(Vec<u8>),
    /// The value of this label is not valid UTF-8.
    NotUtf8(Vec<u8>),
}

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOrigin {
    /// An attribute of the point.
    Point,
    /// An attribute of the resource that becomes a label of every series.
    Resource,
    /// Resource, scope or configuration.
    Above,
}

impl LabelOrigin {
    /// For a sentence.
    pub fn text(self) -> &'static str {
        match self {
            LabelOrigin::Point => "the point",
            LabelOrigin::Resource => "the resource",
            LabelOrigin::Above => "resource, scope or external_labels",
        }
    }
}

/// The longest label of a point.
#[derive(Clone, Copy, Debug)]
pub struct Longest<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// How long its name and value are together.
    pub bytes: usize,
    /// Where it comes from.
    pub origin: LabelOrigin,
}

/// Tells apart what labels have in common: two points of the same shape have the same label names,
/// and the same values where a label does not come from the point. Never used again for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    plan: u64,
    base: u64,
    is_large: bool,
}

impl Shape {
    /// Where something for this shape is kept.
    pub fn slot(self) -> Slot {
        if self.is_large { Slot::SHARED } else { Slot::of(identity::label(self.plan, self.base), 0) }
    }
}

/// Makes labels for points: the base, the plans, and the values of the point at hand.
pub struct LabelMaker {
    style: LabelStyle,
    bases: Bases,
    plans: Slots<Plan>,
    joined: Vec<Range<usize>>,
    plans_made: u64,
}

impl LabelMaker {
    /// A maker of labels with names in this style.
    pub fn new(style: LabelStyle) -> LabelMaker {
        LabelMaker {
            style,
            bases: Bases::default(),
            plans: Slots::default(),
            joined: Vec::new(),
            plans_made: 0,
        }
    }

    /// Takes the base labels of the next scope, and calls `make` for them if they are new.
    pub fn set_base<E>(&mut self, source: Source, make: impl FnOnce() -> Result<Base, E>) -> Result<(), E> {
        self.bases.set(source, make)
    }

    /// The labels of a point, and their identity. The first `resource_attributes` of `attributes` are the resource's,
    /// and win over attributes of the same key. `scratch` holds values that are no strings, and
    /// gets those made here.
    ///
    /// # Errors
    ///
    /// A key that cannot be a label name, or a value that is not UTF-8.
    pub fn labels<'p>(
        &'p mut self,
        attributes: &'p [Attribute<'p>],
        resource_attributes: usize,
        extra: ExtraLabel,
        scratch: &'p mut Vec<u8>,
    ) -> Result<(PointLabels<'p>, u64), LabelError> {
        let base = self.bases.current();
        let keys = Keys { attributes, resource_attributes, extra, base_names: base.names };
        self.plans.find(
            |plan| plan.is_for(&keys),
            || keys.slot(),
            |plan| {
                self.plans_made += 1;
                *plan = Plan::new(self.plans_made, &keys, &base.base, self.style);
            },
        );
        let plan = self.plans.latest();
        if let Some(key) = &plan.invalid_key {
            let fault = LabelFault::Name(key.clone());
            return Err(LabelError { fault, bytes: plan.key_bytes() + base.base.value_bytes });
        }
        self.joined.clear();
        for join in &plan.joins {
            self.joined.push(join_values(join, attributes, scratch));
        }
        let shape = Shape {
            plan: plan.number,
            base: base.number,
            is_large: self.plans.is_latest_large() || self.bases.is_large(),
        };
        let joined = &self.joined;
        let mut labels = PointLabels {
            shape,
            plan,
            base: &base.base,
            attributes,
            resource_attributes,
            joined,
            scratch,
            bytes: 0,
        };
        let identity = labels.set_identity()?;
        Ok((labels, identity))
    }
}

/// Joins values with `;`, each unless what is joined so far equals it.
fn join_values(members: &[u32], attributes: &[Attribute], scratch: &mut Vec<u8>) -> Range<usize> {
    let start = scratch.len();
    for (position, index) in members.iter().enumerate() {
        // A scratch value lies before `start`, so it can be copied while the text grows behind it.
        match &attributes[*index as usize].value {
            value if position > 0 && value.resolve(scratch) == &scratch[start..] => {}
            value => {
                if position > 0 {
                    scratch.push(b';');
                }
                match value {
                    Text::Borrowed(text) => scratch.extend_from_slice(text),
                    Text::Scratch(range) => scratch.extend_from_within(range.clone()),
                }
            }
        }
    }
    start..scratch.len()
}

/// The labels of one point, sorted by name, without the metric name and the extra label.
pub struct PointLabels<'p> {
    shape: Shape,
    plan: &'p Plan,
    base: &'p Base,
    attributes: &'p [Attribute<'p>],
    resource_attributes: usize,
    joined: &'p [Range<usize>],
    scratch: &'p [u8],
    bytes: usize,
}

impl<'p> PointLabels<'p> {
    /// What these labels have in common with those of other points.
    #[inline]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The labels in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Label<'_>> {
        self.plan.steps.iter().map(|step| Label { name: self.name(step), value: self.value(step) })
    }

    /// For each label in order, whether its value is the same for all points of the shape.
    pub fn fixed(&self) -> impl Iterator<Item = bool> {
        self.plan.steps.iter().map(|step| matches!(step.origin, Origin::Base(_)))
    }

    /// The values of the labels that are not fixed, in order.
    #[inline]
    pub fn variable_values(&self) -> impl Iterator<Item = &[u8]> {
        let steps = self.plan.steps.iter().filter(|step| !matches!(step.origin, Origin::Base(_)));
        steps.map(|step| self.value(step))
    }

    /// How many labels there are, and of how many bytes, names and values together.
    pub fn size(&self) -> (usize, usize) {
        self.iter()
            .fold((0, 0), |(count, bytes), label| (count + 1, bytes + label.name.len() + label.value.len()))
    }

    /// How many bytes they take, as remote write 1.0 has them.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The longest of them.
    pub fn longest(&self) -> Option<Longest<'_>> {
        let longest = |step: &Step| Longest {
            name: self.name(step),
            bytes: self.name(step).len() + self.value(step).len(),
            origin: match step.origin {
                Origin::Base(_) => LabelOrigin::Above,
                Origin::Attribute(index) if (index as usize) < self.resource_attributes => {
                    LabelOrigin::Resource
                }
                Origin::Attribute(_) | Origin::Joined(_) => LabelOrigin::Point,
            },
        };
        self.plan.steps.iter().map(longest).max_by_key(|longest| longest.bytes)
    }

    /// Before which label the metric name stands.
    #[inline]
    pub fn name_at(&self) -> usize {
        self.plan.name_at
    }

    /// Before which label the extra label stands; never before the metric name.
    #[inline]
    pub fn extra_at(&self) -> usize {
        self.plan.extra_at
    }

    /// The identity of these labels, to which the caller adds the metric name; or the label whose
    /// value is not valid UTF-8: the same look at the bytes tells both, and how many there are.
    #[inline]
    fn set_identity(&mut self) -> Result<u64, LabelError> {
        let mut bytes = self.plan.bytes + self.base.value_bytes;
        let not_utf8 = |name: &[u8], bytes| LabelError { fault: LabelFault::NotUtf8(name.to_vec()), bytes };
        if !self.base.is_utf8 {
            return Err(not_utf8(b"of the resource or scope", bytes));
        }
        let mut sum = self.base.identity;
        for step in &self.plan.steps {
            if matches!(step.origin, Origin::Base(_)) {
                continue;
            }
            let value = self.value(step);
            let (hash, is_ascii) = identity::hash(value);
            bytes += value.len();
            if !is_ascii && std::str::from_utf8(value).is_err() {
                return Err(not_utf8(self.name(step), bytes));
            }
            sum = sum.wrapping_add(identity::label(step.name_hash, hash));
        }
        self.bytes = bytes;
        Ok(sum)
    }

    #[inline]
    fn name(&self, step: &Step) -> &'p [u8] {
        self.plan.names.get(step.name.start as usize..step.name.end as usize).unwrap_or_default()
    }

    #[inline(always)]
    fn value(&self, step: &Step) -> &[u8] {
        match step.origin {
            Origin::Base(index) => &self.base.labels[index as usize].value,
            Origin::Attribute(index) => self.attributes[index as usize].value.resolve(self.scratch),
            Origin::Joined(index) => &self.scratch[self.joined[index as usize].clone()],
        }
    }
}
