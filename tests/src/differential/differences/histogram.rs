//! Differences of classic histograms, and of values.

use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::Difference;
use crate::canonical::{Bits, Canonical};
use crate::differential::Case;

/// The bucket of an explicit infinite bound is the last bucket, and is not written twice.
pub struct InfiniteBound;

impl Difference for InfiniteBound {
    fn heading(&self) -> &'static str {
        "An explicit infinite bound makes no second sample"
    }

    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        if !case.options.writes_classic_histograms() {
            return found;
        }
        for metric in case.metrics_mut() {
            if let Some(Data::Histogram(histogram)) = &mut metric.data {
                found += histogram.data_points.iter_mut().map(merge_infinite_bucket).sum::<usize>();
            }
        }
        found
    }
}

/// Takes out infinite bounds; the bucket before each is counted to the bucket after it.
fn merge_infinite_bucket(point: &mut HistogramDataPoint) -> usize {
    let mut found = 0;
    while let Some(at) = point.explicit_bounds.iter().position(|bound| *bound == f64::INFINITY) {
        point.explicit_bounds.remove(at);
        if at < point.bucket_counts.len() {
            found += 1;
            let count = point.bucket_counts.remove(at);
            if let Some(next) = point.bucket_counts.get_mut(at) {
                *next = next.wrapping_add(count);
            }
        }
    }
    found
}

/// A native histogram of custom buckets counts in whole numbers of 63 bits; more are refused.
pub struct TooMany;

impl Difference for TooMany {
    fn heading(&self) -> &'static str {
        "Custom buckets of more than 63 bits are refused"
    }

    /// The oracle refuses bounds that are no numbers, and takes the time of the point all the same.
    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        if case.options.writes_classic_histograms() {
            return found;
        }
        for metric in case.metrics_mut() {
            let Some(Data::Histogram(histogram)) = &mut metric.data else { continue };
            for point in histogram.data_points.iter_mut().filter(|point| point.flags & 1 == 0) {
                if has_too_many(point) {
                    point.explicit_bounds = vec![f64::NAN];
                    found += 1;
                }
            }
        }
        found
    }
}

/// Whether the running total of a bucket is a double of 2^63 or more.
fn has_too_many(point: &HistogramDataPoint) -> bool {
    let infinite = point.explicit_bounds.iter().position(|bound| *bound == f64::INFINITY);
    let buckets = infinite.unwrap_or(point.explicit_bounds.len()) + 1;
    let counts = point.bucket_counts.iter().take(buckets);
    let total = counts.fold(0u64, |total, count| total.wrapping_add(*count));
    total.max(point.count) as f64 >= 9_223_372_036_854_775_808.0
}

/// The oracle tells values as they are before it encodes them, which loses the sign of zero. So there
/// is nothing to change here; it is only counted how often the bytes differ.
pub struct NegativeZero;

impl Difference for NegativeZero {
    fn heading(&self) -> &'static str {
        "Zero keeps its sign"
    }

    fn apply(&self, _case: &Case, answer: &mut Canonical, _further: Vec<Canonical>) -> anyhow::Result<usize> {
        let negative = Bits::from(-0.0);
        let samples = answer.series.iter().flat_map(|series| &series.samples);
        Ok(samples.filter(|sample| sample.value == negative).count())
    }
}
