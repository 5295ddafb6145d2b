//! Differences of exponential histograms.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::Difference;
use crate::differential::Case;

/// The largest schema of native histograms that receivers take.
const SCHEMA_MAX: i32 = 8;

/// Buckets that fall into one when the scale is lowered are added up, also behind empty ones.
pub struct Downscale;

impl Difference for Downscale {
    fn heading(&self) -> &'static str {
        "Lowering the scale adds up all buckets"
    }

    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        for metric in case.metrics_mut() {
            let Some(Data::ExponentialHistogram(histogram)) = &mut metric.data else { continue };
            for point in histogram.data_points.iter_mut().filter(|point| point.scale > SCHEMA_MAX) {
                let shift = point.scale.abs_diff(SCHEMA_MAX);
                let sides = [&mut point.positive, &mut point.negative].into_iter().flatten();
                let split = sides.filter_map(|side| lower(side, shift).then_some(())).count();
                point.scale = SCHEMA_MAX;
                found += usize::from(split > 0);
            }
        }
        found
    }
}

/// Lowers the scale of buckets. Returns whether the Collector's translator would have split one: it
/// does so where, behind an empty bucket, further counts follow the first one of a bucket.
fn lower(buckets: &mut Buckets, shift: u32) -> bool {
    let index_of = |at: usize| (i64::from(buckets.offset) + at as i64) >> shift.min(62);
    let first = i64::from(buckets.offset) >> shift.min(62);
    let mut counts: Vec<u64> = Vec::new();
    let mut splits = false;
    for (at, count) in buckets.bucket_counts.iter().enumerate() {
        let place = (index_of(at) - first) as usize;
        if place == counts.len() {
            counts.push(0);
        }
        let behind_empty = place > 0 && counts[place - 1] == 0;
        splits |= behind_empty && counts[place] != 0;
        counts[place] = counts[place].wrapping_add(*count);
    }
    buckets.bucket_counts = counts;
    buckets.offset = first as i32;
    splits
}
