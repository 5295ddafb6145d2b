//! Classic histograms: `_sum`, `_count` and one cumulative `_bucket` for each bound; or a native
//! histogram with custom buckets.

use super::base::ExtraLabel;
use super::delta::Delta;
use super::exemplar::{ExemplarSet, Exemplars};
use super::expansion::native_bytes;
use super::family::Family;
use super::labels::{Label, PointLabels};
use super::native::Layout;
use super::numbers::{INFINITE, NumberTexts};
use super::reject::describe;
use super::rejections::Reason;
use super::sink::{Buckets as NativeBuckets, NativeHistogram, Sample, Sink};
use super::{Translator, Unreadable, Walk, keep_part, repeated, sample, set_name, write_created};
use crate::otlp::point::{Buckets, HistogramPoint};

/// The schema of native histograms with custom buckets.
const CUSTOM_BUCKETS: i32 = -53;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    pub(super) fn histogram_point(
        &mut self,
        message: &'a [u8],
        family: &Family<'a>,
    ) -> Result<(), Unreadable> {
        self.begin_point();
        let Translator { buckets, scratch, .. } = &mut *self.translator;
        let (attributes, exemplars) = (&mut self.attributes, &mut self.exemplars);
        let mut point =
            HistogramPoint::read(message, buckets, |part| keep_part(part, attributes, exemplars, scratch))?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let policy = self.translator.options.classic_histograms;
        let is_custom = policy.custom_buckets && self.translator.buckets.bounds_ascend();
        if policy.custom_buckets && !is_custom {
            let what = || describe(&family.metric, "has bounds that do not ascend");
            self.gate.rejections.add(Reason::InvalidBounds, u64::from(!policy.classic), what);
        }
        if !is_custom && !policy.classic {
            return Ok(());
        }
        self.read_exemplars(family)?;
        let translator = &mut *self.translator;
        let Translator { labels, scratch, metric_name, buckets, series_name: name, .. } = translator;
        // With custom buckets alone no series has the label, so an attribute of its name may.
        let extra = if policy.classic { ExtraLabel::Le } else { ExtraLabel::None };
        let labels = labels.labels(&self.attributes, self.resource.converted().len(), extra, scratch);
        let Some((labels, identity)) = self.gate.admit(labels, family, metric_name)? else { return Ok(()) };
        let bounds = buckets.bounds.len().min(buckets.counts.len());
        let (mut series, mut texts) = (usize::from(is_custom), 0);
        if policy.classic {
            translator.numbers.set(&buckets.bounds);
            (series, texts) = (series + bounds + 3, translator.numbers.bytes());
        }
        self.gate.expansion.series(&repeated(family, metric_name, &labels, series, texts))?;
        if let (true, Some(totals)) = (family.is_delta, &mut translator.totals) {
            let delta = Delta { family, name: metric_name, labels: &labels, identity, head: point.head };
            let start = delta.accumulate(totals, &mut self.gate.rejections, |totals, id, window| {
                totals.histogram(id, window, &mut point, buckets)
            });
            let Some(start) = start else { return Ok(()) };
            point.head.start = start;
        }
        self.sink.begin(identity, 1);
        if is_custom {
            let layout = &mut translator.positive;
            let native = custom_buckets(buckets, layout, &point, sample(&point.head, time, 0.0));
            self.gate.expansion.bytes(native_bytes(&native), family.metric.name)?;
            self.sink.histogram(&labels, metric_name, &native, translator.exemplars.all());
        }
        if policy.classic {
            translator.exemplars.assign_buckets(&buckets.bounds[..bounds]);
            let classic = Classic {
                sum: point.sum,
                count: point.count,
                bounds: &translator.numbers,
                counts: &buckets.counts,
                exemplars: &translator.exemplars,
            };
            let sample = |value: f64| sample(&point.head, time, value);
            classic.write(self.sink, &labels, metric_name, name, sample);
        }
        if family.has_created {
            write_created(self.sink, &labels, metric_name, name, &point.head, time);
        }
        self.sink.end();
        Ok(())
    }
}

/// A point as the series of a classic histogram.
pub(super) struct Classic<'c> {
    pub sum: Option<f64>,
    pub count: u64,
    pub bounds: &'c NumberTexts,
    /// How many observations each bucket has, not cumulative.
    pub counts: &'c [u64],
    /// Assigned to the buckets.
    pub exemplars: &'c ExemplarSet,
}

impl Classic<'_> {
    /// Writes the series; `name` is scratch memory, `sample` makes samples of values.
    pub fn write(
        &self,
        sink: &mut impl Sink,
        labels: &PointLabels,
        metric_name: &[u8],
        name: &mut Vec<u8>,
        sample: impl Fn(f64) -> Sample,
    ) {
        let none = Exemplars::default();
        if let Some(sum) = self.sum {
            set_name(name, metric_name, b"_sum");
            sink.series(labels, name, None, sample(sum), none);
        }
        set_name(name, metric_name, b"_count");
        sink.series(labels, name, None, sample(self.count as f64), none);
        set_name(name, metric_name, b"_bucket");
        let exemplars_of = |bucket| self.exemplars.of_bucket(bucket);
        let mut total = 0u64;
        let mut bounds = 0;
        for (bound, count) in self.bounds.iter().zip(self.counts) {
            total = total.wrapping_add(*count);
            // An explicit infinite bound is the bucket written below: not twice, or a receiver would
            // refuse the second sample.
            if bound != INFINITE {
                sink.series(labels, name, Some(le(bound)), sample(total as f64), exemplars_of(bounds));
            }
            bounds += 1;
        }
        // The last bucket is the count of the point, whatever the buckets add up to.
        sink.series(labels, name, Some(le(INFINITE)), sample(self.count as f64), exemplars_of(bounds));
    }
}

fn le(bound: &[u8]) -> Label<'_> {
    Label { name: ExtraLabel::Le.name(), value: bound }
}

/// A point as a native histogram with custom buckets. Observations that no bucket has are put into the
/// last one, as are those of buckets behind an infinite bound.
fn custom_buckets<'h>(
    buckets: &'h mut Buckets,
    layout: &'h mut Layout,
    point: &HistogramPoint,
    stamp: Sample,
) -> NativeHistogram<'h> {
    let finite = buckets.bounds.iter().take_while(|bits| f64::from_bits(**bits) != f64::INFINITY).count();
    let total = buckets.counts.iter().fold(0u64, |total, count| total.saturating_add(*count));
    let count = total.max(point.count);
    let inner = &buckets.counts[..finite.min(buckets.counts.len())];
    let rest = count.saturating_sub(inner.iter().fold(0u64, |total, count| total.saturating_add(*count)));
    layout.begin(0);
    layout.add(inner);
    layout.add_zeros(finite - inner.len());
    layout.end(rest);
    let is_stale = point.head.no_recorded_value;
    NativeHistogram {
        schema: CUSTOM_BUCKETS,
        count: if is_stale { super::STALE } else { count },
        sum: if is_stale { stamp.value } else { point.sum.unwrap_or(0.0) },
        zero_threshold: 0.0,
        zero_count: 0,
        positive: layout.buckets(),
        negative: NativeBuckets::default(),
        custom_values: &buckets.bounds[..finite],
        time: stamp.time,
        start: stamp.start,
    }
}
