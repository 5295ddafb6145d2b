//! The point level: number, histogram and summary data points, their attributes left as they lie.

use super::wire::{Field, Fields, Malformed};

/// The bit of `flags` that says a series has ended (`DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`).
const NO_RECORDED_VALUE: u64 = 1;

/// What all kinds of points share.
#[derive(Clone, Copy, Debug, Default)]
pub struct PointHead {
    /// `time_unix_nano`: nanoseconds since the Unix epoch.
    pub time: u64,
    /// `start_time_unix_nano`: likewise; 0 if it is not known.
    pub start: u64,
    /// Whether `flags` say that there is no value.
    pub no_recorded_value: bool,
}

/// What a point holds any number of: messages that are read later, or not at all.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A `KeyValue`.
    Attribute(&'a [u8]),
    /// An `Exemplar`.
    Exemplar(&'a [u8]),
}

/// A `NumberDataPoint`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberPoint {
    /// Times and flags.
    pub head: PointHead,
    /// The value, unless none is set.
    pub value: Option<Number>,
}

/// The value of a number point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// `as_int`.
    Int(i64),
    /// `as_double`.
    Double(f64),
}

impl Number {
    /// As Prometheus has it, which knows no integers.
    #[inline]
    pub fn as_double(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Double(value) => value,
        }
    }
}

impl Default for Number {
    fn default() -> Number {
        Number::Double(0.0)
    }
}

impl NumberPoint {
    /// Reads a point and hands its attributes and exemplars to `part`.
    #[inline]
    pub fn read<'a>(
        message: &'a [u8],
        mut part: impl FnMut(Part<'a>) -> Result<(), Malformed>,
    ) -> Result<NumberPoint, Malformed> {
        let mut point = NumberPoint::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => point.head.start = field.fixed64()?,
                3 => point.head.time = field.fixed64()?,
                4 => point.value = Some(Number::Double(field.double()?)),
                5 => part(Part::Exemplar(field.bytes()?))?,
                6 => point.value = Some(Number::Int(field.fixed64()?.cast_signed())),
                7 => part(Part::Attribute(field.bytes()?))?,
                8 => point.head.no_recorded_value = has_no_value(&field)?,
                _ => {}
            }
        }
        Ok(point)
    }
}

/// A `HistogramDataPoint` but for its buckets, which go to scratch memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistogramPoint {
    /// Times and flags.
    pub head: PointHead,
    /// `count`.
    pub count: u64,
    /// `sum`, if it is set.
    pub sum: Option<f64>,
}

/// Scratch memory for the buckets of one point.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    /// `explicit_bounds`, as the bits of doubles.
    pub bounds: Vec<u64>,
    /// `bucket_counts`.
    pub counts: Vec<u64>,
}

impl HistogramPoint {
    /// Reads a point, its buckets into `buckets`, and hands its attributes and exemplars
    /// to `part`.
    pub fn read<'a>(
        message: &'a [u8],
        buckets: &mut Buckets,
        mut part: impl FnMut(Part<'a>) -> Result<(), Malformed>,
    ) -> Result<HistogramPoint, Malformed> {
        buckets.bounds.clear();
        buckets.counts.clear();
        let mut point = HistogramPoint::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => point.head.start = field.fixed64()?,
                3 => point.head.time = field.fixed64()?,
                4 => point.count = field.fixed64()?,
                5 => point.sum = Some(field.double()?),
                6 => field.repeated_fixed64(&mut buckets.counts)?,
                7 => field.repeated_fixed64(&mut buckets.bounds)?,
                8 => part(Part::Exemplar(field.bytes()?))?,
                9 => part(Part::Attribute(field.bytes()?))?,
                10 => point.head.no_recorded_value = has_no_value(&field)?,
                _ => {}
            }
        }
        Ok(point)
    }
}

/// A `SummaryDataPoint` but for its quantiles, which go to scratch memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct SummaryPoint {
    /// Times and flags.
    pub head: PointHead,
    /// `count`.
    pub count: u64,
    /// `sum`.
    pub sum: f64,
}

/// Scratch memory for the quantiles of one point.
#[derive(Clone, Debug, Default)]
pub struct Quantiles {
    /// Which quantiles, as the bits of doubles from 0 to 1.
    pub quantiles: Vec<u64>,
    /// The value of each.
    pub values: Vec<f64>,
}

impl SummaryPoint {
    /// Reads a point, its quantiles into `quantiles`, and hands its attributes to `part`.
    pub fn read<'a>(
        message: &'a [u8],
        quantiles: &mut Quantiles,
        mut part: impl FnMut(Part<'a>) -> Result<(), Malformed>,
    ) -> Result<SummaryPoint, Malformed> {
        quantiles.quantiles.clear();
        quantiles.values.clear();
        let mut point = SummaryPoint::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => point.head.start = field.fixed64()?,
                3 => point.head.time = field.fixed64()?,
                4 => point.count = field.fixed64()?,
                5 => point.sum = field.double()?,
                6 => {
                    let (quantile, value) = read_quantile(field.bytes()?)?;
                    quantiles.quantiles.push(quantile);
                    quantiles.values.push(value);
                }
                7 => part(Part::Attribute(field.bytes()?))?,
                8 => point.head.no_recorded_value = has_no_value(&field)?,
                _ => {}
            }
        }
        Ok(point)
    }
}

/// A `ValueAtQuantile`: the bits of the quantile, and the value.
fn read_quantile(message: &[u8]) -> Result<(u64, f64), Malformed> {
    let mut read = (0, 0.0);
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => read.0 = field.fixed64()?,
            2 => read.1 = field.double()?,
            _ => {}
        }
    }
    Ok(read)
}

/// The time of a point of any kind: `time_unix_nano` is field 3 in all of them.
pub fn time(message: &[u8]) -> Result<u64, Malformed> {
    let mut time = 0;
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_field()? {
        if field.number == 3 {
            time = field.fixed64()?;
        }
    }
    Ok(time)
}

pub(super) fn has_no_value(flags: &Field) -> Result<bool, Malformed> {
    Ok(flags.varint()? & NO_RECORDED_VALUE != 0)
}
