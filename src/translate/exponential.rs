//! Exponential histograms: native histograms, or classic ones for receivers without these.

use super::base::ExtraLabel;
use super::delta::Delta;
use super::duplicates::{Candidate, Parts};
use super::expansion::native_bytes;
use super::family::Family;
use super::histogram::Classic;
use super::native::Layout;
use super::reject::describe;
use super::rejections::Reason;
use super::sink::{NativeHistogram, Sample, Sink};
use super::{STALE, Translator, Unreadable, Walk, keep_part, repeated, sample, write_created};
use crate::otlp::exponential::{ExponentialBuckets, ExponentialPoint, Side, power_of_two};
use crate::otlp::point::Buckets;

/// The schemas that native histograms can have.
const SCHEMA_MIN: i32 = -4;
const SCHEMA_MAX: i32 = 8;

/// The zero threshold of points that have none.
const ZERO_THRESHOLD: f64 = 1e-128;

/// The scale of the classic buckets that exponential ones become: bounds are the powers of two, the
/// same for every point, and exact on every machine.
const CLASSIC_SCALE: i32 = 0;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    pub(super) fn exponential_point(
        &mut self,
        message: &'a [u8],
        family: &Family<'a>,
    ) -> Result<(), Unreadable> {
        self.begin_point();
        let Translator { exponential, scratch, .. } = &mut *self.translator;
        let (attributes, exemplars) = (&mut self.attributes, &mut self.exemplars);
        let mut point = ExponentialPoint::read(message, exponential, |part| {
            keep_part(part, attributes, exemplars, scratch)
        })?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let policy = self.translator.options.exponential_histograms;
        let has_sum = point.sum.is_some() || point.head.no_recorded_value;
        if policy.native && !has_sum {
            let what = || describe(&family.metric, "has a point without a sum");
            self.gate.rejections.add(Reason::NoSum, u64::from(!policy.classic), what);
            if !policy.classic {
                return Ok(());
            }
        }
        self.read_exemplars(family)?;
        let translator = &mut *self.translator;
        let Translator { labels, scratch, metric_name, exponential, series_name: name, .. } = translator;
        let extra = if policy.classic { ExtraLabel::Le } else { ExtraLabel::None };
        let labels = labels.labels(&self.attributes, self.resource.converted().len(), extra, scratch);
        let Some((labels, identity)) = self.gate.admit(labels, family, metric_name)? else { return Ok(()) };
        self.gate.expansion.series(&repeated(family, metric_name, &labels, 1, 0))?;
        if let (true, Some(totals)) = (family.is_delta, &mut translator.totals) {
            let delta = Delta { family, name: metric_name, labels: &labels, identity, head: point.head };
            let start = delta.accumulate(totals, &mut self.gate.rejections, |totals, id, window| {
                totals.exponential(id, window, &mut point, exponential)
            });
            let Some(start) = start else { return Ok(()) };
            point.head.start = start;
        }
        let is_native = policy.native && has_sum && point.scale >= SCHEMA_MIN;
        if policy.native && point.scale < SCHEMA_MIN {
            let what = || describe(&family.metric, &format!("has a point of scale {}", point.scale));
            self.gate.rejections.add(Reason::UnsupportedScale, u64::from(!policy.classic), what);
        }
        if !is_native && !policy.classic {
            return Ok(());
        }
        let sample = |value: f64| sample(&point.head, time, value);
        let schema = downscale(exponential, point.scale, SCHEMA_MAX);
        let native = is_native.then(|| {
            let layouts = [&mut translator.positive, &mut translator.negative];
            native(exponential, layouts, &point, schema, sample(point.sum.unwrap_or(0.0)))
        });
        if policy.classic {
            let scale = downscale(exponential, schema, CLASSIC_SCALE);
            to_classic(exponential, scale, &point, &mut translator.buckets);
            translator.numbers.set(&translator.buckets.bounds);
        }
        let classic = policy.classic.then_some((&translator.numbers, usize::MAX));
        let created = family.writes_created(&point.head);
        let parts = Parts::of_histogram(is_native, classic, point.sum.is_some(), created);
        let candidate = Candidate { name: metric_name, labels: &labels, identity, time, parts };
        if !translator.duplicates.admit(&candidate, &mut self.gate.rejections)? {
            return Ok(());
        }
        self.sink.begin(identity, 1);
        if let Some(native) = native {
            self.gate.expansion.bytes(native_bytes(&native), family.metric.name)?;
            self.sink.histogram(&labels, metric_name, &native, translator.exemplars.all());
        }
        if policy.classic {
            let (series, texts) = (translator.buckets.bounds.len() + 3, translator.numbers.bytes());
            self.gate.expansion.series(&repeated(family, metric_name, &labels, series, texts))?;
            translator.exemplars.assign_buckets(&translator.buckets.bounds);
            let classic = Classic {
                sum: point.sum,
                count: point.count,
                bounds: &translator.numbers,
                counts: &translator.buckets.counts,
                exemplars: &translator.exemplars,
            };
            classic.write(self.sink, &labels, metric_name, name, sample);
        }
        if family.has_created {
            write_created(self.sink, &labels, metric_name, name, &point.head, time);
        }
        self.sink.end();
        Ok(())
    }
}

