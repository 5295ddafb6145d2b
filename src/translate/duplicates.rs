//! Two values of one series at one time, which no receiver keeps: the first is sent, the second refused.
//!
//! First points are told apart, by the hash of their labels, and families, by their names: that costs next to nothing.
//! Where two seem to write the same series the payload is translated again. Then each series is told apart, by 128 bits as
//! accumulated ones are, and each point says which metric it comes from.

use super::base::{DERIVED_SUFFIXES, ExtraLabel, METRIC_NAME};
use super::family::{Family, family_identity};
use super::identity;
use super::labels::PointLabels;
use super::numbers::{INFINITE, NumberTexts};
use super::reject::{describe, shortened};
use super::rejections::{Reason, Rejections};
use crate::accumulate::Hash;
use std::collections::{BTreeMap, BTreeSet};

/// What a quick look found, which may be a coincidence: the payload is to be looked at exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LooksTwice;

/// The series that a point is about to write, besides one of the metric's own name.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts<'p> {
    /// A series of the metric's own name and without a further label.
    pub plain: bool,
    pub sum: bool,
    pub count: bool,
    /// Buckets of these bounds, of which the first so many are written.
    pub buckets: Option<(&'p NumberTexts, usize)>,
    pub quantiles: Option<&'p NumberTexts>,
    pub created: bool,
}

impl<'p> Parts<'p> {
    /// The series of a histogram: the native one if `is_native`, and of the classic ones the buckets.
    pub fn of_histogram(
        is_native: bool,
        classic: Option<(&'p NumberTexts, usize)>,
        has_sum: bool,
        created: bool,
    ) -> Self {
        let is_classic = classic.is_some();
        Parts {
            plain: is_native,
            sum: is_classic && has_sum,
            count: is_classic,
            buckets: classic,
            quantiles: None,
            created,
        }
    }
}

/// A point, or a series that belongs to none, whose labels are known.
pub(super) struct Candidate<'p> {
    pub name: &'p [u8],
    pub labels: &'p PointLabels<'p>,
    /// That of the labels with the name of the family.
    pub identity: u64,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    pub parts: Parts<'p>,
}

/// One series of a point: the suffix of its name, and the value of its further label.
struct One<'p> {
    suffix: &'static [u8],
    extra: Option<(ExtraLabel, &'p [u8])>,
}

/// The series of the payload at hand.
pub(super) struct Duplicates {
    is_on: bool,
    quick: Table,
    exact: Option<Exact>,
}

impl Duplicates {
    /// Looks for duplicates, or does not.
    pub fn new(is_on: bool) -> Duplicates {
        Duplicates { is_on, quick: Table::default(), exact: None }
    }

    /// Begins a payload.
    pub fn begin(&mut self) {
        self.quick.clear();
        self.exact = None;
    }

    /// Begins the payload again, now exactly.
    pub fn begin_exactly(&mut self) {
        self.begin();
        self.exact = Some(Exact::default());
    }

    /// Ends the payload.
    pub fn end(&mut self) {
        self.exact = None;
        self.quick.shrink();
    }

    /// Takes the origin of the points that follow, if it will be named.
    pub fn set_origin(&mut self, origin: impl FnOnce() -> String) {
        if let Some(exact) = &mut self.exact {
            exact.origins.push(origin());
        }
    }

    /// Whether a series that belongs to no point was not there before at its time.
    pub fn is_new(&mut self, series: &Candidate) -> bool {
        // In an exact look, points and what belongs to none are not compared.
        !self.is_on || self.quick.insert(at_time(series.hash(), series.time))
    }

    /// Whether no series of a point was there before at this time; or the point is rejected.
    #[inline]
    pub fn admit(&mut self, point: &Candidate, rejections: &mut Rejections) -> Result<bool, LooksTwice> {
        if !self.is_on {
            return Ok(true);
        }
        let Some(exact) = &mut self.exact else { return self.admit_quickly(point) };
        let Some((first, series)) = exact.add(point) else { return Ok(true) };
        let second = exact.origins.last().map_or("", String::as_str);
        rejections.add(Reason::DuplicateSample, 1, || {
            format!(
                "{second} has a second value of the series {series} at {} ms; the first is of {first}",
                point.time
            )
        });
        Ok(false)
    }

    #[inline]
    fn admit_quickly(&mut self, point: &Candidate) -> Result<bool, LooksTwice> {
        let Parts { plain, count, .. } = point.parts;
        let hash = point.hash();
        let is_new = (!plain || self.quick.insert(at_time(hash, point.time)))
            && (!count || self.quick.insert(at_time(hash ^ COMPOUND, point.time)));
        if is_new { Ok(true) } else { Err(LooksTwice) }
    }

