//! Takes an encoded request apart again, series by series, without decoding the labels.

use crate::otlp::wire::{Fields, Malformed};
use std::ops::Range;

/// One `TimeSeries` entry of an encoded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The entry with its tag and length, as a range of the request.
    pub range: Range<usize>,
    /// How many samples it holds.
    pub samples: u32,
    /// The oldest sample.
    pub first: i64,
    /// The newest sample.
    pub last: i64,
}

/// The series of an encoded `WriteRequest`, in order.
///
/// # Errors
///
/// Where the bytes are no such message.
pub fn frames(request: &[u8]) -> Result<Vec<Frame>, Malformed> {
    let mut frames = Vec::new();
    let mut fields = Fields::of(request);
    let mut start = 0;
    while let Some(field) = fields.next_field()? {
        let end = request.len() - fields.rest().len();
        if field.number == 1 {
            frames.push(read_frame(field.bytes()?, start..end)?);
        }
        start = end;
    }
    Ok(frames)
}

fn read_frame(series: &[u8], range: Range<usize>) -> Result<Frame, Malformed> {
    let mut frame = Frame { range, samples: 0, first: i64::MAX, last: i64::MIN };
    let mut fields = Fields::of(series);
    while let Some(field) = fields.next_field()? {
        if field.number == 2 {
            let time = sample_time(field.bytes()?)?;
            frame.samples += 1;
            frame.first = frame.first.min(time);
            frame.last = frame.last.max(time);
        }
    }
    Ok(frame)
}

fn sample_time(sample: &[u8]) -> Result<i64, Malformed> {
    let mut time = 0;
    let mut fields = Fields::of(sample);
    while let Some(field) = fields.next_field()? {
        if field.number == 2 {
            time = field.varint()?.cast_signed();
        }
    }
    Ok(time)
}
