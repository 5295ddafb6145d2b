//! Adding exponential histograms up.
//! (OpenTelemetry specification, "Metrics Data Model", sections "Exponential Scale" and
//! "ExponentialHistogram: Merging".)

use super::number::{add_sums, known};
use crate::otlp::exponential::{ExponentialBuckets, ExponentialPoint, Side, power_of_two};
use std::mem::take;
use std::ops::{Range, RangeInclusive};

/// The most buckets of one side. With more, the scale is lowered, which halves their number: the
/// size that SDKs use too.
pub(super) const BUCKETS_MAX: usize = 160;

/// The scales that SDKs use: below, one bucket holds half of all doubles; above, the indexes of
/// large values do not fit 32 bits.
pub(super) const SCALES: RangeInclusive<i32> = -10..=20;

/// The exponents of two between which all doubles lie.
const EXPONENTS: RangeInclusive<i64> = -1076..=1024;

/// An exponential histogram, as a delta or a total.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exponential {
    pub scale: i32,
    pub zero_threshold: f64,
    pub zero_count: u64,
    pub count: u64,
    pub sum: Option<f64>,
    pub positive: Side,
    pub negative: Side,
}

impl Exponential {
    /// Moves a point here, until [`give_back`](Self::give_back).
    pub fn take(point: &ExponentialPoint, buckets: &mut ExponentialBuckets) -> Exponential {
        let ExponentialPoint { head: _, count, sum, scale, zero_count, zero_threshold } = *point;
        let (positive, negative) = (take(&mut buckets.positive), take(&mut buckets.negative));
        Exponential { scale, zero_threshold, zero_count, count, sum, positive, negative }
    }

    /// Moves it back to where it was taken from.
    pub fn give_back(self, point: &mut ExponentialPoint, buckets: &mut ExponentialBuckets) {
        (point.scale, point.zero_threshold, point.zero_count) =
            (self.scale, self.zero_threshold, self.zero_count);
        (point.count, point.sum) = (self.count, self.sum);
        (buckets.positive, buckets.negative) = (self.positive, self.negative);
    }

    /// Brings a point into the form that totals are kept in: no empty buckets at the ends, and not
    /// too many. Says what is wrong with one that cannot be added up.
    pub fn normalise(&mut self) -> Result<(), &'static str> {
        if !SCALES.contains(&self.scale) {
            return Err("a scale beyond -10 to 20");
        }
        if !(self.zero_threshold >= 0.0 && self.zero_threshold.is_finite()) {
            return Err("a zero threshold that is negative or no number");
        }
        self.sum = known(self.sum);
        for side in [&mut self.positive, &mut self.negative] {
            if !side.trim() || !side.is_within_doubles(self.scale) {
                return Err("a bucket beyond all doubles");
            }
        }
        self.lower_scale(self.positive.excess(None).max(self.negative.excess(None)));
        Ok(())
    }

    /// Adds a delta, which must have been normalised, and changes it on the way.
    pub fn add(&mut self, delta: &mut Exponential) {
        while self.zero_threshold != delta.zero_threshold {
            // Each round swallows a bucket of one of them, or ends.
            self.widen_zero(delta.zero_threshold);
            delta.widen_zero(self.zero_threshold);
        }
        let scale = self.scale.min(delta.scale);
        self.lower_scale(self.scale.abs_diff(scale));
        delta.lower_scale(delta.scale.abs_diff(scale));
        let positive = self.positive.excess(Some(&delta.positive));
        let excess = positive.max(self.negative.excess(Some(&delta.negative)));
        self.lower_scale(excess);
        delta.lower_scale(excess);
        self.positive.add(&delta.positive);
        self.negative.add(&delta.negative);
        self.zero_count = self.zero_count.saturating_add(delta.zero_count);
        self.count = self.count.saturating_add(delta.count);
        self.sum = add_sums(self.sum, delta.sum);
    }

    /// Becomes a copy of another, in the memory it has.
    pub fn copy(&mut self, other: &Exponential) {
        let Exponential { scale, zero_threshold, zero_count, count, sum, positive, negative } = other;
        (self.scale, self.zero_threshold, self.zero_count) = (*scale, *zero_threshold, *zero_count);
        (self.count, self.sum) = (*count, *sum);
        for (own, other) in [(&mut self.positive, positive), (&mut self.negative, negative)] {
            own.offset = other.offset;
            own.counts.clone_from(&other.counts);
        }
    }

    fn lower_scale(&mut self, by: u32) {
        if by == 0 {
            return;
        }
        self.positive.downscale(by);
        self.negative.downscale(by);
        self.scale = self.scale.saturating_sub_unsigned(by);
    }

    /// Counts all up to a threshold as zero; one that falls into a bucket with something in it is
    /// raised to the end of that bucket.
    fn widen_zero(&mut self, threshold: f64) {
        let mut threshold = threshold.max(self.zero_threshold);
        loop {
            let before = threshold;
            for side in [&mut self.positive, &mut self.negative] {
                let swallowed = side.swallow(self.scale, &mut threshold);
                self.zero_count = self.zero_count.saturating_add(swallowed);
            }
            if threshold == before {
                break;
            }
        }
        self.zero_threshold = threshold;
    }
}

