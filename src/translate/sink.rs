//! What translation writes to: a remote-write encoder, a counter in tests, whatever takes series.

use super::labels::{Label, PointLabels};

/// One value at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The value.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
}

/// Takes the series of one point after the other: `begin`, one or more `series`, `end`.
pub trait Sink {
    /// A point begins. All its series belong into the partition of `identity`. `points` is 0 for
    /// what stands for no OTLP point, such as `target_info`.
    fn begin(&mut self, identity: u64, points: u32);

    /// One series with one sample. The labels are the same in all series of a point, but for the
    /// metric name and the `extra` label (`le`, `quantile`).
    fn series(&mut self, labels: &PointLabels, name: &[u8], extra: Option<Label>, sample: Sample);

    /// The point ends.
    fn end(&mut self);
}
