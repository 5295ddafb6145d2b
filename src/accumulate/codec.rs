//! How a series is written, for snapshots and for undoing.
//!
//! Little-endian; counts and differences as variable-length integers like those of protobuf.

use super::exponential::{BUCKETS_MAX, Exponential, SCALES};
use super::hash::SeriesId;
use super::series::{Histogram, Series, Total};
use crate::otlp::exponential::Side;
use crate::otlp::point::Number;
use crate::otlp::wire::{unzigzag, zigzag};
use preamp_contract::NANOS_PER_MILLI;
use prost::encoding::encode_varint;

/// What the first byte of a series says: which total it has, and what else there is.
mod tag {
    pub const KIND: u8 = 0b0000_0111;
    pub const UNKNOWN: u8 = 0;
    pub const INT: u8 = 1;
    pub const DOUBLE: u8 = 2;
    pub const HISTOGRAM: u8 = 3;
    pub const EXPONENTIAL: u8 = 4;
    pub const MONOTONIC: u8 = 1 << 3;
    pub const HAS_START: u8 = 1 << 4;
    pub const HAS_SUM: u8 = 1 << 5;
}

/// No series is written shorter: tag, id, three times and digest.
pub(super) const SERIES_BYTES_MIN: usize = 1 + 16 + 2 + 4;

/// Writes a series; `now` is any time near its own, in milliseconds since the epoch.
pub(super) fn write_series(series: &Series, now: u64, out: &mut Vec<u8>) {
    let Series { id, start, last, touched, digest, payload: _, total } = series;
    out.push(tag_of(series));
    out.extend_from_slice(&id.first.to_le_bytes());
    out.extend_from_slice(&id.second.to_le_bytes());
    encode_varint(now.wrapping_sub(*touched), out);
    write_signed(now.wrapping_mul(NANOS_PER_MILLI).wrapping_sub(*last).cast_signed(), out);
    if *start != 0 {
        write_signed(last.wrapping_sub(*start).cast_signed(), out);
    }
    out.extend_from_slice(&digest.to_le_bytes());
    match total {
        Total::Unknown => {}
        Total::Number { total: Number::Int(value), .. } => write_signed(*value, out),
        Total::Number { total: Number::Double(value), .. } => write_double(*value, out),
        Total::Histogram(histogram) => {
            encode_varint(histogram.count, out);
            write_sum(histogram.sum, out);
            out.extend_from_slice(&histogram.bounds.to_le_bytes());
            write_counts(&histogram.counts, out);
        }
        Total::Exponential(histogram) => {
            encode_varint(histogram.count, out);
            write_sum(histogram.sum, out);
            write_signed(histogram.scale.into(), out);
            write_double(histogram.zero_threshold, out);
            encode_varint(histogram.zero_count, out);
            for side in [&histogram.positive, &histogram.negative] {
                write_signed(side.offset.into(), out);
                write_counts(&side.counts, out);
            }
        }
    }
}

fn tag_of(series: &Series) -> u8 {
    let flag = |condition: bool, flag: u8| if condition { flag } else { 0 };
    let kind = match &series.total {
        Total::Unknown => tag::UNKNOWN,
        Total::Number { total, monotonic } => {
            let kind = if matches!(total, Number::Int(_)) { tag::INT } else { tag::DOUBLE };
            kind | flag(*monotonic, tag::MONOTONIC)
        }
        Total::Histogram(histogram) => tag::HISTOGRAM | flag(histogram.sum.is_some(), tag::HAS_SUM),
        Total::Exponential(histogram) => tag::EXPONENTIAL | flag(histogram.sum.is_some(), tag::HAS_SUM),
    };
    kind | flag(series.start != 0, tag::HAS_START)
}

/// Reads a series that [`write_series`] wrote with the same `now`; `None` if nothing it writes looks
/// like that.
pub(super) fn read_series(bytes: &mut Bytes, now: u64) -> Option<Series> {
    let [tag] = bytes.array()?;
    let id =
        SeriesId { first: u64::from_le_bytes(bytes.array()?), second: u64::from_le_bytes(bytes.array()?) };
    let touched = now.checked_sub(bytes.varint()?)?;
    let last = now.wrapping_mul(NANOS_PER_MILLI).wrapping_sub(bytes.signed()?.cast_unsigned());
    let start = match tag & tag::HAS_START {
        0 => 0,
        _ => last.wrapping_sub(bytes.signed()?.cast_unsigned()),
    };
    let digest = u32::from_le_bytes(bytes.array()?);
    let monotonic = tag & tag::MONOTONIC != 0;
    let total = match tag & tag::KIND {
        tag::UNKNOWN => Total::Unknown,
        tag::INT => Total::Number { total: Number::Int(bytes.signed()?), monotonic },
        tag::DOUBLE => Total::Number { total: Number::Double(bytes.finite()?), monotonic },
        tag::HISTOGRAM => Total::Histogram(Box::new(read_histogram(bytes, tag)?)),
        tag::EXPONENTIAL => Total::Exponential(Box::new(read_exponential(bytes, tag)?)),
        _ => return None,
    };
    Some(Series { id, start, last, touched, digest, payload: 0, total })
}

fn read_histogram(bytes: &mut Bytes, tag: u8) -> Option<Histogram> {
    Some(Histogram {
        count: bytes.varint()?,
        sum: read_sum(bytes, tag)?,
        bounds: u64::from_le_bytes(bytes.array()?),
        counts: bytes.counts(usize::MAX)?.into(),
    })
}

fn read_exponential(bytes: &mut Bytes, tag: u8) -> Option<Exponential> {
    let mut histogram =
        Exponential { count: bytes.varint()?, sum: read_sum(bytes, tag)?, ..Default::default() };
    histogram.scale = i32::try_from(bytes.signed()?).ok()?;
    histogram.zero_threshold = bytes.finite()?;
    histogram.zero_count = bytes.varint()?;
    for side in [&mut histogram.positive, &mut histogram.negative] {
        let offset = i32::try_from(bytes.signed()?).ok()?;
        *side = Side { offset, counts: bytes.counts(BUCKETS_MAX)? };
        side.is_within_doubles(histogram.scale).then_some(())?;
    }
    (SCALES.contains(&histogram.scale) && histogram.zero_threshold >= 0.0).then_some(histogram)
}

/// The outer option is for bytes that are missing, the inner one for a sum that is not known.
fn read_sum(bytes: &mut Bytes, tag: u8) -> Option<Option<f64>> {
    if tag & tag::HAS_SUM == 0 {
        return Some(None);
    }
    Some(Some(bytes.finite()?))
}

fn write_sum(sum: Option<f64>, out: &mut Vec<u8>) {
    if let Some(sum) = sum {
        write_double(sum, out);
    }
}

fn write_double(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn write_counts(counts: &[u64], out: &mut Vec<u8>) {
    encode_varint(counts.len() as u64, out);
    counts.iter().for_each(|count| encode_varint(*count, out));
}

fn write_signed(value: i64, out: &mut Vec<u8>) {
    encode_varint(zigzag(value), out);
}

/// Bytes that are read from the front.
pub(super) struct Bytes<'b>(pub &'b [u8]);

impl Bytes<'_> {
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }

    fn finite(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.array()?)).filter(|value| value.is_finite())
    }

    fn counts(&mut self, max: usize) -> Option<Vec<u64>> {
        let length = usize::try_from(self.varint()?).ok()?;
        // Each count takes at least a byte, so what is not there is not made room for.
        if length > max.min(self.0.len()) {
            return None;
        }
        (0..length).map(|_| self.varint()).collect()
    }
}
