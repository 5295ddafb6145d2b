//! Summaries: `_sum`, `_count`, and one series for each quantile.

use super::base::ExtraLabel;
use super::duplicates::{Candidate, Parts, reject_repeated};
use super::exemplar::Exemplars;
use super::family::Family;
use super::labels::Label;
use super::sink::Sink;
use super::{Translator, Unreadable, Walk, keep_part, repeated, sample, set_name, write_created};
use crate::otlp::point::SummaryPoint;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    pub(super) fn summary_point(&mut self, message: &'a [u8], family: &Family<'a>) -> Result<(), Unreadable> {
        self.begin_point();
        let Translator { quantiles, scratch, .. } = &mut *self.translator;
        let (attributes, exemplars) = (&mut self.attributes, &mut self.exemplars);
        let point =
            SummaryPoint::read(message, quantiles, |part| keep_part(part, attributes, exemplars, scratch))?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let Translator {
            labels,
            scratch,
            metric_name,
            numbers,
            quantiles,
            series_name: name,
            duplicates,
            ..
        } = &mut *self.translator;
        numbers.set(&quantiles.quantiles);
        let labels =
            labels.labels(&self.attributes, self.resource.converted().len(), ExtraLabel::Quantile, scratch);
        let Some((labels, identity)) = self.gate.admit(labels, family, metric_name)? else { return Ok(()) };
        let series = quantiles.values.len() + 2;
        self.gate.expansion.series(&repeated(family, metric_name, &labels, series, numbers.bytes()))?;
        let sample = |value: f64| sample(&point.head, time, value);
        let none = Exemplars::default();
        let parts = Parts {
            sum: true,
            count: true,
            quantiles: Some(numbers),
            created: family.writes_created(&point.head),
            ..Parts::default()
        };
        let candidate = Candidate { name: metric_name, labels: &labels, identity, time, parts };
        if !duplicates.admit(&candidate, &mut self.gate.rejections)? {
            return Ok(());
        }
        reject_repeated(numbers, ExtraLabel::Quantile, family, &mut self.gate.rejections);
        self.sink.begin(identity, 1);
        set_name(name, metric_name, b"_sum");
        self.sink.series(&labels, name, None, sample(point.sum), none);
        set_name(name, metric_name, b"_count");
        self.sink.series(&labels, name, None, sample(point.count as f64), none);
        let all = numbers.iter().zip(&quantiles.values).enumerate();
        for (_, (quantile, value)) in all.filter(|(index, _)| !numbers.is_repeat(*index)) {
            let quantile = Label { name: ExtraLabel::Quantile.name(), value: quantile };
            self.sink.series(&labels, metric_name, Some(quantile), sample(*value), none);
        }
        if family.has_created {
            write_created(self.sink, &labels, metric_name, name, &point.head, time);
        }
        self.sink.end();
        Ok(())
    }
}