impl Side {
    /// Takes away empty buckets at both ends. False if an index is beyond 32 bits.
    fn trim(&mut self) -> bool {
        let Range { start: first, end } = self.populated();
        if first == end {
            self.counts.clear();
            self.offset = 0;
            return true;
        }
        self.counts.truncate(end);
        let last = i64::from(self.offset) + end as i64 - 1;
        let offset = i64::from(self.offset) + first as i64;
        self.counts.drain(..first);
        match (i32::try_from(offset), i32::try_from(last)) {
            (Ok(offset), Ok(_)) => {
                self.offset = offset;
                true
            }
            _ => false,
        }
    }

    /// Whether there are doubles in the first and the last bucket.
    pub(super) fn is_within_doubles(&self, scale: i32) -> bool {
        let exponent = |index: i64| {
            if scale >= 0 { index >> scale.min(63) } else { index.saturating_mul(1 << (-scale).min(31)) }
        };
        self.counts.is_empty()
            || (EXPONENTS.contains(&exponent(self.first())) && EXPONENTS.contains(&exponent(self.last())))
    }

    fn first(&self) -> i64 {
        i64::from(self.offset)
    }

    fn last(&self) -> i64 {
        i64::from(self.offset) + self.counts.len() as i64 - 1
    }

    /// By how much the scale must be lowered before this side, with another, is within the limit.
    fn excess(&self, other: Option<&Side>) -> u32 {
        let sides = [Some(self), other].into_iter().flatten().filter(|side| !side.counts.is_empty());
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for side in sides {
            (first, last) = (first.min(side.first()), last.max(side.last()));
        }
        let mut by = 0;
        while first <= last && (last >> by) - (first >> by) >= BUCKETS_MAX as i64 {
            by += 1;
        }
        by
    }

    /// Adds the counts of another side of the same scale.
    fn add(&mut self, other: &Side) {
        if other.counts.is_empty() {
            return;
        }
        if self.counts.is_empty() {
            self.offset = other.offset;
        }
        let missing = (self.first() - other.first()).max(0) as usize;
        if missing > 0 {
            self.counts.splice(..0, std::iter::repeat_n(0, missing));
            self.offset = other.offset;
        }
        let shift = (other.first() - self.first()) as usize;
        self.counts.resize(self.counts.len().max(shift + other.counts.len()), 0);
        for (own, other) in self.counts[shift..].iter_mut().zip(&other.counts) {
            *own = own.saturating_add(*other);
        }
    }

    /// Takes away the buckets that begin below a threshold, raises it to the end of the last of them
    /// with something in it, and returns how much there was.
    fn swallow(&mut self, scale: i32, threshold: &mut f64) -> u64 {
        let mut swallowed = 0u64;
        let mut places = 0;
        for count in &self.counts {
            let index = self.first() + places as i64;
            if bound(scale, index) >= *threshold {
                break;
            }
            if *count > 0 {
                swallowed = swallowed.saturating_add(*count);
                // The last bucket of all ends beyond all doubles.
                *threshold = threshold.max(bound(scale, index + 1).min(f64::MAX));
            }
            places += 1;
        }
        if places > 0 {
            self.counts.drain(..places);
            self.offset = self.offset.saturating_add_unsigned(places as u32);
            self.trim();
        }
        swallowed
    }
}

/// The lower bound of a bucket: 2 to the power of its index times 2 to the power of minus the scale.
///
/// Only multiplications and square roots, which are exact to the last bit on every machine: the
/// functions of mathematical libraries are not, and the exporter must give the same bytes everywhere.
fn bound(scale: i32, index: i64) -> f64 {
    let (whole, fraction) = match u32::try_from(scale) {
        Ok(scale) => (index >> scale.min(63), index & !(-1 << scale.min(63))),
        Err(_) => (index.saturating_mul(1 << scale.unsigned_abs().min(31)), 0),
    };
    let mut factor = 1.0;
    let mut root = 2f64;
    for bit in (0..scale.max(0)).rev() {
        root = root.sqrt();
        if fraction >> bit & 1 == 1 {
            factor *= root;
        }
    }
    match whole {
        ..-1130 => 0.0,
        -1130..-1022 => factor * power_of_two(-1022) * power_of_two(whole + 1022),
        -1022..=1023 => factor * power_of_two(whole),
        1024.. => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_powers_of_two() {
        for scale in SCALES {
            for index in [-70_000i64, -1023, -161, -3, -1, 0, 1, 2, 5, 160, 1000, 70_000] {
                let expected = (index as f64 * (-f64::from(scale)).exp2()).exp2();
                let bound = bound(scale, index);
                assert!(
                    bound == expected || (bound - expected).abs() <= expected * 1e-14,
                    "scale {scale}, index {index}: {bound:e} is not {expected:e}"
                );
            }
        }
    }

    #[test]
    fn a_bound_is_the_same_at_every_scale() {
        for index in -100..100 {
            for by in 1..8 {
                assert_eq!(bound(3, index).to_bits(), bound(3 + by, index << by).to_bits());
            }
        }
    }
}
