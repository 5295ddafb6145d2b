//! Native histograms on the wire: `Histogram` messages, which remote write 1.0 and 2.0 share.

use super::buffer::{Buffer, varint_size};
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
    let sizes = [Sizes::of(&histogram.negative), Sizes::of(&histogram.positive)];
    let size = size(histogram, &sizes, start);
    out.reserve(size + 16);
    out.push(field);
    out.push_varint(size as u64);
    push_number(out, tag::COUNT, histogram.count);
    push_double(out, tag::SUM, histogram.sum);
    push_number(out, tag::SCHEMA, zigzag(i64::from(histogram.schema)));
    push_double(out, tag::ZERO_THRESHOLD, histogram.zero_threshold);
    push_number(out, tag::ZERO_COUNT, histogram.zero_count);
    let [negative, positive] = &sizes;
    push_buckets(out, [tag::NEGATIVE_SPANS, tag::NEGATIVE_DELTAS], &histogram.negative, negative);
    push_buckets(out, [tag::POSITIVE_SPANS, tag::POSITIVE_DELTAS], &histogram.positive, positive);
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
}

/// The encoded sizes of one side: its spans with tags and lengths, its deltas without.
struct Sizes {
    spans: usize,
    deltas: usize,
}

impl Sizes {
    fn of(buckets: &Buckets) -> Sizes {
        let spans = buckets.spans.iter().map(|span| 2 + span_size(span.offset, span.length));
        let deltas = buckets.deltas.iter().map(|delta| varint_size(zigzag(*delta)));
        Sizes { spans: spans.sum(), deltas: deltas.sum() }
    }

    fn total(&self) -> usize {
        let head = if self.deltas > 0 { 1 + varint_size(self.deltas as u64) } else { 0 };
        self.spans + head + self.deltas
    }
}

fn span_size(offset: i32, length: u32) -> usize {
    2 + varint_size(zigzag(i64::from(offset))) + varint_size(u64::from(length))
}

fn size(histogram: &NativeHistogram, sides: &[Sizes; 2], start: Option<i64>) -> usize {
    let number = |number: u64| 1 + varint_size(number);
    let custom_values = 8 * histogram.custom_values.len();
    let custom_head = if custom_values > 0 { 2 + varint_size(custom_values as u64) } else { 0 };
    number(histogram.count)
        + number(zigzag(i64::from(histogram.schema)))
        + number(histogram.zero_count)
        + number(histogram.time.cast_unsigned())
        + 2 * 9
        + sides.iter().map(Sizes::total).sum::<usize>()
        + custom_head
        + custom_values
        + start.map_or(0, |start| 2 + varint_size(start.cast_unsigned()))
}

fn push_buckets(out: &mut Buffer, [span_tag, delta_tag]: [u8; 2], buckets: &Buckets, sizes: &Sizes) {
    for span in buckets.spans {
        out.push_array([span_tag, span_size(span.offset, span.length) as u8]);
        push_number(out, tag::SPAN_OFFSET, zigzag(i64::from(span.offset)));
        push_number(out, tag::SPAN_LENGTH, u64::from(span.length));
    }
    if sizes.deltas > 0 {
        out.push(delta_tag);
        out.push_varint(sizes.deltas as u64);
        buckets.deltas.iter().for_each(|delta| out.push_varint(zigzag(*delta)));
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
