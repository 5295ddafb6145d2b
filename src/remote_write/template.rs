//! Labels encoded once for all points of a shape, with gaps for the values that differ.

use super::buffer::Buffer;
use super::label::{push_label, push_label_head};
use super::places::{LabelOffset, LabelOffsets};
use crate::translate::labels::{PointLabels, Shape};

/// A label whose content is this long or longer has a length of two bytes, and no template.
const LONG: usize = 0x80;

/// The encoded labels of a shape. Between the pieces stand the values of the point at hand.
#[derive(Default)]
pub struct Template {
    pub shape: Shape,
    /// Encoded labels and, before each gap, the head of the label whose value it is.
    bytes: Buffer,
    gaps: Vec<Gap>,
    places: LabelOffsets,
}

/// A value to be filled in.
#[derive(Clone, Copy)]
struct Gap {
    /// Where in the bytes it is.
    at: usize,
    /// Where in the bytes the length of its label stands; one byte, for a value of no length.
    length_at: usize,
    /// The length of its label without the value, at most [`LONG`].
    content: usize,
}

impl Template {
    /// Becomes the template of the shape of these labels.
    pub fn set(&mut self, labels: &PointLabels) {
        self.shape = labels.shape();
        self.bytes.clear();
        self.gaps.clear();
        for (index, (label, is_fixed)) in labels.iter().zip(labels.fixed()).enumerate() {
            self.mark(index, labels);
            let out = &mut self.bytes;
            out.reserve(label.name.len() + label.value.len() + 32);
            if is_fixed {
                push_label(out, label);
                continue;
            }
            let length_at = out.len() + 1;
            push_label_head(out, label.name);
            // Behind the length byte stand the head and, once filled in, one byte for the length of
            // the value.
            let content = out.len() - length_at;
            self.gaps.push(Gap { at: out.len(), length_at, content });
        }
        self.mark(labels.fixed().count(), labels);
    }

    fn mark(&mut self, index: usize, labels: &PointLabels) {
        self.places.mark(index, self.end(), labels);
    }

    fn end(&self) -> LabelOffset {
        LabelOffset { bytes: self.bytes.len(), gaps: self.gaps.len() }
    }

    /// The encoded size of the labels with these values; `None` where a label is too long for the
    /// template.
    #[inline]
    pub fn size_with(&self, labels: &PointLabels) -> Option<usize> {
        let mut size = self.bytes.len() + self.gaps.len();
        let mut fits = true;
        for (gap, value) in self.gaps.iter().zip(labels.variable_values()) {
            fits &= gap.content + value.len() < LONG;
            size += value.len();
        }
        fits.then_some(size)
    }

    /// Writes the labels, calling `name` and `extra` where these belong. The values must fit.
    #[inline]
    pub fn write(
        &self,
        out: &mut Buffer,
        labels: &PointLabels,
        name: impl FnOnce(&mut Buffer),
        extra: impl FnOnce(&mut Buffer),
    ) {
        let mut values = labels.variable_values();
        self.run(out, &mut values, LabelOffset::default(), self.places.name);
        name(out);
        self.run(out, &mut values, self.places.name, self.places.extra);
        extra(out);
        self.run(out, &mut values, self.places.extra, self.end());
    }

    #[inline]
    fn run<'v>(
        &self,
        out: &mut Buffer,
        values: &mut impl Iterator<Item = &'v [u8]>,
        from: LabelOffset,
        to: LabelOffset,
    ) {
        let bytes = self.bytes.as_slice();
        let mut copied = from.bytes;
        for (gap, value) in self.gaps[from.gaps..to.gaps].iter().zip(values) {
            out.push_slice(&bytes[copied..gap.at]);
            out.patch(gap.at - gap.length_at, (gap.content + value.len()) as u8);
            out.push(value.len() as u8);
            out.push_slice(value);
            copied = gap.at;
        }
        out.push_slice(&bytes[copied..to.bytes]);
    }
}