/// A point as a native histogram; `stamp` is the sample of its sum.
fn native<'h>(
    exponential: &ExponentialBuckets,
    [positive, negative]: [&'h mut Layout; 2],
    point: &ExponentialPoint,
    schema: i32,
    stamp: Sample,
) -> NativeHistogram<'h> {
    for (layout, side) in [(&mut *positive, &exponential.positive), (&mut *negative, &exponential.negative)] {
        // Native buckets are numbered by their upper bound, OTLP's by the lower.
        layout.set(&side.counts, i64::from(side.offset) + 1);
    }
    NativeHistogram {
        schema,
        count: if point.head.no_recorded_value { STALE } else { point.count },
        sum: stamp.value,
        zero_threshold: if point.zero_threshold == 0.0 { ZERO_THRESHOLD } else { point.zero_threshold },
        zero_count: point.zero_count,
        positive: positive.buckets(),
        negative: negative.buckets(),
        custom_values: &[],
        time: stamp.time,
        start: stamp.start,
    }
}

/// Lowers the scale of both sides to `max` if it is higher, and returns what it is then.
fn downscale(buckets: &mut ExponentialBuckets, scale: i32, max: i32) -> i32 {
    if scale <= max {
        return scale;
    }
    let shift = scale.abs_diff(max);
    buckets.positive.downscale(shift);
    buckets.negative.downscale(shift);
    max
}

/// Makes classic buckets of exponential ones of a scale not above [`CLASSIC_SCALE`]: bounds ascend, and
/// there are none outside the populated range. An empty bucket ends where the first populated one of a side
/// begins, or queries would take it to reach down to zero.
fn to_classic(exponential: &ExponentialBuckets, scale: i32, point: &ExponentialPoint, classic: &mut Buckets) {
    classic.bounds.clear();
    classic.counts.clear();
    let log2_of_base = 1i64 << scale.abs_diff(CLASSIC_SCALE).min(32);
    let lower_bound = |index: i64| power_of_two(index.saturating_mul(log2_of_base));
    let mut negative = populated(&exponential.negative).rev().peekable();
    if let Some((index, _)) = negative.peek().filter(|(index, _)| lower_bound(index + 1).is_finite()) {
        push_bucket(classic, -lower_bound(index + 1), 0);
    }
    // The upper bound of a negative bucket is its lower one, mirrored.
    for (index, count) in negative {
        push_bucket(classic, -lower_bound(index), count);
    }
    if point.zero_count > 0 || !classic.bounds.is_empty() {
        let threshold = if point.zero_threshold > 0.0 { point.zero_threshold } else { 0.0 };
        push_bucket(classic, threshold, point.zero_count);
    }
    let mut positive = populated(&exponential.positive).peekable();
    if let Some((index, _)) = positive.peek() {
        push_bucket(classic, lower_bound(*index), 0);
    }
    for (index, count) in positive {
        push_bucket(classic, lower_bound(index + 1), count);
    }
}

/// Appends a bucket, or adds it to the last one if its bound is not higher. What is beyond all numbers
/// is left to the infinite bucket, which no point needs to name.
fn push_bucket(classic: &mut Buckets, bound: f64, count: u64) {
    let last = classic.bounds.last().map(|bits| f64::from_bits(*bits));
    match (last, classic.counts.last_mut()) {
        (Some(last), Some(sum)) if bound <= last => *sum = sum.wrapping_add(count),
        _ if bound == f64::INFINITY => {}
        _ => {
            classic.bounds.push(bound.to_bits());
            classic.counts.push(count);
        }
    }
}

/// The buckets of a side with their indexes, without the empty ones at both ends.
fn populated(side: &Side) -> impl DoubleEndedIterator<Item = (i64, u64)> {
    let range = side.populated();
    let first = i64::from(side.offset) + range.start as i64;
    side.counts[range].iter().enumerate().map(move |(place, count)| (first + place as i64, *count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_buckets_of_both_sides() {
        let side = |offset, counts: &[u64]| Side { offset, counts: counts.to_vec() };
        let buckets = ExponentialBuckets { positive: side(-1, &[0, 3, 0, 4, 0]), negative: side(1, &[1, 2]) };
        let point = ExponentialPoint { zero_count: 5, zero_threshold: 0.5, ..Default::default() };
        let mut classic = Buckets::default();
        to_classic(&buckets, 0, &point, &mut classic);
        let bounds: Vec<_> = classic.bounds.iter().map(|bits| f64::from_bits(*bits)).collect();
        assert_eq!(bounds, [-8.0, -4.0, -2.0, 0.5, 1.0, 2.0, 4.0, 8.0]);
        assert_eq!(classic.counts, [0, 2, 1, 5, 0, 3, 0, 4]);
        // Two bits of scale less: each bucket spans a factor of 16.
        to_classic(&buckets, -2, &point, &mut classic);
        let bounds: Vec<_> = classic.bounds.iter().map(|bits| f64::from_bits(*bits)).collect();
        assert_eq!(bounds, [-4096.0, -256.0, -16.0, 0.5, 1.0, 16.0, 256.0, 4096.0]);
        let far = ExponentialBuckets { positive: side(i32::MAX, &[1, 2]), ..Default::default() };
        to_classic(&far, 0, &ExponentialPoint::default(), &mut classic);
        assert!(classic.bounds.is_empty());
    }
}