    /// Whether no series of a family is called like one of a family before it, of another name: a gauge `h_count` like
    /// that of a histogram `h`. `is_plain` is whether it has series of its own name, `derives` whether there are some of
    /// longer names, or with a further label.
    pub fn begin_family(
        &mut self,
        name: &[u8],
        identity: u64,
        is_plain: bool,
        derives: bool,
    ) -> Result<(), LooksTwice> {
        if !self.is_on || self.exact.is_some() {
            return Ok(());
        }
        let hash = with_sizes(identity, name, 0);
        let mut is_new = true;
        if derives {
            is_new &= !self.quick.has(identity::label(hash, TAKEN));
            self.quick.insert(identity::label(hash, DERIVED_FROM));
        }
        if is_plain && !derives {
            is_new &= self.takes(hash);
        }
        if is_plain {
            for base in DERIVED_SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(*suffix)) {
                is_new &= self.takes(with_sizes(family_identity(base), base, 0));
            }
        }
        if is_new { Ok(()) } else { Err(LooksTwice) }
    }

    /// Notes that a family has a name that may be derived from this one. False if there is a family that derives some.
    fn takes(&mut self, family: u64) -> bool {
        self.quick.insert(identity::label(family, TAKEN));
        !self.quick.has(identity::label(family, DERIVED_FROM))
    }
}

/// Tell apart what the table has hashes of: any numbers that differ in many bits.
const COMPOUND: u64 = 0x5bd1_e995_7b7d_159b;
const TAKEN: u64 = 0x27d4_eb2f_1656_67c5;
const DERIVED_FROM: u64 = 0xc2b2_ae3d_27d4_eb4f;
const SIZES: u64 = 0x94d0_49bb_1331_11eb;

/// Rejects a bound or quantile that stands twice in a point; the rest of the point is sent.
pub(super) fn reject_repeated(
    texts: &NumberTexts,
    extra: ExtraLabel,
    family: &Family,
    rejections: &mut Rejections,
) {
    if let Some((first, second)) = texts.repeated() {
        rejections.add(Reason::DuplicateSample, 0, || {
            let (what, parts) = match extra {
                ExtraLabel::Quantile => ("quantile", "values"),
                _ => ("bound", "buckets"),
            };
            let text = texts.iter().nth(second).unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            let places = format!("{parts} {} and {} of the point", first + 1, second + 1);
            describe(&family.metric, &format!("has a point with the {what} {text} twice: {places}"))
        });
    }
}

impl<'p> Candidate<'p> {
    /// What a quick look compares.
    #[inline]
    fn hash(&self) -> u64 {
        with_sizes(self.identity, self.name, self.labels.bytes())
    }

    /// Calls `each` for all series that the point is about to write.
    fn for_each(&self, mut each: impl FnMut(One<'p>)) {
        let Parts { plain, sum, count, buckets, quantiles, created } = self.parts;
        let alone = [(plain, &b""[..]), (sum, b"_sum"), (count, b"_count"), (created, b"_created")];
        for (_, suffix) in alone.into_iter().filter(|(is_written, _)| *is_written) {
            each(One { suffix, extra: None });
        }
        if let Some((bounds, written)) = buckets {
            let finite = bounds.written(written).filter(|text| *text != INFINITE);
            for text in finite.chain([INFINITE]) {
                each(One { suffix: b"_bucket", extra: Some((ExtraLabel::Le, text)) });
            }
        }
        for text in quantiles.iter().flat_map(|quantiles| quantiles.written(usize::MAX)) {
            each(One { suffix: b"", extra: Some((ExtraLabel::Quantile, text)) });
        }
    }

    /// The name of one of these series, for people.
    fn name_of(&self, number: usize) -> String {
        let mut suffixes = Vec::new();
        self.for_each(|one| suffixes.push(one.suffix));
        shortened(&[self.name, suffixes.get(number).copied().unwrap_or_default()].concat())
    }
}

/// A hash of an identity and of the sizes of the name and the labels it was made of. Short texts of different lengths, such
/// as `s1000` and `s101000`, can have the same identity, which a payload with numbered series would hold many times.
#[inline]
fn with_sizes(identity: u64, name: &[u8], label_bytes: usize) -> u64 {
    let sizes = (label_bytes as u64) << 32 | name.len() as u64;
    identity.wrapping_add(sizes.wrapping_mul(SIZES))
}

#[inline]
fn at_time(series: u64, time: i64) -> u64 {
    identity::label(series, time.cast_unsigned())
}

/// Hashes that were there before, without what they are of.
struct Table {
    /// The upper bits of a hash, and below them the number of the payload: those of others are empty places.
    slots: Vec<u64>,
    used: usize,
    payload: u64,
    /// The hashes that found no place near enough.
    crowded: BTreeSet<u64>,
}

/// Where a hash is, or where it belongs.
enum Lookup {
    There,
    Free(usize),
    Crowded,
}

/// So many places are looked at in one search. Hashes that were made to fall on one place would need one for each of them.
const PROBES_MAX: usize = 64;

/// How many bits the number of a payload takes.
const PAYLOAD_BITS: u32 = 16;
const PAYLOAD_MASK: u64 = (1 << PAYLOAD_BITS) - 1;

/// The table begins with so many places, and after a payload keeps at most so many.
const SLOTS_MIN: usize = 1 << 8;
const SLOTS_KEPT: usize = 1 << 16;

impl Default for Table {
    /// At the first payload: a place that was never filled is of payload 0.
    fn default() -> Self {
        Table { slots: Vec::new(), used: 0, payload: 1, crowded: BTreeSet::new() }
    }
}

impl Table {
    fn clear(&mut self) {
        self.used = 0;
        self.crowded.clear();
        self.payload = (self.payload + 1) & PAYLOAD_MASK;
        if self.payload == 0 {
            self.slots.fill(0);
            self.payload = 1;
        }
    }

