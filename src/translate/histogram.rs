//! Classic histograms: `_sum`, `_count` and one cumulative `_bucket` for each bound; or a native
//! histogram with custom buckets.

use super::base::ExtraLabel;
use super::delta::Delta;
use super::duplicates::{Candidate, Parts, reject_repeated};
use super::exemplar::{ExemplarSet, Exemplars};
use super::expansion::native_bytes;
use super::family::Family;
use super::labels::{Label, PointLabels};
use super::numbers::{INFINITE, NumberTexts};
use super::reject::describe;
use super::rejections::Reason;
use super::sink::{Sample, Sink};
use super::{Translator, Unreadable, Walk, keep_part, repeated, sample, set_name, write_created};
use crate::otlp::point::HistogramPoint;

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
        self.read_exemplars(family)?;
        let translator = &mut *self.translator;
        let Translator { labels, scratch, metric_name, buckets, series_name: name, .. } = translator;
        // With custom buckets alone no series has the label, so an attribute of its name may.
        let extra = if policy.classic { ExtraLabel::Le } else { ExtraLabel::None };
        let labels = labels.labels(&self.attributes, self.resource.converted().len(), extra, scratch);
        let Some((labels, identity)) = self.gate.admit(labels, family, metric_name)? else { return Ok(()) };
        let bounds = buckets.bounds.len().min(buckets.counts.len());
        let (mut series, mut texts) = (usize::from(policy.custom_buckets), 0);
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
        let stamp = sample(&point.head, time, 0.0);
        let native = policy.custom_buckets.then(|| translator.custom.convert(buckets, &point, stamp));
        if let Some(Err(what)) = native {
            let points = u64::from(!policy.classic);
            self.gate.rejections.add(Reason::InvalidBounds, points, || describe(&family.metric, what));
        }
        let native = native.and_then(Result::ok);
        if native.is_none() && !policy.classic {
            return Ok(());
        }
        let classic = policy.classic.then_some((&translator.numbers, bounds));
        let created = family.writes_created(&point.head);
        let parts = Parts::of_histogram(native.is_some(), classic, point.sum.is_some(), created);
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
            reject_repeated(&translator.numbers, ExtraLabel::Le, family, &mut self.gate.rejections);
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
            if bound != INFINITE && !self.bounds.is_repeat(bounds) {
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
