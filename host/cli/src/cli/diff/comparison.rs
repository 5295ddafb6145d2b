//! What differs between two translations of the same payloads.
//!
//! Payloads are compared one by one and forgotten. What stays is a number for each series that both
//! sides have, and labels and counts of each that differs.

use super::inspected::{Description, Labels, Point, Series};
use super::renames::{self, Lone};
use crate::cli::totals::Totals;
use anyhow::ensure;
use preamp_contract::Acceptance;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::mem;

/// The most series that may differ: each takes about half a kilobyte.
const DIFFERING_MAX: usize = 1_000_000;

/// A value of each side.
pub(super) type Sides<T> = [T; 2];

/// What was found so far.
#[derive(Default)]
pub(super) struct Comparison {
    totals: Sides<Totals>,
    rejections: BTreeMap<String, Sides<u64>>,
    descriptions: Sides<BTreeMap<String, Description>>,
    /// Hashes of the series that both sides had in some payload.
    common: HashSet<u64>,
    differing: HashMap<Labels, Difference>,
}

/// How the points of one series differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Points that only the first side, or only the second side has.
    pub(super) lone: Sides<u64>,
    /// Points that have another value, or another start, on the second side.
    pub(super) altered: u64,
    /// The first of them.
    pub(super) example: Option<Box<Sides<Point>>>,
    /// A hash of the times and values of the points that only one side has.
    digest: Sides<u64>,
}

/// All that differs.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Series that have the same points under other labels on the second side.
    pub(super) renamed: Vec<(Sides<Labels>, u64)>,
    /// Series that the second side lacks, with the number of their points.
    pub(super) lost: Vec<(Labels, u64)>,
    /// Series that the first side lacks, with the number of their points.
    pub(super) added: Vec<(Labels, u64)>,
    /// Series of both sides whose points differ.
    pub(super) changed: Vec<(Labels, Difference)>,
    /// Metrics or series of both sides whose type, help or unit differ.
    pub(super) described: Vec<(String, Sides<Description>)>,
    /// Rejected points by reason, where their number differs.
    pub(super) rejections: Vec<(String, Sides<u64>)>,
    /// Sums of each side.
    pub(super) totals: Sides<Totals>,
}

impl Differences {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        let [first, second] = &self.totals;
        self.renamed.is_empty()
            && self.lost.is_empty()
            && self.added.is_empty()
            && self.changed.is_empty()
            && self.described.is_empty()
            && self.rejections.is_empty()
            && first == second
    }
}

impl Comparison {
    /// Counts what each side made of a payload.
    pub(super) fn count(&mut self, acceptances: Sides<&Acceptance>) {
        for (side, acceptance) in acceptances.into_iter().enumerate() {
            self.totals[side].add(acceptance);
            for rejection in &acceptance.rejections {
                self.rejections.entry(rejection.reason.to_string()).or_default()[side] += rejection.points;
            }
        }
    }

    /// Compares the series of a payload.
    pub(super) fn compare(&mut self, [first, second]: Sides<Series>) -> anyhow::Result<()> {
        self.descriptions[0].extend(first.descriptions);
        self.descriptions[1].extend(second.descriptions);
        let mut second = second.points;
        for (labels, points) in first.points {
            let others = second.remove(&labels);
            if others.is_some() {
                self.common.insert(hash(&labels));
            }
            self.compare_series(labels, [points, others.unwrap_or_default()]);
        }
        for (labels, points) in second {
            self.compare_series(labels, [Vec::new(), points]);
        }
        ensure!(
            self.differing.len() <= DIFFERING_MAX,
            "more than {DIFFERING_MAX} series differ: compare a part of the capture"
        );
        Ok(())
    }

    fn compare_series(&mut self, labels: Labels, points: Sides<Vec<Point>>) {
        if !same(&points) {
            self.differing.entry(labels).or_default().add(points);
        }
    }

    /// Ends the comparison.
    pub(super) fn finish(mut self) -> Differences {
        let mut found = Differences {
            totals: self.totals,
            rejections: self.rejections.into_iter().filter(|(_, [first, second])| first != second).collect(),
            described: described(mem::take(&mut self.descriptions)),
            ..Differences::default()
        };
        let mut lone = Sides::<Vec<Lone>>::default();
        // Points in another order are the same points.
        let differing = self.differing.into_iter().filter(|(_, difference)| difference.points() > 0);
        for (labels, difference) in differing {
            match difference.only_side().filter(|_| !self.common.contains(&hash(&labels))) {
                Some(side) => lone[side].push(Lone {
                    labels,
                    digest: difference.digest[side],
                    points: difference.lone[side],
                }),
                None => found.changed.push((labels, difference)),
            }
        }
        found.changed.sort_by(|a, b| a.0.cmp(&b.0));
        let pairs;
        (pairs, lone) = renames::pair(lone);
        found.renamed = pairs.into_iter().map(|[old, new]| ([old.labels, new.labels], old.points)).collect();
        let [lost, added] =
            lone.map(|lone| lone.into_iter().map(|lone| (lone.labels, lone.points)).collect());
        (found.lost, found.added) = (lost, added);
        found
    }
}

impl Difference {
    fn add(&mut self, mut points: Sides<Vec<Point>>) {
        points.iter_mut().for_each(|points| points.sort_by_key(|point| point.time));
        let [mut first, mut second] = points.map(|points| points.into_iter().peekable());
        loop {
            // The end comes after all times.
            let time = |point: Option<&Point>| point.map_or((true, 0), |point| (false, point.time));
            match time(first.peek()).cmp(&time(second.peek())) {
                Ordering::Less => first.next().iter().for_each(|point| self.add_lone(0, point)),
                Ordering::Greater => second.next().iter().for_each(|point| self.add_lone(1, point)),
                Ordering::Equal => match first.next().zip(second.next()) {
                    None => return,
                    Some((point, other)) if equal(&point, &other) => {}
                    Some((point, other)) => {
                        self.altered += 1;
                        self.example.get_or_insert_with(|| Box::new([point, other]));
                    }
                },
            }
        }
    }

    fn add_lone(&mut self, side: usize, point: &Point) {
        self.lone[side] += 1;
        self.digest[side] = hash(&(self.digest[side], point.time, &point.value));
    }

    fn points(&self) -> u64 {
        self.altered + self.lone.iter().sum::<u64>()
    }

    /// The only side that has points, if all that differ are of one side.
    fn only_side(&self) -> Option<usize> {
        match (self.altered, self.lone) {
            (0, [_, 0]) => Some(0),
            (0, [0, _]) => Some(1),
            _ => None,
        }
    }
}

fn same([first, second]: &Sides<Vec<Point>>) -> bool {
    first.len() == second.len() && first.iter().zip(second).all(|(a, b)| equal(a, b))
}

/// A start that only one protocol has a place for makes no difference.
fn equal(a: &Point, b: &Point) -> bool {
    let differ = |(a, b)| a != b;
    a.time == b.time && a.value == b.value && !a.start.zip(b.start).is_some_and(differ)
}

/// Descriptions of both sides that differ. What one side does not describe makes no difference.
fn described([first, mut second]: Sides<BTreeMap<String, Description>>) -> Vec<(String, Sides<Description>)> {
    let both = first.into_iter().filter_map(|(name, old)| {
        let new = second.remove(&name)?;
        (old != new).then_some((name, [old, new]))
    });
    both.collect()
}

/// The same for the same value in every run.
pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
