//! Gauges and sums: one series with one sample for each point.

use super::sink::{Sample, Sink};
use super::{Family, STALE, Unreadable, Walk, keep_attribute, reject_labels};
use crate::otlp::point::NumberPoint;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    pub(super) fn number_point(&mut self, message: &'a [u8], family: &Family<'a>) -> Result<(), Unreadable> {
        self.begin_point();
        let (attributes, scratch) = (&mut self.attributes, &mut self.translator.scratch);
        let point = NumberPoint::read(message, |attribute| keep_attribute(attribute, attributes, scratch))?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let value = if point.head.no_recorded_value { f64::from_bits(STALE) } else { point.value };
        let translator = &mut *self.translator;
        let labels = translator.labels.labels(
            &self.attributes,
            self.resource.converted().len(),
            family.extra,
            &mut translator.scratch,
        );
        match labels {
            Ok((labels, identity)) => {
                self.sink.begin(identity.wrapping_add(family.identity), 1);
                self.sink.series(&labels, &translator.metric_name, None, Sample { value, time });
                self.sink.end();
            }
            Err(error) => reject_labels(&mut self.rejections, &family.metric, &error),
        }
        Ok(())
    }
}
