//! Native histograms read again.

use crate::otlp::wire::{Field, Fields, Malformed, unzigzag};
use crate::translate::sink::Span;

/// A `Histogram` message with integer counts.
#[derive(Debug, Default)]
pub struct Histogram {
    /// See [`crate::translate::sink::NativeHistogram`], also for what follows.
    pub schema: i32,
    /// How many observations there are.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Up to this distance from zero an observation counts as zero.
    pub zero_threshold: f64,
    /// How many observations count as zero.
    pub zero_count: u64,
    /// The buckets above zero.
    pub positive: Buckets,
    /// The buckets below zero.
    pub negative: Buckets,
    /// The upper bounds of custom buckets.
    pub custom_values: Vec<f64>,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// Since when observations add up; 0 if that is not known.
    pub start: i64,
}

/// The populated buckets of one side.
#[derive(Debug, Default)]
pub struct Buckets {
    /// Where buckets stand.
    pub spans: Vec<Span>,
    /// The count of each bucket, less that of the one before.
    pub deltas: Vec<i64>,
}

impl Histogram {
    /// Reads a `Histogram` message.
    ///
    /// # Errors
    ///
    /// Bytes that are no such message.
    pub fn read(message: &[u8]) -> Result<Histogram, Malformed> {
        let mut histogram = Histogram::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_shared()? {
            match field.number {
                1 => histogram.count = field.varint()?,
                3 => histogram.sum = field.double()?,
                4 => histogram.schema = field.zigzag()?,
                5 => histogram.zero_threshold = field.double()?,
                6 => histogram.zero_count = field.varint()?,
                8 => histogram.negative.spans.push(read_span(field.bytes()?)?),
                9 => read_deltas(&field, &mut histogram.negative.deltas)?,
                11 => histogram.positive.spans.push(read_span(field.bytes()?)?),
                12 => read_deltas(&field, &mut histogram.positive.deltas)?,
                15 => histogram.time = field.varint()?.cast_signed(),
                16 => read_doubles(&field, &mut histogram.custom_values)?,
                17 => histogram.start = field.varint()?.cast_signed(),
                _ => {}
            }
        }
        Ok(histogram)
    }
}

fn read_span(message: &[u8]) -> Result<Span, Malformed> {
    let mut span = Span { offset: 0, length: 0 };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        match field.number {
            1 => span.offset = field.zigzag()?,
            2 => span.length = field.varint()? as u32,
            _ => {}
        }
    }
    Ok(span)
}

fn read_deltas(field: &Field, deltas: &mut Vec<i64>) -> Result<(), Malformed> {
    let mut numbers = Vec::new();
    field.repeated_varint(&mut numbers)?;
    deltas.extend(numbers.into_iter().map(unzigzag));
    Ok(())
}

fn read_doubles(field: &Field, doubles: &mut Vec<f64>) -> Result<(), Malformed> {
    let mut numbers = Vec::new();
    field.repeated_fixed64(&mut numbers)?;
    doubles.extend(numbers.into_iter().map(f64::from_bits));
    Ok(())
}
