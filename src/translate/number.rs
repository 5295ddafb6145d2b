//! Gauges and sums: one series with one sample for each point.

use super::base::ExtraLabel;
use super::sink::Sink;
use super::{Family, Unreadable, Walk, keep_attribute, or_reject, sample};
use crate::otlp::point::NumberPoint;

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Translates one point.
    pub(super) fn number_point(&mut self, message: &'a [u8], family: &Family<'a>) -> Result<(), Unreadable> {
        self.begin_point();
        let (attributes, scratch) = (&mut self.attributes, &mut self.translator.scratch);
        let point = NumberPoint::read(message, |attribute| keep_attribute(attribute, attributes, scratch))?;
        let Some(time) = self.accept_time(&point.head, &family.metric) else { return Ok(()) };
        let translator = &mut *self.translator;
        let labels = translator.labels.labels(
            &self.attributes,
            self.resource.converted().len(),
            ExtraLabel::None,
            &mut translator.scratch,
        );
        let Some((labels, identity)) = or_reject(labels, family, &mut self.rejections) else { return Ok(()) };
        self.sink.begin(identity, 1);
        self.sink.series(&labels, &translator.metric_name, None, sample(&point.head, time, point.value));
        self.sink.end();
        Ok(())
    }
}
