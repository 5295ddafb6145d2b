//! Classic histograms: `_sum`, `_count` and one cumulative `_bucket` for each bound.

use super::base::ExtraLabel;
use super::labels::Label;
use super::numbers::INFINITE;
use super::sink::Sink;
use super::{Family, Unreadable, Walk, keep_attribute, or_reject, sample, set_name};
use crate::otlp::point::HistogramPoint;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    pub(super) fn histogram_point(
        &mut self,
        message: &'a [u8],
        family: &Family<'a>,
    ) -> Result<(), Unreadable> {
        self.begin_point();
        let translator = &mut *self.translator;
        let (attributes, scratch) = (&mut self.attributes, &mut translator.scratch);
        let point = HistogramPoint::read(message, &mut translator.buckets, |attribute| {
            keep_attribute(attribute, attributes, scratch)
        })?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let translator = &mut *self.translator;
        translator.numbers.set(&translator.buckets.bounds);
        let labels = translator.labels.labels(
            &self.attributes,
            self.resource.converted().len(),
            ExtraLabel::Le,
            &mut translator.scratch,
        );
        let Some((labels, identity)) = or_reject(labels, family, &mut self.rejections) else { return Ok(()) };
        let sample = |value: f64| sample(&point.head, time, value);
        let name = &mut translator.series_name;
        self.sink.begin(identity, 1);
        if let Some(sum) = point.sum {
            set_name(name, &translator.metric_name, b"_sum");
            self.sink.series(&labels, name, None, sample(sum));
        }
        set_name(name, &translator.metric_name, b"_count");
        self.sink.series(&labels, name, None, sample(point.count as f64));
        set_name(name, &translator.metric_name, b"_bucket");
        let mut total = 0u64;
        for (bound, count) in translator.numbers.iter().zip(&translator.buckets.counts) {
            total = total.wrapping_add(*count);
            // An explicit infinite bound is the bucket written below: not twice, or a receiver would
            // refuse the second sample.
            if bound == INFINITE {
                continue;
            }
            self.sink.series(&labels, name, Some(bound_label(bound)), sample(total as f64));
        }
        // The last bucket is the count of the point, whatever the buckets add up to.
        self.sink.series(&labels, name, Some(bound_label(INFINITE)), sample(point.count as f64));
        self.sink.end();
        Ok(())
    }
}

fn bound_label(bound: &[u8]) -> Label<'_> {
    Label { name: ExtraLabel::Le.name(), value: bound }
}
