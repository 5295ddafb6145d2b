//! Remote write 1.0: series as `prometheus.TimeSeries` entries of a `WriteRequest`.

use super::buffer::{Buffer, varint_size};
use super::label::{label_size, push_label};
use super::template::Template;
use crate::translate::base::METRIC_NAME;
use crate::translate::labels::{Label, PointLabels};
use crate::translate::sink::Sample;

/// `WriteRequest.timeseries`, length-delimited.
const TIMESERIES: u8 = 1 << 3 | 2;
/// `TimeSeries.samples`, length-delimited.
const SAMPLES: u8 = 2 << 3 | 2;
/// `Sample.value`, eight bytes.
const SAMPLE_VALUE: u8 = 1 << 3 | 1;
/// `Sample.timestamp`, varint.
const SAMPLE_TIME: u8 = 2 << 3;

/// How many templates are kept; they are for shapes that alternate.
const TEMPLATES_MAX: usize = 32;

/// Writes series. Labels that the series of a point share are encoded with the first of them; each
/// further one copies them from the one before.
#[derive(Default)]
pub struct SeriesWriter {
    templates: Vec<Template>,
    latest: usize,
    written: Option<Written>,
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
    ) {
        let name = Label { name: METRIC_NAME, value: name };
        let own_size = label_size(name) + extra.map_or(0, label_size) + sample_size(sample);
        let written = match self.written {
            Some(written) => {
                begin_series(out, written.shared_size() + own_size);
                push_shared(out, &written, name, extra)
            }
            None => self.push_first(out, labels, name, extra, own_size),
        };
        self.written = Some(written);
        push_sample(out, sample);
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
        if self.templates.get(self.latest).is_none_or(|template| template.shape != shape) {
            self.latest = match self.templates.iter().position(|template| template.shape == shape) {
                Some(index) => index,
                None => {
                    if self.templates.len() == TEMPLATES_MAX {
                        self.templates.clear();
                    }
                    self.templates.push(Template::new(labels));
                    self.templates.len() - 1
                }
            };
        }
        &self.templates[self.latest]
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

#[inline]
fn push_sample(out: &mut Buffer, sample: Sample) {
    out.push_array([SAMPLES, sample_content_size(sample) as u8, SAMPLE_VALUE]);
    out.push_array(sample.value.to_bits().to_le_bytes());
    out.push(SAMPLE_TIME);
    out.push_varint(sample.time.cast_unsigned());
}

#[inline]
fn sample_size(sample: Sample) -> usize {
    2 + sample_content_size(sample)
}

/// Value and time are always written, also when they are zero: readers cannot tell, and −0.0 stays.
#[inline]
fn sample_content_size(sample: Sample) -> usize {
    10 + varint_size(sample.time.cast_unsigned())
}
