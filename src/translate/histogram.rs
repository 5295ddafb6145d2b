//! Classic histograms: `_sum`, `_count` and one cumulative `_bucket` for each bound.

use super::base::ExtraLabel;
use super::labels::Label;
use super::sink::{Sample, Sink};
use super::{Family, STALE, Unreadable, Walk, keep_attribute, reject_labels};
use crate::otlp::point::HistogramPoint;
use std::io::Write;

/// The bounds of the latest histogram as texts for `le`: points of one metric share them.
#[derive(Default)]
pub(super) struct BoundTexts {
    bounds: Vec<u64>,
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl BoundTexts {
    /// Takes the bounds of a point, the bits of doubles.
    fn set(&mut self, bounds: &[u64]) {
        if self.bounds == bounds {
            return;
        }
        self.bounds.clear();
        self.bounds.extend_from_slice(bounds);
        self.texts.clear();
        self.ends.clear();
        for bits in bounds {
            push_bound(f64::from_bits(*bits), &mut self.texts);
            self.ends.push(self.texts.len());
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.texts[start..*end])
    }
}

/// The shortest text without an exponent that reads back as the same bound.
fn push_bound(bound: f64, out: &mut Vec<u8>) {
    match bound {
        f64::INFINITY => out.extend_from_slice(INFINITE_BOUND),
        f64::NEG_INFINITY => out.extend_from_slice(b"-Inf"),
        _ => {
            let _infallible = write!(out, "{bound}");
        }
    }
}

const INFINITE_BOUND: &[u8] = b"+Inf";

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
        translator.bounds.set(&translator.buckets.bounds);
        let labels = translator.labels.labels(
            &self.attributes,
            self.resource.converted().len(),
            family.extra,
            &mut translator.scratch,
        );
        let (labels, identity) = match labels {
            Ok(labels) => labels,
            Err(error) => {
                reject_labels(&mut self.rejections, &family.metric, &error);
                return Ok(());
            }
        };
        let stale = point.head.no_recorded_value;
        let sample = |value: f64| Sample { value: if stale { f64::from_bits(STALE) } else { value }, time };
        let name = &mut translator.series_name;
        self.sink.begin(identity.wrapping_add(family.identity), 1);
        if let Some(sum) = point.sum {
            set_name(name, &translator.metric_name, b"_sum");
            self.sink.series(&labels, name, None, sample(sum));
        }
        set_name(name, &translator.metric_name, b"_count");
        self.sink.series(&labels, name, None, sample(point.count as f64));
        set_name(name, &translator.metric_name, b"_bucket");
        let mut total = 0u64;
        for (bound, count) in translator.bounds.iter().zip(&translator.buckets.counts) {
            total = total.wrapping_add(*count);
            // An explicit infinite bound is the bucket written below: not twice, or a receiver would
            // refuse the second sample.
            if bound == INFINITE_BOUND {
                continue;
            }
            self.sink.series(&labels, name, Some(bound_label(bound)), sample(total as f64));
        }
        // The last bucket is the count of the point, whatever the buckets add up to.
        self.sink.series(&labels, name, Some(bound_label(INFINITE_BOUND)), sample(point.count as f64));
        self.sink.end();
        Ok(())
    }
}

fn set_name(name: &mut Vec<u8>, metric: &[u8], suffix: &[u8]) {
    name.clear();
    name.extend_from_slice(metric);
    name.extend_from_slice(suffix);
}

fn bound_label(bound: &[u8]) -> Label<'_> {
    Label { name: ExtraLabel::Le.name(), value: bound }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_as_texts() {
        let bounds = [1.0, 1e6, 1e-5, 0.25, f64::INFINITY, 1e21];
        let mut texts = BoundTexts::default();
        texts.set(&bounds.map(f64::to_bits));
        let shown: Vec<_> = texts.iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
        assert_eq!(shown, ["1", "1000000", "0.00001", "0.25", "+Inf", "1000000000000000000000"]);
    }
}
