//! Remote write 1.0: series as `prometheus.TimeSeries` entries of a `WriteRequest`, families as
//! `prometheus.MetricMetadata`.

use super::buffer::{Buffer, varint_size};
use super::label::{label_size, push_label};
use super::native::push_native;
use super::sample::{push_exemplar_value, push_sample, sample_size, value_and_time_size};
use super::template::Template;
use crate::translate::base::METRIC_NAME;
use crate::translate::exemplar::{Exemplar, Exemplars};
use crate::translate::labels::{Label, PointLabels};
use crate::translate::sink::{Metadata, NativeHistogram, Sample};
use crate::translate::slots::Slots;

/// `WriteRequest.timeseries`, length-delimited.
pub(super) const TIMESERIES: u8 = 1 << 3 | 2;
/// `WriteRequest.metadata`, length-delimited.
const METADATA: u8 = 3 << 3 | 2;
/// `TimeSeries.exemplars`, length-delimited.
pub(super) const EXEMPLARS: u8 = 3 << 3 | 2;
/// `TimeSeries.histograms`, length-delimited.
pub(super) const HISTOGRAMS: u8 = 4 << 3 | 2;

/// Writes series. Labels that the series of a point share are encoded with the first of them; each
/// further one copies them from the one before.
#[derive(Default)]
pub struct SeriesWriter {
    templates: Slots<Template>,
    written: Option<Written>,
    /// What stands behind the labels of a series, where its size is not known beforehand.
    content: Buffer,
}

/// Where in the buffer the labels of the latest series were written.
#[derive(Clone, Copy, Debug)]
struct Written {
    /// Where the first label begins.
    start: usize,
    /// Where the metric name begins and ends.
    name: (usize, usize),
    /// Where the extra label begins and ends; nothing is between if there is none.
    extra: (usize, usize),
    /// Where the last label ends.
    end: usize,
}

impl Written {
    /// The size of the labels that all series of the point share.
    fn shared_size(&self) -> usize {
        (self.end - self.start) - (self.name.1 - self.name.0) - (self.extra.1 - self.extra.0)
    }

    /// Whether the metric name is this one.
    #[inline]
    fn is_named(&self, name: Label, out: &Buffer) -> bool {
        self.name.1 - self.name.0 == label_size(name)
            && out.as_slice()[self.name.1 - name.value.len()..self.name.1] == *name.value
    }
}

impl SeriesWriter {
    /// A point begins: its series share nothing with those before.
    #[inline]
    pub fn begin_point(&mut self) {
        self.written = None;
    }

    /// Appends one series with one sample.
    #[inline]
    pub fn series(
        &mut self,
        out: &mut Buffer,
        labels: &PointLabels,
        name: &[u8],
        extra: Option<Label>,
        sample: Sample,
        exemplars: Exemplars,
    ) {
        // 1.0 has no place for start times.
        let sample = Sample { start: 0, ..sample };
        if exemplars.is_empty() {
            self.labels(out, labels, name, extra, sample_size(sample));
            return push_sample(out, sample);
        }
        self.content.clear();
        self.content.reserve(sample_size(sample));
        push_sample(&mut self.content, sample);
        self.push_exemplars(exemplars);
        self.series_of_content(out, labels, name, extra);
    }

    /// Appends one series with one native histogram.
    pub fn histogram(
        &mut self,
        out: &mut Buffer,
        labels: &PointLabels,
        name: &[u8],
        histogram: &NativeHistogram,
        exemplars: Exemplars,
    ) {
        self.content.clear();
        self.push_exemplars(exemplars);
        push_native(&mut self.content, HISTOGRAMS, histogram, None);
        self.series_of_content(out, labels, name, None);
    }

    fn push_exemplars(&mut self, exemplars: Exemplars) {
        exemplars.iter().for_each(|exemplar| push_exemplar(&mut self.content, &exemplar));
    }

    fn series_of_content(
        &mut self,
        out: &mut Buffer,
        labels: &PointLabels,
        name: &[u8],
        extra: Option<Label>,
    ) {
        self.labels(out, labels, name, extra, self.content.len());
        out.push_slice(self.content.as_slice());
    }

    /// Begins a series whose labels are followed by content of this size.
    #[inline]
    fn labels(
        &mut self,
        out: &mut Buffer,
        labels: &PointLabels,
        name: &[u8],
        extra: Option<Label>,
        content_size: usize,
    ) {
        let name = Label { name: METRIC_NAME, value: name };
        let own_size = label_size(name) + extra.map_or(0, label_size) + content_size;
        let written = match self.written {
            Some(written) => {
                begin_series(out, written.shared_size() + own_size);
                push_shared(out, &written, name, extra)
            }
            None => self.push_first(out, labels, name, extra, own_size),
        };
        self.written = Some(written);
    }

