//! Takes an encoded request apart again, series by series, without decoding the labels.

use super::message::series_field;
use crate::otlp::wire::{Fields, Malformed};
use preamp_contract::Protocol;
use std::ops::Range;

/// One `TimeSeries` entry of an encoded request. What stands before it and is no series goes with it,
/// and so does what stands behind the last series: the metadata of families in remote write 1.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// All of it, with tags and lengths, as a range of the request.
    pub range: Range<usize>,
    /// The series alone.
    pub series: Range<usize>,
    /// How many samples it holds.
    pub samples: u32,
    /// How many native histograms it holds.
    pub histograms: u32,
    /// How many exemplars it holds.
    pub exemplars: u32,
    /// The oldest sample or histogram.
    pub first: i64,
    /// The newest sample or histogram.
    pub last: i64,
}

/// The series of an encoded request, in order.
///
/// # Errors
///
/// Where the bytes are no such message.
pub fn frames(request: &[u8], protocol: Protocol) -> Result<Vec<Frame>, Malformed> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut fields = Fields::of(request);
    let (mut start, mut begin) = (0, 0);
    while let Some(field) = fields.next_shared()? {
        let end = request.len() - fields.rest().len();
        if field.number == series_field(protocol) {
            frames.push(read_frame(field.bytes()?, protocol, begin..end, start..end)?);
            begin = end;
        }
        start = end;
    }
    if let Some(last) = frames.last_mut() {
        last.range.end = last.range.end.max(start);
    }
    Ok(frames)
}

fn read_frame(
    message: &[u8],
    protocol: Protocol,
    range: Range<usize>,
    series: Range<usize>,
) -> Result<Frame, Malformed> {
    let mut frame =
        Frame { range, series, samples: 0, histograms: 0, exemplars: 0, first: i64::MAX, last: i64::MIN };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        match (protocol, field.number) {
            (_, 2) => {
                frame.samples += 1;
                frame.see(time(field.bytes()?, 2)?);
            }
            (Protocol::RemoteWriteV1, 4) | (Protocol::RemoteWriteV2, 3) => {
                frame.histograms += 1;
                frame.see(time(field.bytes()?, 15)?);
            }
            (Protocol::RemoteWriteV1, 3) | (Protocol::RemoteWriteV2, 4) => frame.exemplars += 1,
            _ => {}
        }
    }
    Ok(frame)
}

impl Frame {
    fn see(&mut self, time: i64) {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }
}

/// The time of a sample or histogram, which stands in the field of this number.
fn time(message: &[u8], number: u32) -> Result<i64, Malformed> {
    let mut time = 0;
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        if field.number == number {
            time = field.varint()?.cast_signed();
        }
    }
    Ok(time)
}
