//! Finds series that go by other labels on the second side.
//!
//! Series with the same points may be the same, but need not: many are zero at the same time. So two
//! series are paired if, apart from labels that stand on one side alone, they also have the same
//! labels. Whether a label stands on one side alone is told from all unpaired series together: where
//! a name was changed, the old one is on the first side only.

use super::comparison::{Sides, hash};
use super::inspected::Labels;
use std::collections::{BTreeMap, HashSet};

/// Among more candidates than this, the order of the labels decides, not their likeness.
const COMPARED_MAX: usize = 400;

/// A series that only one side has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lone {
    pub(super) labels: Labels,
    /// A hash of the times and values of its points.
    pub(super) digest: u64,
    /// How many these are.
    pub(super) points: u64,
}

/// Pairs, and what is left, in the order of the labels.
pub(super) fn pair(lone: Sides<Vec<Lone>>) -> (Vec<Sides<Lone>>, Sides<Vec<Lone>>) {
    let labels: Sides<HashSet<u64>> = lone
        .each_ref()
        .map(|lone| lone.iter().flat_map(|lone| lone.labels.iter().map(|it| hash(&it))).collect());
    let is_shared = |label: &(&str, &str)| labels.iter().all(|side| side.contains(&hash(label)));
    let shared = |lone: &Lone| hash(&lone.labels.iter().filter(is_shared).collect::<Vec<_>>());

    let mut pairs = Vec::new();
    let mut rest = Sides::<Vec<Lone>>::default();
    for group in groups(lone, |lone| (lone.digest, lone.points, shared(lone))) {
        pair_alike(group, &mut pairs, &mut rest);
    }
    // A series may also have got a label that others on the first side had before.
    let mut unpaired = Sides::<Vec<Lone>>::default();
    for group in groups(rest, |lone| (lone.digest, lone.points)) {
        match group.each_ref().map(Vec::len) {
            [1, 1] => pair_alike(group, &mut pairs, &mut unpaired),
            _ => unpaired.iter_mut().zip(group).for_each(|(rest, group)| rest.extend(group)),
        }
    }
    pairs.sort();
    unpaired.iter_mut().for_each(|lone| lone.sort());
    (pairs, unpaired)
}

fn groups<K: Ord>(
    lone: Sides<Vec<Lone>>,
    key: impl Fn(&Lone) -> K,
) -> impl Iterator<Item = Sides<Vec<Lone>>> {
    let mut groups = BTreeMap::<K, Sides<Vec<Lone>>>::new();
    for (side, lone) in lone.into_iter().enumerate() {
        for lone in lone {
            groups.entry(key(&lone)).or_default()[side].push(lone);
        }
    }
    groups.into_values()
}

/// Pairs the series of a group, those first whose labels read most alike.
fn pair_alike(group: Sides<Vec<Lone>>, pairs: &mut Vec<Sides<Lone>>, rest: &mut Sides<Vec<Lone>>) {
    let [mut first, mut second] = group.map(|mut lone| {
        lone.sort();
        lone.into_iter().map(Some).collect::<Vec<_>>()
    });
    for (old, new) in by_likeness(&first, &second) {
        if first[old].is_some()
            && let Some(new) = second[new].take()
        {
            pairs.extend(first[old].take().map(|old| [old, new]));
        }
    }
    rest[0].extend(first.into_iter().flatten());
    rest[1].extend(second.into_iter().flatten());
}

/// Indices of candidates, the best ones first.
fn by_likeness(first: &[Option<Lone>], second: &[Option<Lone>]) -> Vec<(usize, usize)> {
    let candidates = first.len().saturating_mul(second.len());
    if candidates <= 1 || candidates > COMPARED_MAX {
        return (0..first.len()).zip(0..second.len()).collect();
    }
    let names = |lone: &[Option<Lone>]| -> Vec<String> {
        lone.iter().flatten().map(|lone| lone.labels.to_string()).collect()
    };
    let (olds, news) = (names(first), names(second));
    let mut candidates = Vec::with_capacity(candidates);
    for (old, old_name) in olds.iter().enumerate() {
        for (new, new_name) in news.iter().enumerate() {
            candidates.push((strsim::jaro_winkler(old_name, new_name), old, new));
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    candidates.into_iter().map(|(_, old, new)| (old, new)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str, others: &[(&str, &str)]) -> Labels {
        let all = [("__name__", name)].into_iter().chain(others.iter().copied());
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>().into()
    }

    fn lone(name: &str, others: &[(&str, &str)], digest: u64) -> Lone {
        Lone { labels: labels(name, others), digest, points: 1 }
    }

    fn named(pairs: Vec<Sides<Lone>>) -> Vec<[String; 2]> {
        pairs.into_iter().map(|pair| pair.map(|lone| lone.labels.to_string())).collect()
    }

    #[test]
    fn of_many_zeros_those_with_the_same_other_labels_are_paired() {
        let les = ["1", "2", "+Inf"];
        let side = |name: &str| les.map(|le| lone(name, &[("job", "a"), ("le", le)], 0)).to_vec();
        let (pairs, rest) = pair([side("x_seconds_bucket"), side("x_bucket")]);
        let expected = ["+Inf", "1", "2"].map(|le| {
            ["x_seconds_bucket", "x_bucket"].map(|name| format!("{name}{{job=\"a\",le=\"{le}\"}}"))
        });
        assert_eq!(named(pairs), expected);
        assert_eq!(rest, [vec![], vec![]]);
    }

    #[test]
    fn labels_left_out_on_one_side_do_not_hinder() {
        let old = |name| lone(name, &[("job", "a"), ("scope", "s")], 0);
        let new = |name| lone(name, &[("job", "a")], 0);
        let (pairs, _) = pair([vec![old("x"), old("y")], vec![new("y"), new("x")]]);
        let expected = ["x", "y"]
            .map(|name| [format!("{name}{{job=\"a\",scope=\"s\"}}"), format!("{name}{{job=\"a\"}}")]);
        assert_eq!(named(pairs), expected);
    }

    #[test]
    fn names_that_read_alike_decide_among_equals() {
        let lost = vec![lone("errors", &[], 0), lone("requests", &[], 0)];
        let (pairs, rest) = pair([lost, vec![lone("requests_total", &[], 0)]]);
        assert_eq!(named(pairs), [["requests{}".to_owned(), "requests_total{}".to_owned()]]);
        assert_eq!(rest[0], [lone("errors", &[], 0)]);
    }

    #[test]
    fn other_points_make_another_series() {
        let lost = vec![lone("x", &[("job", "a")], 1)];
        let added = vec![lone("x_total", &[("job", "a")], 2)];
        assert_eq!(pair([lost.clone(), added.clone()]), (vec![], [lost, added]));
    }

    #[test]
    fn a_label_that_others_had_before_is_found_by_points_that_are_alone() {
        // `zone` of `x` is new, but `y` had it before, and lost it.
        let lost = vec![lone("x", &[], 1), lone("y", &[("zone", "1")], 2)];
        let added = vec![lone("x", &[("zone", "1")], 1), lone("y", &[], 2)];
        let (pairs, _) = pair([lost, added]);
        let expected = [["x{}", "x{zone=\"1\"}"], ["y{zone=\"1\"}", "y{}"]];
        assert_eq!(named(pairs), expected.map(|pair| pair.map(str::to_owned)));
    }
}
