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
