//! Exponential histogram points.

use super::point::{Part, PointHead, has_no_value};
use super::wire::{Fields, Malformed};
use std::ops::Range;

/// An `ExponentialHistogramDataPoint` but for its buckets, which go to scratch memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExponentialPoint {
    /// Times and flags.
    pub head: PointHead,
    /// `count`.
    pub count: u64,
    /// `sum`, if it is set.
    pub sum: Option<f64>,
    /// `scale`: the base of the buckets is 2 to the power of 2 to the power of −scale.
    pub scale: i32,
    /// `zero_count`.
    pub zero_count: u64,
    /// `zero_threshold`.
    pub zero_threshold: f64,
}

/// Scratch memory for the buckets of one point.
#[derive(Clone, Debug, Default)]
pub struct ExponentialBuckets {
    /// `positive`.
    pub positive: Side,
    /// `negative`.
    pub negative: Side,
}

/// The `Buckets` of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// `offset`: the index of the first bucket.
    pub offset: i32,
    /// `bucket_counts`.
    pub counts: Vec<u64>,
}

impl ExponentialPoint {
    /// Reads a point, its buckets into `buckets`, and hands its attributes and exemplars to `part`.
    pub fn read<'a>(
        message: &'a [u8],
        buckets: &mut ExponentialBuckets,
        mut part: impl FnMut(Part<'a>) -> Result<(), Malformed>,
    ) -> Result<ExponentialPoint, Malformed> {
        buckets.positive.clear();
        buckets.negative.clear();
        let mut point = ExponentialPoint::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => part(Part::Attribute(field.bytes()?))?,
                2 => point.head.start = field.fixed64()?,
                3 => point.head.time = field.fixed64()?,
                4 => point.count = field.fixed64()?,
                5 => point.sum = Some(field.double()?),
                6 => point.scale = field.zigzag()?,
                7 => point.zero_count = field.fixed64()?,
                8 => buckets.positive.read(field.bytes()?)?,
                9 => buckets.negative.read(field.bytes()?)?,
                10 => point.head.no_recorded_value = has_no_value(&field)?,
                11 => part(Part::Exemplar(field.bytes()?))?,
                14 => point.zero_threshold = field.double()?,
                _ => {}
            }
        }
        Ok(point)
    }
}

impl Side {
    /// Merges each 2 to the power of `shift` neighbouring buckets: what they are at a scale that much
    /// lower.
    pub fn downscale(&mut self, shift: u32) {
        // More than 63 bits leave as little of an index as 63 do.
        let shift = shift.min(63);
        let offset = i64::from(self.offset);
        let first = offset >> shift;
        let mut merged = 0;
        for (index, read) in (offset..).zip(0..self.counts.len()) {
            let place = ((index >> shift) - first) as usize;
            let count = self.counts[read];
            if place == merged {
                self.counts[place] = count;
                merged += 1;
            } else {
                self.counts[place] = self.counts[place].wrapping_add(count);
            }
        }
        self.counts.truncate(merged);
        self.offset = first as i32;
    }

    /// Where the populated buckets stand: all but the empty ones at both ends.
    pub fn populated(&self) -> Range<usize> {
        let first = self.counts.iter().position(|count| *count > 0).unwrap_or(self.counts.len());
        let end = self.counts.iter().rposition(|count| *count > 0).map_or(first, |last| last + 1);
        first..end
    }

    fn clear(&mut self) {
        self.offset = 0;
        self.counts.clear();
    }

    fn read(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => self.offset = field.zigzag()?,
                2 => field.repeated_varint(&mut self.counts)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Two to the power of `exponent`; infinity or the smallest number where that is out of range.
pub fn power_of_two(exponent: i64) -> f64 {
    match exponent {
        1024.. => f64::INFINITY,
        -1022.. => f64::from_bits(((exponent + 1023) as u64) << 52),
        -1074.. => f64::from_bits(1 << (exponent + 1074)),
        _ => f64::from_bits(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_exact() {
        for exponent in -1074..1024 {
            let half = exponent as i32 / 2;
            let expected = 2f64.powi(half) * 2f64.powi(exponent as i32 - half);
            assert_eq!(power_of_two(exponent), expected, "{exponent}");
        }
        assert_eq!(power_of_two(1024), f64::INFINITY);
        assert_eq!(power_of_two(i64::MIN), f64::from_bits(1));
    }

    #[test]
    fn downscaling_merges_neighbours() {
        for (offset, counts, shift, expected_offset, expected) in [
            (0, &[4, 3, 2, 1][..], 1, 0, &[7, 3][..]),
            (0, &[0, 0, 3, 4], 1, 0, &[0, 7]),
            (-3, &[1, 2, 3, 4], 1, -2, &[1, 5, 4]),
            (5, &[1, 2], 0, 5, &[1, 2]),
            (-1, &[1, 2], 40, -1, &[1, 2]),
            (7, &[1, 2], 99, 0, &[3]),
            (4, &[4, 2, 0, 2, 0, 0, 0, 0, 0, 0, 1, 1], 1, 2, &[6, 2, 0, 0, 0, 2]),
            (9, &[], 2, 2, &[]),
        ] {
            let mut side = Side { offset, counts: counts.to_vec() };
            side.downscale(shift);
            assert_eq!((side.offset, side.counts.as_slice()), (expected_offset, expected), "{counts:?}");
        }
    }
}