    fn push_first(
        &mut self,
        out: &mut Buffer,
        labels: &PointLabels,
        name: Label,
        extra: Option<Label>,
        own_size: usize,
    ) -> Written {
        let template = self.template_for(labels);
        match template.size_with(labels) {
            Some(size) => {
                begin_series(out, size + own_size);
                push_template(out, template, labels, name, extra)
            }
            None => {
                begin_series(out, labels.iter().map(label_size).sum::<usize>() + own_size);
                push_labels(out, labels, name, extra)
            }
        }
    }

    fn template_for(&mut self, labels: &PointLabels) -> &Template {
        let shape = labels.shape();
        let set = |template: &mut Template| template.set(labels);
        self.templates.find(|template| template.shape == shape, || shape.slot(), set);
        self.templates.latest()
    }
}

#[inline]
fn begin_series(out: &mut Buffer, size: usize) {
    out.reserve(1 + varint_size(size as u64) + size);
    out.push(TIMESERIES);
    out.push_varint(size as u64);
}

/// Appends the labels of a series by copying those it shares with the one before.
#[inline]
fn push_shared(out: &mut Buffer, before: &Written, name: Label, extra: Option<Label>) -> Written {
    let start = out.len();
    let at_name = if before.is_named(name, out) {
        out.push_copy(before.start, before.extra.0 - before.start);
        (start + before.name.0 - before.start, start + before.name.1 - before.start)
    } else {
        out.push_copy(before.start, before.name.0 - before.start);
        let at_name = push_between(out, Some(name));
        out.push_copy(before.name.1, before.extra.0 - before.name.1);
        at_name
    };
    let at_extra = push_between(out, extra);
    out.push_copy(before.extra.1, before.end - before.extra.1);
    Written { start, name: at_name, extra: at_extra, end: out.len() }
}

/// Appends the labels of a series from a template that they fit.
fn push_template(
    out: &mut Buffer,
    template: &Template,
    labels: &PointLabels,
    name: Label,
    extra: Option<Label>,
) -> Written {
    let start = out.len();
    let (mut at_name, mut at_extra) = ((0, 0), (0, 0));
    template.write(
        out,
        labels,
        |out| at_name = push_between(out, Some(name)),
        |out| at_extra = push_between(out, extra),
    );
    Written { start, name: at_name, extra: at_extra, end: out.len() }
}

/// Appends the labels of a series one by one.
fn push_labels(out: &mut Buffer, labels: &PointLabels, name: Label, extra: Option<Label>) -> Written {
    let start = out.len();
    let mut rest = labels.iter();
    rest.by_ref().take(labels.name_at()).for_each(|label| push_label(out, label));
    let at_name = push_between(out, Some(name));
    rest.by_ref().take(labels.extra_at() - labels.name_at()).for_each(|label| push_label(out, label));
    let at_extra = push_between(out, extra);
    rest.for_each(|label| push_label(out, label));
    Written { start, name: at_name, extra: at_extra, end: out.len() }
}

/// Appends a label of the series itself, if there is one, and says where it begins and ends.
#[inline]
fn push_between(out: &mut Buffer, label: Option<Label>) -> (usize, usize) {
    let start = out.len();
    if let Some(label) = label {
        push_label(out, label);
    }
    (start, out.len())
}

/// Appends an exemplar.
fn push_exemplar(out: &mut Buffer, exemplar: &Exemplar) {
    let labels: usize = exemplar.labels().map(label_size).sum();
    let size = labels + value_and_time_size(exemplar.time);
    out.reserve(16 + size);
    out.push(EXEMPLARS);
    out.push_varint(size as u64);
    exemplar.labels().for_each(|label| push_label(out, label));
    push_exemplar_value(out, exemplar.value, exemplar.time);
}

/// Appends what is known of a metric family (`MetricMetadata`).
pub fn push_metadata(out: &mut Buffer, metadata: &Metadata) {
    const TYPE: u8 = 1 << 3;
    const FAMILY_NAME: u8 = 2 << 3 | 2;
    const HELP: u8 = 4 << 3 | 2;
    const UNIT: u8 = 5 << 3 | 2;
    let texts = [(FAMILY_NAME, metadata.name), (HELP, metadata.help), (UNIT, metadata.unit)];
    let text_size = |text: &[u8]| 1 + varint_size(text.len() as u64) + text.len();
    let size = 2 + texts.iter().map(|(_, text)| text_size(text)).sum::<usize>();
    out.reserve(16 + size);
    out.push(METADATA);
    out.push_varint(size as u64);
    out.push_array([TYPE, metadata.kind as u8]);
    for (tag, text) in texts {
        out.push(tag);
        out.push_varint(text.len() as u64);
        out.push_slice(text);
    }
}
