//! Labels on the wire: `prometheus.Label` entries of a `TimeSeries`.

use super::buffer::{Buffer, varint_size};
use crate::translate::labels::Label;

/// `TimeSeries.labels`, length-delimited.
const LABELS: u8 = 1 << 3 | 2;
/// `Label.name`, length-delimited.
const NAME: u8 = 1 << 3 | 2;
/// `Label.value`, length-delimited.
const VALUE: u8 = 2 << 3 | 2;

/// Appends a whole label.
#[inline]
pub fn push_label(out: &mut Buffer, label: Label) {
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
pub fn push_label_head(out: &mut Buffer, name: &[u8]) {
    out.push(LABELS);
    out.push(0);
    out.push(NAME);
    out.push_varint(name.len() as u64);
    out.push_slice(name);
    out.push(VALUE);
}

/// The encoded size of a label.
#[inline]
pub fn label_size(label: Label) -> usize {
    let content = label_content_size(label);
    1 + varint_size(content as u64) + content
}

#[inline]
fn label_content_size(label: Label) -> usize {
    let (name, value) = (label.name.len(), label.value.len());
    2 + varint_size(name as u64) + name + varint_size(value as u64) + value
}
