//! Remote write 1.0: series as `prometheus.TimeSeries` entries of a `WriteRequest`.

use super::buffer::Buffer;
use super::template::Template;
use crate::translate::labels::{METRIC_NAME, PointLabels};
use crate::translate::sink::{Label, Sample};

/// `WriteRequest.timeseries`, length-delimited.
const TIMESERIES: u8 = 1 << 3 | 2;
/// `TimeSeries.labels`, length-delimited.
const LABELS: u8 = 1 << 3 | 2;
/// `TimeSeries.samples`, length-delimited.
const SAMPLES: u8 = 2 << 3 | 2;
/// `Label.name`, length-delimited.
const NAME: u8 = 1 << 3 | 2;
/// `Label.value`, length-delimited.
const VALUE: u8 = 2 << 3 | 2;
/// `Sample.value`, eight bytes.
const SAMPLE_VALUE: u8 = 1 << 3 | 1;
/// `Sample.timestamp`, varint.
const SAMPLE_TIME: u8 = 2 << 3;

/// How many templates are kept; they are for shapes that alternate.
const TEMPLATES_MAX: usize = 32;

/// Writes series. Labels that the series of a point share are encoded with the first of them, and
/// copied from there for the others.
#[derive(Default)]
pub struct SeriesWriter {
    templates: Vec<Template>,
    latest: usize,
    shared: Option<Shared>,
}

/// Where in the buffer the shared labels of the point were written.
#[derive(Clone, Copy, Debug)]
struct Shared {
    /// The total size of the shared labels.
    size: usize,
    /// Labels before the metric name: start and size.
    front: (usize, usize),
    /// Labels between the metric name and the extra label.
    middle: (usize, usize),
    /// Labels behind the extra label.
    back: (usize, usize),
}

impl SeriesWriter {
    /// A point begins: its series share nothing with those before.
    #[inline]
    pub fn begin_point(&mut self) {
        self.shared = None;
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
        match &self.shared {
            Some(shared) => {
                begin_series(out, shared.size + own_size);
                copy(out, shared.front);
                push_label(out, name);
                copy(out, shared.middle);
                if let Some(extra) = extra {
                    push_label(out, extra);
                }
                copy(out, shared.back);
            }
            None => self.shared = Some(self.first_series(out, labels, name, extra, own_size)),
        }
        push_sample(out, sample);
    }

    fn first_series(
        &mut self,
        out: &mut Buffer,
        labels: &PointLabels,
        name: Label,
        extra: Option<Label>,
        own_size: usize,
    ) -> Shared {
        let template = self.template_for(labels);
        let Some(size) = template.size_with(labels) else {
            let size = labels.iter().map(label_size).sum();
            begin_series(out, size + own_size);
            return push_labels(out, labels, name, extra, size);
        };
        begin_series(out, size + own_size);
        let start = out.len();
        let (mut front, mut middle) = ((start, 0), (0, 0));
        let mut back = 0;
        template.write(
            out,
            labels,
            |out| {
                front.1 = out.len() - start;
                push_label(out, name);
                middle.0 = out.len();
            },
            |out| {
                back = out.len();
                if let Some(extra) = extra {
                    push_label(out, extra);
                }
            },
        );
        middle.1 = back - middle.0;
        let back_start = back + extra.map_or(0, label_size);
        Shared { size, front, middle, back: (back_start, out.len() - back_start) }
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
    out.reserve(1 + varint_size(size) + size);
    out.push(TIMESERIES);
    out.push_varint(size as u64);
}

fn copy(out: &mut Buffer, (start, size): (usize, usize)) {
    if size > 0 {
        out.push_copy(start, size);
    }
}

#[inline]
fn push_labels(
    out: &mut Buffer,
    labels: &PointLabels,
    name: Label,
    extra: Option<Label>,
    size: usize,
) -> Shared {
    let mut rest = labels.iter();
    let front = push_run(out, &mut rest, labels.name_at());
    push_label(out, name);
    let middle = push_run(out, &mut rest, labels.extra_at() - labels.name_at());
    if let Some(extra) = extra {
        push_label(out, extra);
    }
    let back = push_run(out, &mut rest, usize::MAX);
    Shared { size, front, middle, back }
}

#[inline]
fn push_run<'l>(
    out: &mut Buffer,
    labels: &mut impl Iterator<Item = Label<'l>>,
    count: usize,
) -> (usize, usize) {
    let start = out.len();
    for label in labels.take(count) {
        push_label(out, label);
    }
    (start, out.len() - start)
}

/// Appends a whole label.
#[inline]
pub(super) fn push_label(out: &mut Buffer, label: Label) {
    let content = label_content_size(label);
    if content < 0x80 {
        // All lengths fit one byte each.
        out.push_array([LABELS, content as u8, NAME, label.name.len() as u8]);
        out.push_slice(label.name);
        out.push_array([VALUE, label.value.len() as u8]);
    } else {
        out.push(LABELS);
        out.push_varint(content as u64);
        out.push(NAME);
        out.push_varint(label.name.len() as u64);
        out.push_slice(label.name);
        out.push(VALUE);
        out.push_varint(label.value.len() as u64);
    }
    out.push_slice(label.value);
}

/// Appends a label up to the length of its value, with one byte kept for the length of the whole.
pub(super) fn push_label_head(out: &mut Buffer, name: &[u8]) {
    out.push(LABELS);
    out.push(0);
    out.push(NAME);
    out.push_varint(name.len() as u64);
    out.push_slice(name);
    out.push(VALUE);
}

#[inline]
fn label_size(label: Label) -> usize {
    let content = label_content_size(label);
    1 + varint_size(content) + content
}

#[inline]
fn label_content_size(label: Label) -> usize {
    let (name, value) = (label.name.len(), label.value.len());
    2 + varint_size(name) + name + varint_size(value) + value
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
    10 + varint_size_u64(sample.time.cast_unsigned())
}

#[inline]
fn varint_size(number: usize) -> usize {
    varint_size_u64(number as u64)
}

/// How many groups of seven bits a number has: (bits + 6) / 7 without the division.
#[inline]
fn varint_size_u64(number: u64) -> usize {
    let bits = 63 - (number | 1).leading_zeros() as usize;
    (bits * 9 + 73) / 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_varints() {
        for shift in 0..64 {
            for number in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                let mut out = Buffer::default();
                out.reserve(10);
                out.push_varint(number);
                assert_eq!(varint_size_u64(number), out.len(), "{number}");
            }
        }
    }
}
