//! Gauges and sums: one series with one sample for each point.

use super::base::ExtraLabel;
use super::delta::Delta;
use super::duplicates::{Candidate, Parts};
use super::family::Family;
use super::reject::describe;
use super::rejections::Reason;
use super::sink::Sink;
use super::{Translator, Unreadable, Walk, keep_part, repeated, sample, write_created};
use crate::otlp::metric::Kind;
use crate::otlp::point::{Number, NumberPoint};

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    #[inline]
    pub(super) fn number_point(&mut self, message: &'a [u8], family: &Family<'a>) -> Result<(), Unreadable> {
        self.begin_point();
        let (attributes, exemplars, scratch) =
            (&mut self.attributes, &mut self.exemplars, &mut self.translator.scratch);
        let mut point = NumberPoint::read(message, |part| keep_part(part, attributes, exemplars, scratch))?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let Some(mut value) = self.value_of(&point, family) else { return Ok(()) };
        self.read_exemplars(family)?;
        let Translator { labels, scratch, metric_name, series_name, exemplars, totals, duplicates, .. } =
            &mut *self.translator;
        let labels =
            labels.labels(&self.attributes, self.resource.converted().len(), ExtraLabel::None, scratch);
        let Some((labels, identity)) = self.gate.admit(labels, family, metric_name)? else { return Ok(()) };
        self.gate.expansion.series(&repeated(family, metric_name, &labels, 1, 0))?;
        if let (true, Some(totals)) = (family.is_delta, totals) {
            let delta = Delta { family, name: metric_name, labels: &labels, identity, head: point.head };
            let start = delta.accumulate(totals, &mut self.gate.rejections, |totals, id, window| {
                let (total, start) = totals.number(id, window, value, family.is_monotonic)?;
                value = total;
                Ok(start)
            });
            let Some(start) = start else { return Ok(()) };
            point.head.start = start;
        }
        if family.kind == Kind::Gauge || !family.is_monotonic {
            // What goes up and down says nothing of a zero at the start, which receivers would make of it.
            point.head.start = 0;
        }
        let parts = Parts { plain: true, created: family.writes_created(&point.head), ..Parts::default() };
        let candidate = Candidate { name: metric_name, labels: &labels, identity, time, parts };
        if !duplicates.admit(&candidate, &mut self.gate.rejections)? {
            return Ok(());
        }
        let value = sample(&point.head, time, value.as_double());
        self.sink.begin(identity, 1);
        self.sink.series(&labels, metric_name, None, value, exemplars.all());
        if family.has_created {
            write_created(self.sink, &labels, metric_name, series_name, &point.head, time);
        }
        self.sink.end();
        Ok(())
    }

    /// The value of a point; any for one whose series has ended. A point without one is rejected.
    #[inline]
    fn value_of(&mut self, point: &NumberPoint, family: &Family) -> Option<Number> {
        if point.value.is_none() && !point.head.no_recorded_value {
            let what = || describe(&family.metric, "has a point without a value");
            self.gate.rejections.add(Reason::NoValue, 1, what);
            return None;
        }
        Some(point.value.unwrap_or_default())
    }
}