    fn shrink(&mut self) {
        if self.slots.len() > SLOTS_KEPT {
            self.slots = Vec::new();
        }
    }

    /// Adds a hash. False if there was one like it.
    #[inline]
    fn insert(&mut self, hash: u64) -> bool {
        if 2 * self.used >= self.slots.len() {
            self.grow();
        }
        let wanted = self.of_payload(hash);
        let home = self.home(wanted);
        // Nearly always its own place is free.
        if self.slots[home] & PAYLOAD_MASK != self.payload {
            self.slots[home] = wanted;
            self.used += 1;
            return true;
        }
        self.insert_behind(wanted)
    }

    #[inline(never)]
    fn insert_behind(&mut self, wanted: u64) -> bool {
        match self.find(wanted) {
            Lookup::There => false,
            Lookup::Free(at) => {
                self.slots[at] = wanted;
                self.used += 1;
                true
            }
            Lookup::Crowded => self.crowded.insert(wanted),
        }
    }

    /// Whether there is a hash like it.
    fn has(&self, hash: u64) -> bool {
        let wanted = self.of_payload(hash);
        !self.slots.is_empty()
            && match self.find(wanted) {
                Lookup::There => true,
                Lookup::Free(_) => false,
                Lookup::Crowded => self.crowded.contains(&wanted),
            }
    }

    /// A hash as it is kept: with the number of the payload in its lower bits.
    #[inline]
    fn of_payload(&self, hash: u64) -> u64 {
        hash & !PAYLOAD_MASK | self.payload
    }

    /// The place that a hash falls on.
    #[inline]
    fn home(&self, wanted: u64) -> usize {
        (wanted >> PAYLOAD_BITS) as usize & (self.slots.len() - 1)
    }

