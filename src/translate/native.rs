//! Native histograms: from dense bucket counts to spans and deltas.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", exponential histograms;
//! Prometheus, "Native Histograms".)

use super::sink::{Buckets, Span};

/// So many empty buckets in a row are written out as zeros; more begin a new span.
const GAP_MAX: usize = 2;

/// One side of a native histogram, in memory that is used again for the next point.
///
/// Where zeros stand and where spans begin is as the Collector's exporter has it, down to the empty
/// span in front of leading zeros: the same point then makes the same bytes.
#[derive(Debug, Default)]
pub(super) struct Layout {
    spans: Vec<Span>,
    deltas: Vec<i64>,
    /// The count written last, and how many empty buckets follow it that are not written yet.
    latest: u64,
    zeros: usize,
    /// How many deltas stand before the last span.
    before_span: usize,
}

impl Layout {
    /// Lays out a side of these buckets, the first of which stands at `index`.
    pub fn set(&mut self, counts: &[u64], index: i64) {
        self.clear();
        let Some((last, others)) = counts.split_last() else { return };
        self.begin_span(index);
        for count in others {
            match count {
                0 => self.zeros += 1,
                _ => self.write(*count),
            }
        }
        // The last bucket is written even if it is empty.
        self.write(*last);
        self.end_span();
    }

    /// The side laid out.
    pub fn buckets(&self) -> Buckets<'_> {
        Buckets { spans: &self.spans, deltas: &self.deltas }
    }

    fn clear(&mut self) {
        self.spans.clear();
        self.deltas.clear();
        self.latest = 0;
        self.zeros = 0;
    }

    #[inline]
    fn write(&mut self, count: u64) {
        if self.zeros > 0 {
            self.write_zeros();
        }
        self.write_count(count);
    }

    fn write_zeros(&mut self) {
        let zeros = std::mem::take(&mut self.zeros);
        if zeros > GAP_MAX {
            self.end_span();
            self.begin_span(zeros as i64);
        } else {
            (0..zeros).for_each(|_| self.write_count(0));
        }
    }

    #[inline]
    fn write_count(&mut self, count: u64) {
        self.deltas.push(count.wrapping_sub(self.latest).cast_signed());
        self.latest = count;
    }

    fn begin_span(&mut self, offset: i64) {
        self.spans.push(Span { offset: saturating_i32(offset), length: 0 });
        self.before_span = self.deltas.len();
    }

    fn end_span(&mut self) {
        if let Some(span) = self.spans.last_mut() {
            span.length = (self.deltas.len() - self.before_span) as u32;
        }
    }
}

fn saturating_i32(number: i64) -> i32 {
    number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        for (counts, index, spans, deltas) in [
            (&[7, 3][..], 1, &[(1, 2)][..], &[7, -4][..]),
            (&[0, 3, 4], 1, &[(1, 3)], &[0, 3, 1]),
            (&[0, 0, 0, 0, 0, 7], 1, &[(1, 0), (5, 1)], &[7]),
            (&[1, 0, 0, 0, 0], 1, &[(1, 1), (3, 1)], &[1, -1]),
            (&[0, 0, 0], 1, &[(1, 3)], &[0, 0, 0]),
            (&[6, 2, 0, 0, 1], -3, &[(-3, 5)], &[6, -4, -2, 0, 1]),
            (&[], 5, &[], &[]),
        ] {
            let mut layout = Layout::default();
            layout.set(counts, index);
            let found: Vec<_> = layout.spans.iter().map(|span| (span.offset, span.length)).collect();
            assert_eq!((found.as_slice(), layout.deltas.as_slice()), (spans, deltas), "{counts:?}");
        }
    }
}
