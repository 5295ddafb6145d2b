//! Summaries: `_sum`, `_count`, and one series for each quantile.

use super::base::ExtraLabel;
use super::labels::Label;
use super::sink::Sink;
use super::{Family, Unreadable, Walk, keep_attribute, or_reject, sample, set_name};
use crate::otlp::point::SummaryPoint;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    pub(super) fn summary_point(&mut self, message: &'a [u8], family: &Family<'a>) -> Result<(), Unreadable> {
        self.begin_point();
        let translator = &mut *self.translator;
        let (attributes, scratch) = (&mut self.attributes, &mut translator.scratch);
        let point = SummaryPoint::read(message, &mut translator.quantiles, |attribute| {
            keep_attribute(attribute, attributes, scratch)
        })?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let translator = &mut *self.translator;
        translator.numbers.set(&translator.quantiles.quantiles);
        let labels = translator.labels.labels(
            &self.attributes,
            self.resource.converted().len(),
            ExtraLabel::Quantile,
            &mut translator.scratch,
        );
        let Some((labels, identity)) = or_reject(labels, family, &mut self.rejections) else { return Ok(()) };
        let sample = |value: f64| sample(&point.head, time, value);
        let name = &mut translator.series_name;
        self.sink.begin(identity, 1);
        set_name(name, &translator.metric_name, b"_sum");
        self.sink.series(&labels, name, None, sample(point.sum));
        set_name(name, &translator.metric_name, b"_count");
        self.sink.series(&labels, name, None, sample(point.count as f64));
        for (quantile, value) in translator.numbers.iter().zip(&translator.quantiles.values) {
            let quantile = Label { name: ExtraLabel::Quantile.name(), value: quantile };
            self.sink.series(&labels, &translator.metric_name, Some(quantile), sample(*value));
        }
        self.sink.end();
        Ok(())
    }
}
