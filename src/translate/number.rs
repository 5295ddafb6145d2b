//! Gauges and sums: one series with one sample for each point.

use super::base::ExtraLabel;
use super::delta::Delta;
use super::family::Family;
use super::sink::Sink;
use super::{Translator, Unreadable, Walk, keep_part, repeated, sample, write_created};
use crate::otlp::metric::Kind;
use crate::otlp::point::NumberPoint;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    #[inline]
    pub(super) fn number_point(&mut self, message: &'a [u8], family: &Family<'a>) -> Result<(), Unreadable> {
        self.begin_point();
        let (attributes, exemplars, scratch) =
            (&mut self.attributes, &mut self.exemplars, &mut self.translator.scratch);
        let mut point = NumberPoint::read(message, |part| keep_part(part, attributes, exemplars, scratch))?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        if family.kind == Kind::Gauge {
            // What a gauge had since then says nothing of a zero at the start, which receivers would make of it.
            point.head.start = 0;
        }
        self.read_exemplars(family)?;
        let Translator { labels, scratch, metric_name, series_name, exemplars, totals, .. } =
            &mut *self.translator;
        let labels =
            labels.labels(&self.attributes, self.resource.converted().len(), ExtraLabel::None, scratch);
        let Some((labels, identity)) = self.gate.admit(labels, family, metric_name)? else { return Ok(()) };
        self.gate.expansion.series(&repeated(family, metric_name, &labels, 1, 0))?;
        if let (true, Some(totals)) = (family.is_delta, totals) {
            let delta = Delta { family, name: metric_name, labels: &labels, identity, head: point.head };
            let start = delta.accumulate(totals, &mut self.gate.rejections, |totals, id, window| {
                let (total, start) = totals.number(id, window, point.value, family.is_monotonic)?;
                point.value = total;
                Ok(start)
            });
            let Some(start) = start else { return Ok(()) };
            point.head.start = start;
        }
        let value = sample(&point.head, time, point.value.as_double());
        self.sink.begin(identity, 1);
        self.sink.series(&labels, metric_name, None, value, exemplars.all());
        if family.has_created {
            write_created(self.sink, &labels, metric_name, series_name, &point.head, time);
        }
        self.sink.end();
        Ok(())
    }
}
