//! Native histograms: what AMP takes of them, and the form in which they are kept.
//!
//! AMP takes the exponential schemas from -4 to 8 and refuses others, so also histograms with custom buckets (AMP user
//! guide, discard reasons). What must hold within one is what Prometheus validates ("Native histograms"
//! specification): spans do not overlap, there is a delta for each bucket of a span, no bucket holds less than
//! nothing, and the buckets together hold the count.

use std::ops::RangeInclusive;

use crate::message::{BucketSpan, Histogram};

/// The schemas that AMP takes.
const SCHEMAS: RangeInclusive<i32> = -4..=8;

/// A native histogram; time in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptHistogram {
    /// Milliseconds since the Unix epoch, UTC.
    pub timestamp: i64,
    /// How many measurements.
    pub count: u64,
    /// Their sum; a stale marker is NaN with its own bit pattern.
    pub sum: f64,
    /// Bounds are powers of 2 to the power of 2 to the power of minus this.
    pub schema: i32,
    /// The zero bucket goes from minus this to this.
    pub zero_threshold: f64,
    /// How many measurements are in the zero bucket.
    pub zero_count: u64,
    /// By index, how many measurements are in a bucket of positive values.
    pub positive: Vec<(i32, u64)>,
    /// By index, how many measurements are in a bucket of negative values.
    pub negative: Vec<(i32, u64)>,
}

/// Why a histogram is refused: reason and text.
pub(crate) type HistogramRefusal = (&'static str, String);

impl Histogram {
    /// The histogram as it is kept, or why it is refused.
    pub(crate) fn judge(&self) -> Result<KeptHistogram, HistogramRefusal> {
        if !SCHEMAS.contains(&self.schema) {
            let text = format!("native histogram schema {} is not in {SCHEMAS:?}", self.schema);
            return Err(("native_histogram_invalid_schema", text));
        }
        let invalid = |text: &str| ("native_histogram_invalid", format!("invalid native histogram: {text}"));
        if self.float_count.is_some() {
            return Err(invalid("this stand-in judges integer counts only"));
        }
        // As Prometheus reads it, an absent count is an integer of zero.
        let count = self.count.unwrap_or_default();
        let [positive, negative] =
            [(&self.positive_spans, &self.positive_deltas), (&self.negative_spans, &self.negative_deltas)]
                .map(|(spans, deltas)| buckets(spans, deltas).map_err(invalid));
        let (positive, negative) = (positive?, negative?);
        let zero_count = self.zero_count.unwrap_or_default();
        let counts = positive.iter().chain(&negative).map(|(_, count)| *count);
        let in_buckets = counts.fold(zero_count, u64::saturating_add);
        // NaN is counted but is in no bucket.
        if in_buckets > count || (in_buckets < count && !self.sum.is_nan()) {
            return Err(invalid(&format!(
                "{in_buckets} measurements are in buckets, and the count is {count}"
            )));
        }
        Ok(KeptHistogram {
            timestamp: self.timestamp,
            count,
            sum: self.sum,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count,
            positive,
            negative,
        })
    }
}

/// The buckets of one side, by index.
fn buckets(spans: &[BucketSpan], deltas: &[i64]) -> Result<Vec<(i32, u64)>, &'static str> {
    let mut remaining = deltas.iter();
    let mut buckets = Vec::with_capacity(deltas.len());
    let (mut index, mut count) = (0_i32, 0_i64);
    for (position, span) in spans.iter().enumerate() {
        if position > 0 && span.offset < 0 {
            return Err("a span begins before the end of the one before");
        }
        index = index.checked_add(span.offset).ok_or("a bucket has an index of more than 32 bits")?;
        for _ in 0..span.length {
            let delta = remaining.next().ok_or("spans are longer than there are deltas")?;
            count = count.checked_add(*delta).ok_or("a bucket holds too many measurements")?;
            let held = u64::try_from(count).map_err(|_| "a bucket holds less than no measurement")?;
            buckets.push((index, held));
            index = index.checked_add(1).ok_or("a bucket has an index of more than 32 bits")?;
        }
    }
    match remaining.next() {
        None => Ok(buckets),
        Some(_) => Err("there are more deltas than buckets"),
    }
}
