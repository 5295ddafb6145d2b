//! Label references of remote write 2.0, encoded once for all points of a shape in a request, with
//! gaps for the values that differ.

use super::Symbols;
use crate::remote_write::buffer::Buffer;
use crate::remote_write::places::{LabelOffset, LabelOffsets};
use crate::translate::base::METRIC_NAME;
use crate::translate::identity;
use crate::translate::labels::{PointLabels, Shape};

/// The encoded references of a shape. Between the pieces stand those of the values of the point at
/// hand.
#[derive(Default)]
pub struct References {
    shape: Shape,
    generation: u32,
    /// Of `__name__`, and of the name of the extra label; 0 if that is not known yet.
    metric_name: u32,
    extra_name: u32,
    encoded: Buffer,
    gaps: Vec<Gap>,
    places: LabelOffsets,
}

/// A value to be filled in.
#[derive(Clone, Copy)]
struct Gap {
    /// How many encoded bytes stand before it.
    at: usize,
    /// The value of the point before.
    latest: u32,
}

/// Where in the references of a point the metric name and the extra label belong.
#[derive(Clone, Copy, Default)]
pub struct Insertions {
    pub name: usize,
    pub extra: usize,
}

impl References {
    /// Whether these are for labels of this shape in a request of this generation.
    #[inline]
    pub fn is_for(&self, shape: Shape, generation: u32) -> bool {
        self.generation == generation && self.shape == shape
    }

    /// The reference of `__name__`.
    #[inline]
    pub fn metric_name(&self) -> u32 {
        self.metric_name
    }

    /// The reference of the name of the extra label, which is the same for all points of a shape.
    #[inline]
    pub fn extra_name(&mut self, name: &[u8], symbols: &mut Symbols) -> u32 {
        if self.extra_name == 0 {
            self.extra_name = symbols.reference(name);
        }
        self.extra_name
    }

    /// Looks up all that the shape of these labels decides.
    pub fn set(&mut self, labels: &PointLabels, symbols: &mut Symbols) {
        self.shape = labels.shape();
        self.generation = symbols.generation();
        self.metric_name = symbols.reference(METRIC_NAME);
        self.extra_name = 0;
        self.encoded.clear();
        self.gaps.clear();
        let mut count = 0;
        for (label, is_fixed) in labels.iter().zip(labels.fixed()) {
            self.mark(count, labels);
            self.encoded.reserve(10);
            self.encoded.push_varint(symbols.reference(label.name).into());
            if is_fixed {
                self.encoded.push_varint(symbols.reference(label.value).into());
            } else {
                self.gaps.push(Gap { at: self.encoded.len(), latest: 0 });
            }
            count += 1;
        }
        self.mark(count, labels);
    }

    fn mark(&mut self, index: usize, labels: &PointLabels) {
        self.places.mark(index, self.end(), labels);
    }

    fn end(&self) -> LabelOffset {
        LabelOffset { bytes: self.encoded.len(), gaps: self.gaps.len() }
    }

    /// Writes the references of a point's labels, and says where in them further labels belong.
    #[inline]
    pub fn write(&mut self, out: &mut Buffer, labels: &PointLabels, symbols: &mut Symbols) -> Insertions {
        out.reserve(self.encoded.len() + 5 * self.gaps.len());
        let mut values = labels.variable_values();
        let (LabelOffsets { name: name_at, extra: extra_at }, end) = (self.places, self.end());
        self.run(out, &mut values, symbols, LabelOffset::default(), name_at);
        let name = out.len();
        self.run(out, &mut values, symbols, name_at, extra_at);
        let extra = out.len();
        self.run(out, &mut values, symbols, extra_at, end);
        Insertions { name, extra }
    }

    #[inline]
    fn run<'v>(
        &mut self,
        out: &mut Buffer,
        values: &mut impl Iterator<Item = &'v [u8]>,
        symbols: &mut Symbols,
        from: LabelOffset,
        to: LabelOffset,
    ) {
        let encoded = self.encoded.as_slice();
        let mut copied = from.bytes;
        for (gap, value) in self.gaps[from.gaps..to.gaps].iter_mut().zip(values) {
            // Points that follow each other often have values in common.
            if !identity::same(symbols.text(gap.latest), value) {
                gap.latest = symbols.reference(value);
            }
            out.push_slice(&encoded[copied..gap.at]);
            out.push_varint(gap.latest.into());
            copied = gap.at;
        }
        out.push_slice(&encoded[copied..to.bytes]);
    }
}