    fn find(&self, wanted: u64) -> Lookup {
        let mask = self.slots.len() - 1;
        let mut at = self.home(wanted);
        for _ in 0..PROBES_MAX {
            match self.slots[at] {
                slot if slot == wanted => return Lookup::There,
                slot if slot & PAYLOAD_MASK != self.payload => return Lookup::Free(at),
                _ => at = (at + 1) & mask,
            }
        }
        Lookup::Crowded
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![0; (2 * self.slots.len()).max(SLOTS_MIN)];
        let smaller = std::mem::replace(&mut self.slots, larger);
        self.used = 0;
        let payload = self.payload;
        let crowded = std::mem::take(&mut self.crowded);
        for slot in smaller.into_iter().filter(|slot| slot & PAYLOAD_MASK == payload).chain(crowded) {
            self.insert(slot);
        }
    }
}

/// Two independent hashes of the labels of a series, and a time.
type Key = (u64, u64, i64);

/// What was there before, and where it came from.
#[derive(Default)]
struct Exact {
    /// The second hash of each series at each time: what is not in it is new, as nearly all are.
    looked: Table,
    /// Each series at each time, and the number of its origin; the latest ones are in no order yet.
    seen: BTreeMap<Key, usize>,
    latest: Vec<(Key, usize)>,
    origins: Vec<String>,
    /// The series of the point at hand, and the name of one, in memory that is used again.
    keys: Vec<Key>,
    name: Vec<u8>,
}

impl Exact {
    /// Adds the series of a point, unless one of them is there: then its origin and name are returned.
    fn add(&mut self, point: &Candidate) -> Option<(String, String)> {
        let mut labels = (0, 0);
        point.labels.iter().for_each(|label| add_label(&mut labels, label.name, label.value));
        self.keys.clear();
        let mut is_new = true;
        point.for_each(|one| {
            let mut hashes = labels;
            self.name.clear();
            self.name.extend_from_slice(point.name);
            self.name.extend_from_slice(one.suffix);
            add_label(&mut hashes, METRIC_NAME, &self.name);
            if let Some((extra, text)) = one.extra {
                add_label(&mut hashes, extra.name(), text);
            }
            is_new &= self.looked.insert(at_time(hashes.1, point.time));
            self.keys.push((hashes.0, hashes.1, point.time));
        });
        if !is_new {
            self.seen.extend(self.latest.drain(..));
            let first = (0..).zip(&self.keys).find_map(|(number, key)| Some((number, *self.seen.get(key)?)));
            if let Some((number, origin)) = first {
                let origin = self.origins.get(origin).cloned().unwrap_or_default();
                return Some((origin, point.name_of(number)));
            }
        }
        let origin = self.origins.len().saturating_sub(1);
        self.latest.extend(self.keys.iter().map(|key| (*key, origin)));
        None
    }
}

/// Adds a label to two hashes that share no arithmetic, as those of accumulated series. They do not depend on the order of
/// labels.
fn add_label((first, second): &mut (u64, u64), name: &[u8], value: &[u8]) {
    let part = identity::label(identity::hash(name).0, identity::hash(value).0);
    *first = first.wrapping_add(part);
    *second = second.wrapping_add(Hash::new().text(name).text(value).finish());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_knows_what_was_added_to_this_payload_alone() {
        let mut table = Table::default();
        let hash = |number: u64| identity::label(number, !number);
        for payload in 0..=PAYLOAD_MASK + 3 {
            table.clear();
            let numbers = if payload % 10_000 == 0 { 0..5_000 } else { 0..3 };
            assert!(numbers.clone().all(|number| table.insert(hash(number))), "{payload}");
            assert!(!numbers.clone().any(|number| table.insert(hash(number))), "{payload}");
        }
        assert!(table.slots.len() <= SLOTS_KEPT);
    }

    /// If they were not, a payload with a few of them would be translated twice.
    #[test]
    fn short_texts_of_one_identity_are_told_apart() {
        for prefix in ["", "s"] {
            let texts = (0..200_000).map(|number| format!("{prefix}{number}")).collect::<Vec<_>>();
            let identity =
                |text: &String| identity::label(identity::hash(b"k").0, identity::hash(text.as_bytes()).0);
            let identities = texts.iter().map(identity).collect::<BTreeSet<_>>();
            assert!(identities.len() < texts.len(), "{prefix}");

            let mut labels = Table::default();
            let hash =
                |text: &String| at_time(with_sizes(identity(text), b"m", text.len()), 1_700_000_000_000);
            assert!(texts.iter().all(|text| labels.insert(hash(text))), "{prefix}");
            let mut names = Table::default();
            let hash = |text: &String| identity::label(with_sizes(identity(text), text.as_bytes(), 0), TAKEN);
            assert!(texts.iter().all(|text| names.insert(hash(text))), "{prefix}");
        }
    }

    /// The identities of series can be made to fall on one place: `identity` has no key.
    #[test]
    fn hashes_that_fall_on_one_place_are_looked_for_in_few() {
        let mut table = Table::default();
        table.clear();
        let colliding = |number: u64| number << 40;
        assert!((1..=3_000).map(colliding).all(|hash| table.insert(hash)));
        assert!(table.crowded.len() > 2_900, "{}", table.crowded.len());
        // Others make it grow, and it still knows all of them.
        let others = |number: u64| identity::label(number, !number) | 1 << 20;
        assert!((0..5_000).all(|number| table.insert(others(number))));
        assert!(!(1..=3_000).map(colliding).any(|hash| table.insert(hash)));
        assert!((1..=3_000).map(colliding).all(|hash| table.has(hash)));
        assert!(!table.has(colliding(3_001)));
        table.clear();
        assert!(!table.has(colliding(3_000)) && table.insert(colliding(3_000)));
    }
}
