//! Native histograms on the wire: `Histogram` messages, which remote write 1.0 and 2.0 share.

use super::buffer::Buffer;
use crate::otlp::wire::zigzag;
use crate::translate::sink::{Buckets, NativeHistogram};

/// Field tags of `Histogram`, and of `BucketSpan`.
mod tag {
    pub const COUNT: u8 = 1 << 3;
    pub const SUM: u8 = 3 << 3 | 1;
    pub const SCHEMA: u8 = 4 << 3;
    pub const ZERO_THRESHOLD: u8 = 5 << 3 | 1;
    pub const ZERO_COUNT: u8 = 6 << 3;
    pub const NEGATIVE_SPANS: u8 = 8 << 3 | 2;
    pub const NEGATIVE_DELTAS: u8 = 9 << 3 | 2;
    pub const POSITIVE_SPANS: u8 = 11 << 3 | 2;
    pub const POSITIVE_DELTAS: u8 = 12 << 3 | 2;
    pub const TIMESTAMP: u8 = 15 << 3;
    pub const CUSTOM_VALUES: [u8; 2] = [(16u8 << 3) | 2 | 0x80, 1];
    pub const START_TIMESTAMP: [u8; 2] = [(17u8 << 3) | 0x80, 1];
    pub const SPAN_OFFSET: u8 = 1 << 3;
    pub const SPAN_LENGTH: u8 = 2 << 3;
}

/// Appends a native histogram as the field `field`, with its start time if there is one.
pub fn push_native(out: &mut Buffer, field: u8, histogram: &NativeHistogram, start: Option<i64>) {
    out.reserve(size_max(histogram));
    out.push_field(field, |out| {
        push_number(out, tag::COUNT, histogram.count);
        push_double(out, tag::SUM, histogram.sum);
        push_number(out, tag::SCHEMA, zigzag(i64::from(histogram.schema)));
        push_double(out, tag::ZERO_THRESHOLD, histogram.zero_threshold);
        push_number(out, tag::ZERO_COUNT, histogram.zero_count);
        push_buckets(out, [tag::NEGATIVE_SPANS, tag::NEGATIVE_DELTAS], &histogram.negative);
        push_buckets(out, [tag::POSITIVE_SPANS, tag::POSITIVE_DELTAS], &histogram.positive);
        push_number(out, tag::TIMESTAMP, histogram.time.cast_unsigned());
        if !histogram.custom_values.is_empty() {
            out.push_array(tag::CUSTOM_VALUES);
            out.push_varint(8 * histogram.custom_values.len() as u64);
            histogram.custom_values.iter().for_each(|bits| out.push_array(bits.to_le_bytes()));
        }
        if let Some(start) = start {
            out.push_array(tag::START_TIMESTAMP);
            out.push_varint(start.cast_unsigned());
        }
    });
}

/// What a native histogram takes at most.
fn size_max(histogram: &NativeHistogram) -> usize {
    const NUMBER: usize = 10;
    const SPAN: usize = 16;
    // Six numbers and two doubles with their tags, and the lengths of three lists and of it all.
    const REST: usize = 160;
    let side = |buckets: &Buckets| SPAN * buckets.spans.len() + NUMBER * buckets.deltas.len();
    REST + side(&histogram.negative) + side(&histogram.positive) + 8 * histogram.custom_values.len()
}

fn push_buckets(out: &mut Buffer, [span_tag, delta_tag]: [u8; 2], buckets: &Buckets) {
    for span in buckets.spans {
        out.push_field(span_tag, |out| {
            push_number(out, tag::SPAN_OFFSET, zigzag(i64::from(span.offset)));
            push_number(out, tag::SPAN_LENGTH, u64::from(span.length));
        });
    }
    if !buckets.deltas.is_empty() {
        out.push_field(delta_tag, |out| out.push_zigzags(buckets.deltas));
    }
}

fn push_number(out: &mut Buffer, tag: u8, number: u64) {
    out.push(tag);
    out.push_varint(number);
}

fn push_double(out: &mut Buffer, tag: u8, number: f64) {
    out.push(tag);
    out.push_array(number.to_bits().to_le_bytes());
}
