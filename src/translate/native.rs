//! Native histograms: from dense bucket counts to spans and deltas.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", exponential histograms;
//! Prometheus, "Native Histograms".)

use super::sink::{Buckets, Span};

/// So many empty buckets in a row are written out as zeros; more begin a new span.
const GAP_MAX: i64 = 2;

/// One side of a native histogram, in memory that is used again for the next point.
#[derive(Debug, Default)]
pub(super) struct Layout {
    spans: Vec<Span>,
    deltas: Vec<i64>,
    latest: u64,
}

impl Layout {
    /// The spans and deltas of the counts set.
    pub fn buckets(&self) -> Buckets<'_> {
        Buckets { spans: &self.spans, deltas: &self.deltas }
    }

    /// Lays out counts, the first of which stands at `index`.
    ///
    /// Where zeros stand and where spans begin is as the Collector's exporter has it, down to the
    /// empty span in front of leading zeros: the same point then makes the same bytes.
    pub fn set(&mut self, counts: impl Iterator<Item = u64>, index: i64) {
        self.spans.clear();
        self.deltas.clear();
        self.latest = 0;
        let mut counts = (index..).zip(counts);
        let Some((index, mut pending)) = counts.next() else { return };
        self.spans.push(Span { offset: saturating_i32(index), length: 0 });
        // Where the next count would follow without a gap.
        let mut next = index;
        let mut last = index;
        for (index, count) in counts {
            if pending != 0 {
                self.push(index - 1 - next, pending);
                next = index;
            }
            pending = count;
            last = index;
        }
        self.push(last - next, pending);
    }

    fn push(&mut self, gap: i64, count: u64) {
        if gap > GAP_MAX {
            self.spans.push(Span { offset: saturating_i32(gap), length: 0 });
        } else {
            (0..gap).for_each(|_| self.push_count(0));
        }
        self.push_count(count);
    }

    fn push_count(&mut self, count: u64) {
        self.deltas.push(count.wrapping_sub(self.latest).cast_signed());
        self.latest = count;
        if let Some(span) = self.spans.last_mut() {
            span.length += 1;
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
            layout.set(counts.iter().copied(), index);
            let found: Vec<_> = layout.spans.iter().map(|span| (span.offset, span.length)).collect();
            assert_eq!((found.as_slice(), layout.deltas.as_slice()), (spans, deltas), "{counts:?}");
        }
    }
}
