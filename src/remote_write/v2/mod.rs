//! Remote write 2.0: series as `io.prometheus.write.v2.TimeSeries` entries of a `Request`, whose
//! texts are numbers of its symbol table.

mod family;
mod references;
mod symbols;

use super::buffer::{Buffer, varint_size};
use super::native::push_native;
use super::sample::{push_exemplar_value, push_sample, sample_size, value_and_time_size};
use crate::translate::exemplar::Exemplars;
use crate::translate::identity;
use crate::translate::labels::{Label, PointLabels};
use crate::translate::sink::{NativeHistogram, Sample};
use crate::translate::slots::Slots;
use family::EncodedMetadata;
use references::{Insertions, References};

pub use family::{Family, push_metadata};
pub use symbols::Symbols;

/// `Request.timeseries`, length-delimited.
pub(in crate::remote_write) const TIMESERIES: u8 = 5 << 3 | 2;
/// `TimeSeries.labels_refs`, packed.
pub(in crate::remote_write) const LABELS_REFS: u8 = 1 << 3 | 2;
/// `TimeSeries.histograms`, length-delimited.
pub(in crate::remote_write) const HISTOGRAMS: u8 = 3 << 3 | 2;
/// `TimeSeries.exemplars`, length-delimited.
pub(in crate::remote_write) const EXEMPLARS: u8 = 4 << 3 | 2;

/// What a series has besides its values.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The labels that all series of the point share.
    pub labels: &'a PointLabels<'a>,
    /// The metric name.
    pub name: &'a [u8],
    /// `le`, `quantile`.
    pub extra: Option<Label<'a>>,
    /// The exemplars.
    pub exemplars: Exemplars<'a>,
}

/// Writes series, and the symbols they need.
///
/// The labels that the series of a point share are looked up once for the point. What depends on
/// the shape of the labels, or on the family, is looked up once for a request.
#[derive(Default)]
pub struct SeriesWriter {
    symbols: Symbols,
    templates: Slots<References>,
    /// The references of the labels of the point at hand, encoded, once `has_point`.
    point: Buffer,
    insertions: Insertions,
    has_point: bool,
    /// The latest name of a series.
    name: u32,
    metadata: EncodedMetadata,
    /// Exemplars and the histogram of the series at hand, encoded.
    exemplars: Buffer,
    histogram: Buffer,
    /// The labels of an exemplar.
    references: Buffer,
}

impl SeriesWriter {
    /// The symbols of the request.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Begins a new request without symbols, and returns the table for what is left over for it.
    /// The encoded symbols of the request before are left in `before`.
    pub fn restart(&mut self, before: &mut Buffer) -> &mut Symbols {
        self.name = 0;
        self.has_point = false;
        self.symbols.restart(before);
        &mut self.symbols
    }

    /// A point begins: its series share nothing with those before.
    #[inline]
    pub fn begin_point(&mut self) {
        self.has_point = false;
    }

    /// Appends one series with one sample.
    #[inline]
    pub fn series(&mut self, out: &mut Buffer, family: &Family, head: &Head, sample: Sample) {
        self.begin_series(out, family, head, sample_size(sample));
        push_sample(out, sample);
        self.end_series(out);
    }

    /// Appends one series with one native histogram.
    pub fn histogram(&mut self, out: &mut Buffer, family: &Family, head: &Head, histogram: &NativeHistogram) {
        let start = (histogram.start != 0).then_some(histogram.start);
        self.histogram.clear();
        push_native(&mut self.histogram, HISTOGRAMS, histogram, start);
        self.begin_series(out, family, head, self.histogram.len());
        out.push_slice(self.histogram.as_slice());
        self.end_series(out);
    }

    /// Appends a series up to its samples or histogram, which take `values_size` bytes.
    #[inline]
    fn begin_series(&mut self, out: &mut Buffer, family: &Family, head: &Head, values_size: usize) {
        if !self.has_point {
            self.begin_labels(head.labels);
        }
        // The name of the series before is the likeliest.
        if !identity::same(self.symbols.text(self.name), head.name) {
            self.name = self.symbols.reference(head.name);
        }
        let template = self.templates.latest_mut();
        let name = Pair { name: template.metric_name(), value: self.name };
        let extra = head.extra.map(|extra| Pair {
            name: template.extra_name(extra.name, &mut self.symbols),
            value: self.symbols.reference(extra.value),
        });
        self.metadata.set(family, &mut self.symbols);
        self.set_exemplars(head.exemplars);

        let point = self.point.as_slice();
        let references = point.len() + name.size() + extra.map_or(0, Pair::size);
        let content = 1
            + varint_size(references as u64)
            + references
            + values_size
            + self.exemplars.len()
            + self.metadata.as_slice().len();
        out.reserve(11 + content);
        out.push(TIMESERIES);
        out.push_varint(content as u64);
        out.push(LABELS_REFS);
        out.push_varint(references as u64);
        out.push_slice(&point[..self.insertions.name]);
        name.push(out);
        out.push_slice(&point[self.insertions.name..self.insertions.extra]);
        if let Some(extra) = extra {
            extra.push(out);
        }
        out.push_slice(&point[self.insertions.extra..]);
    }

    #[inline]
    fn end_series(&self, out: &mut Buffer) {
        out.push_slice(self.exemplars.as_slice());
        out.push_slice(self.metadata.as_slice());
    }

    /// Looks up the labels that the series of a point share.
    #[inline]
    fn begin_labels(&mut self, labels: &PointLabels) {
        self.point.clear();
        let (shape, generation) = (labels.shape(), self.symbols.generation());
        let set = |template: &mut References| template.set(labels, &mut self.symbols);
        self.templates.find(|template| template.is_for(shape, generation), || shape.slot(), set);
        let template = self.templates.latest_mut();
        self.insertions = template.write(&mut self.point, labels, &mut self.symbols);
        self.has_point = true;
    }

    #[inline]
    fn set_exemplars(&mut self, exemplars: Exemplars) {
        self.exemplars.clear();
        if !exemplars.is_empty() {
            self.push_exemplars(exemplars);
        }
    }

    fn push_exemplars(&mut self, exemplars: Exemplars) {
        let (out, references) = (&mut self.exemplars, &mut self.references);
        for exemplar in exemplars.iter() {
            references.clear();
            for label in exemplar.labels() {
                references.reserve(10);
                references.push_varint(self.symbols.reference(label.name).into());
                references.push_varint(self.symbols.reference(label.value).into());
            }
            let labels = references.len();
            let content = 1 + varint_size(labels as u64) + labels + value_and_time_size(exemplar.time);
            out.reserve(content + 6);
            out.push(EXEMPLARS);
            out.push_varint(content as u64);
            out.push(LABELS_REFS);
            out.push_varint(labels as u64);
            out.push_slice(references.as_slice());
            push_exemplar_value(out, exemplar.value, exemplar.time);
        }
    }
}

/// The references of one label.
#[derive(Clone, Copy)]
struct Pair {
    name: u32,
    value: u32,
}

impl Pair {
    #[inline]
    fn size(self) -> usize {
        varint_size(self.name.into()) + varint_size(self.value.into())
    }

    #[inline]
    fn push(self, out: &mut Buffer) {
        out.push_varint(self.name.into());
        out.push_varint(self.value.into());
    }
}
