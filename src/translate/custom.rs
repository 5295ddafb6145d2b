//! Native histograms with custom buckets (schema −53) from classic ones, bucket for bucket as Prometheus' own
//! conversion makes them (`util/convertnhcb`).

use super::native::Layout;
use super::sink::{Buckets as NativeBuckets, NativeHistogram, Sample};
use crate::otlp::point::{Buckets, HistogramPoint};

/// The schema of native histograms with custom buckets.
const CUSTOM_BUCKETS: i32 = -53;

/// Totals are doubles on the way, and whole numbers of 63 bits at the end.
const TOTAL_MAX: f64 = 9_223_372_036_854_775_808.0;

/// The buckets of a point on their way to a native histogram, in memory that is used again.
#[derive(Default)]
pub(super) struct CustomBuckets {
    /// The upper bound of each bucket, and how many observations are not above it.
    totals: Vec<(f64, f64)>,
    bounds: Vec<u64>,
    counts: Vec<u64>,
    layout: Layout,
}

impl CustomBuckets {
    /// Makes a native histogram of a point. What the buckets lack of the count of the point is counted to the
    /// infinite one; of equal bounds the first counts.
    ///
    /// # Errors
    ///
    /// What is wrong with the buckets.
    pub fn convert(
        &mut self,
        buckets: &Buckets,
        point: &HistogramPoint,
        stamp: Sample,
    ) -> Result<NativeHistogram<'_>, &'static str> {
        self.bounds.clear();
        self.counts.clear();
        let mut count = 0;
        if !point.head.no_recorded_value {
            self.set_totals(buckets, point.count)?;
            count = self.set_counts();
        }
        self.lay_out();
        Ok(NativeHistogram {
            schema: CUSTOM_BUCKETS,
            count,
            // The sum of a series that has ended says so.
            sum: if point.head.no_recorded_value { stamp.value } else { point.sum.unwrap_or(0.0) },
            zero_threshold: 0.0,
            zero_count: 0,
            positive: self.layout.buckets(),
            negative: NativeBuckets::default(),
            custom_values: &self.bounds,
            time: stamp.time,
            start: stamp.start,
        })
    }

    /// The running totals, in the order of bounds, the infinite one last.
    fn set_totals(&mut self, buckets: &Buckets, count: u64) -> Result<(), &'static str> {
        self.totals.clear();
        let bounds = buckets.bounds.iter().map(|bits| f64::from_bits(*bits));
        let mut counts = buckets.counts.iter();
        let mut total = 0u64;
        for bound in bounds.chain([f64::INFINITY]) {
            total = total.wrapping_add(counts.next().copied().unwrap_or(0));
            if bound == f64::INFINITY {
                total = total.max(count);
            }
            if bound.is_nan() {
                return Err("has a bound that is not a number");
            }
            self.totals.push((bound, total as f64));
            if bound == f64::INFINITY {
                break;
            }
        }
        if !self.totals.is_sorted_by(|a, b| a.0 < b.0) {
            self.totals.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
            self.totals.dedup_by(|later, earlier| later.0 == earlier.0);
        }
        if !self.totals.is_sorted_by(|a, b| a.1 <= b.1) {
            return Err("has bounds that do not ascend, or counts that add up to more than 64 bits hold");
        }
        match self.totals.last() {
            Some((_, total)) if *total >= TOTAL_MAX => Err("has more observations than 63 bits count"),
            _ => Ok(()),
        }
    }

    /// The bounds and the count of each bucket. Returns how many observations there are.
    fn set_counts(&mut self) -> u64 {
        let mut before = 0;
        for (bound, total) in &self.totals {
            let total = *total as u64;
            self.counts.push(total - before);
            before = total;
            if *bound != f64::INFINITY {
                self.bounds.push(bound.to_bits());
            }
        }
        before
    }

    /// Lays out the populated buckets, without the empty ones at both ends.
    fn lay_out(&mut self) {
        let first = self.counts.iter().position(|count| *count != 0).unwrap_or(self.counts.len());
        let end = self.counts.iter().rposition(|count| *count != 0).map_or(first, |last| last + 1);
        self.layout.set(&self.counts[first..end], first as i64);
    }
}
