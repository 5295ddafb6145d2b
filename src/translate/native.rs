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
    /// The deltas of the side laid out, and behind them those of longer ones before it.
    deltas: Vec<i64>,
    written: usize,
}

impl Layout {
    /// Lays out a side of these buckets, the first of which stands at `index`.
    pub fn set(&mut self, counts: &[u64], index: i64) {
        self.spans.clear();
        self.written = 0;
        let Some(last) = counts.len().checked_sub(1) else { return };
        if self.deltas.len() < counts.len() {
            self.deltas.resize(counts.len(), 0);
        }
        let mut writer = Writer { deltas: &mut self.deltas, written: 0, latest: 0, filled: 0, zeros: 0 };
        let mut span = Span { offset: saturating_i32(index), length: 0 };
        let mut before_span = 0;
        for (position, count) in counts.iter().enumerate() {
            // Empty buckets are written as they come, and taken back where they turn out to be too many: so that no
            // branch depends on which are empty. The last bucket is written even if it is.
            if (writer.zeros > GAP_MAX) & ((*count != 0) | (position == last)) {
                let gap = writer.take_back_zeros();
                span.length = (writer.written - before_span) as u32;
                self.spans.push(span);
                before_span = writer.written;
                span = Span { offset: saturating_i32(gap as i64), length: 0 };
            }
            writer.write(*count);
        }
        self.written = writer.written;
        span.length = (self.written - before_span) as u32;
        self.spans.push(span);
    }

    /// The side laid out.
    pub fn buckets(&self) -> Buckets<'_> {
        Buckets { spans: &self.spans, deltas: &self.deltas[..self.written] }
    }
}

/// Writes deltas over those that stand there.
struct Writer<'d> {
    deltas: &'d mut [i64],
    written: usize,
    /// The count written last, and the last of them that is not zero.
    latest: u64,
    filled: u64,
    /// How many empty buckets were written since.
    zeros: usize,
}

impl Writer<'_> {
    #[inline(always)]
    fn write(&mut self, count: u64) {
        self.deltas[self.written] = count.wrapping_sub(self.latest).cast_signed();
        self.written += 1;
        self.latest = count;
        let is_empty = count == 0;
        self.zeros = if is_empty { self.zeros + 1 } else { 0 };
        self.filled = if is_empty { self.filled } else { count };
    }

    /// Takes back the empty buckets written last, and returns how many these were.
    fn take_back_zeros(&mut self) -> usize {
        self.written -= self.zeros;
        self.latest = self.filled;
        std::mem::take(&mut self.zeros)
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
        let mut layout = Layout::default();
        for (counts, index, spans, deltas) in [
            (&[7, 3][..], 1, &[(1, 2)][..], &[7, -4][..]),
            (&[0, 3, 4], 1, &[(1, 3)], &[0, 3, 1]),
            (&[0, 0, 0, 0, 0, 7], 1, &[(1, 0), (5, 1)], &[7]),
            (&[1, 0, 0, 0, 0], 1, &[(1, 1), (3, 1)], &[1, -1]),
            (&[0, 0, 0], 1, &[(1, 3)], &[0, 0, 0]),
            (&[1, 0, 0, 0, 2, 0, 3, 0], 1, &[(1, 1), (3, 4)], &[1, 1, -2, 3, -3]),
            (&[6, 2, 0, 0, 1], -3, &[(-3, 5)], &[6, -4, -2, 0, 1]),
            (&[], 5, &[], &[]),
        ] {
            layout.set(counts, index);
            let Buckets { spans: found, deltas: found_deltas } = layout.buckets();
            let found: Vec<_> = found.iter().map(|span| (span.offset, span.length)).collect();
            assert_eq!((found.as_slice(), found_deltas), (spans, deltas), "{counts:?}");
        }
    }
}
