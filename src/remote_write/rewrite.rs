//! Writes series that were read from a request into another one.

use super::buffer::Buffer;
use super::label::push_label;
use super::message::{Exemplar, Series};
use super::sample::{sample_size, value_and_time_size};
use super::v2::Symbols;
use super::{sample, v1, v2};
use crate::otlp::wire::{Fields, Malformed};
use crate::translate::labels::Label;
use crate::translate::sink::Sample;

/// A request of 2.0 made of series of other requests.
#[derive(Default)]
pub struct Assembly {
    symbols: Symbols,
    series: Buffer,
    rewriter: Rewriter,
}

/// An end of an earlier moment in a request of 2.0.
#[derive(Clone, Copy)]
pub struct Mark {
    symbols: usize,
    series: usize,
}

impl Assembly {
    /// Appends a series.
    pub fn push(&mut self, series: &Series) {
        self.rewriter.push_v2(&mut self.series, &mut self.symbols, series);
    }

    /// The size of the request, in bytes.
    pub fn size(&self) -> usize {
        self.symbols.size() + self.series.len()
    }

    /// The size of the series in it, in bytes.
    pub fn series_size(&self) -> usize {
        self.series.len()
    }

    /// The end of what was appended so far.
    pub fn mark(&self) -> Mark {
        Mark { symbols: self.symbols.size(), series: self.series.len() }
    }

    /// The request as it was at a mark.
    pub fn request(&self, mark: Mark) -> Vec<u8> {
        [&self.symbols.as_slice()[..mark.symbols], &self.series.as_slice()[..mark.series]].concat()
    }

    /// Begins another request.
    pub fn clear(&mut self) {
        self.symbols.clear();
        self.series.clear();
    }
}

/// Memory for messages whose length stands before them.
#[derive(Default)]
pub struct Rewriter {
    series: Buffer,
    part: Buffer,
    labels: Buffer,
}

impl Rewriter {
    /// Appends a series to a request of 2.0 with this symbol table.
    pub fn push_v2(&mut self, out: &mut Buffer, symbols: &mut Symbols, series: &Series) {
        self.series.clear();
        push_references(&mut self.series, &mut self.labels, symbols, &series.labels);
        for sample in &series.samples {
            push_sample(&mut self.series, *sample);
        }
        for histogram in &series.histograms {
            push_message(&mut self.series, v2::HISTOGRAMS, histogram);
        }
        for exemplar in &series.exemplars {
            self.part.clear();
            push_references(&mut self.part, &mut self.labels, symbols, &exemplar.labels);
            push_exemplar_value(&mut self.part, exemplar);
            push_message(&mut self.series, v2::EXEMPLARS, self.part.as_slice());
        }
        if let Some(metadata) = &series.metadata {
            v2::push_metadata(&mut self.series, symbols, metadata.kind, metadata.help, metadata.unit);
        }
        push_message(out, v2::TIMESERIES, self.series.as_slice());
    }

    /// Appends a series to a request of 1.0, which knows no start times.
    ///
    /// # Errors
    ///
    /// A histogram that is no message.
    pub fn push_v1(&mut self, out: &mut Buffer, series: &Series) -> Result<(), Malformed> {
        self.series.clear();
        push_labels(&mut self.series, &series.labels);
        for sample in &series.samples {
            push_sample(&mut self.series, Sample { start: 0, ..*sample });
        }
        for exemplar in &series.exemplars {
            self.part.clear();
            push_labels(&mut self.part, &exemplar.labels);
            push_exemplar_value(&mut self.part, exemplar);
            push_message(&mut self.series, v1::EXEMPLARS, self.part.as_slice());
        }
        for histogram in &series.histograms {
            self.part.clear();
            push_without_start(&mut self.part, histogram)?;
            push_message(&mut self.series, v1::HISTOGRAMS, self.part.as_slice());
        }
        push_message(out, v1::TIMESERIES, self.series.as_slice());
        Ok(())
    }
}

/// Appends labels as the field `labels_refs` of 2.0.
fn push_references(out: &mut Buffer, packed: &mut Buffer, symbols: &mut Symbols, labels: &[Label]) {
    packed.clear();
    for label in labels {
        packed.reserve(10);
        packed.push_varint(symbols.reference(label.name).into());
        packed.push_varint(symbols.reference(label.value).into());
    }
    push_message(out, v2::LABELS_REFS, packed.as_slice());
}

/// Appends labels as fields of 1.0.
fn push_labels(out: &mut Buffer, labels: &[Label]) {
    for label in labels {
        out.reserve(label.name.len() + label.value.len() + 32);
        push_label(out, *label);
    }
}

fn push_sample(out: &mut Buffer, sample: Sample) {
    // Others may put more than one sample into a series.
    out.reserve(sample_size(sample));
    sample::push_sample(out, sample);
}

fn push_exemplar_value(out: &mut Buffer, exemplar: &Exemplar) {
    out.reserve(value_and_time_size(exemplar.time));
    sample::push_exemplar_value(out, exemplar.value, exemplar.time);
}

fn push_message(out: &mut Buffer, tag: u8, content: &[u8]) {
    out.reserve(content.len() + 6);
    out.push(tag);
    out.push_varint(content.len() as u64);
    out.push_slice(content);
}

/// Appends a `Histogram` message without its start time.
fn push_without_start(out: &mut Buffer, histogram: &[u8]) -> Result<(), Malformed> {
    const START_TIMESTAMP: u32 = 17;
    let mut fields = Fields::of(histogram);
    loop {
        let before = fields.rest();
        let Some(field) = fields.next_shared()? else { return Ok(()) };
        if field.number != START_TIMESTAMP {
            let field = &before[..before.len() - fields.rest().len()];
            out.reserve(field.len());
            out.push_slice(field);
        }
    }
}
