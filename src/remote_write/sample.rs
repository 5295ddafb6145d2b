//! Samples on the wire, and what exemplars have in common with them: both protocols number these
//! fields alike.
//!
//! Value and time are always written, also when they are zero: readers cannot tell, and −0.0 stays.

use super::buffer::{Buffer, varint_size};
use crate::translate::sink::Sample;

/// `TimeSeries.samples`, length-delimited.
const SAMPLES: u8 = 2 << 3 | 2;
/// `Sample.value`, eight bytes.
const SAMPLE_VALUE: u8 = 1 << 3 | 1;
/// `Sample.timestamp`, varint.
const SAMPLE_TIME: u8 = 2 << 3;
/// `Sample.start_timestamp`, varint; in 2.0 only.
const SAMPLE_START: u8 = 3 << 3;
/// `Exemplar.value`, eight bytes.
const EXEMPLAR_VALUE: u8 = 2 << 3 | 1;
/// `Exemplar.timestamp`, varint.
const EXEMPLAR_TIME: u8 = 3 << 3;

/// Appends a sample as a field of a series, with its start time if it has one. Room for it must be
/// reserved.
#[inline]
pub fn push_sample(out: &mut Buffer, sample: Sample) {
    out.push_array([SAMPLES, content_size(sample) as u8]);
    push_value_and_time(out, [SAMPLE_VALUE, SAMPLE_TIME], sample.value, sample.time);
    if sample.start != 0 {
        out.push(SAMPLE_START);
        out.push_varint(sample.start.cast_unsigned());
    }
}

/// The encoded size of a sample as a field of a series.
#[inline]
pub fn sample_size(sample: Sample) -> usize {
    2 + content_size(sample)
}

#[inline]
fn content_size(sample: Sample) -> usize {
    let start = if sample.start == 0 { 0 } else { 1 + varint_size(sample.start.cast_unsigned()) };
    value_and_time_size(sample.time) + start
}

/// Appends the value and time of an exemplar. Room for them must be reserved.
#[inline]
pub fn push_exemplar_value(out: &mut Buffer, value: f64, time: i64) {
    push_value_and_time(out, [EXEMPLAR_VALUE, EXEMPLAR_TIME], value, time);
}

/// The encoded size of a value and a time: at most 20 bytes.
#[inline]
pub fn value_and_time_size(time: i64) -> usize {
    10 + varint_size(time.cast_unsigned())
}

#[inline]
fn push_value_and_time(out: &mut Buffer, [value_tag, time_tag]: [u8; 2], value: f64, time: i64) {
    out.push(value_tag);
    out.push_array(value.to_bits().to_le_bytes());
    out.push(time_tag);
    out.push_varint(time.cast_unsigned());
}
