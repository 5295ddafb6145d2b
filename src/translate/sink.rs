//! What translation writes to: a remote-write encoder, a counter in tests, whatever takes series.

use super::exemplar::Exemplars;
use super::labels::{Label, PointLabels};

/// One value at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The value.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// Since when the value adds up, in milliseconds since the Unix epoch; 0 if that is not known.
    pub start: i64,
}

/// A native histogram at one time, with integer counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeHistogram<'a> {
    /// The resolution, from −4 to 8; −53 for custom buckets.
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
    pub positive: Buckets<'a>,
    /// The buckets below zero.
    pub negative: Buckets<'a>,
    /// The upper bounds of custom buckets, as the bits of doubles.
    pub custom_values: &'a [u64],
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// See [`Sample::start`].
    pub start: i64,
}

/// The populated buckets of one side of a native histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets<'a> {
    /// Where buckets stand.
    pub spans: &'a [Span],
    /// The count of each bucket, less that of the one before.
    pub deltas: &'a [i64],
}

/// A run of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How far behind the run before it begins; for the first, the index of its first bucket.
    pub offset: i32,
    /// How many buckets it has.
    pub length: u32,
}

/// The types of metrics in remote write, as numbered there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum MetricType {
    Unknown = 0,
    Counter = 1,
    Gauge = 2,
    Histogram = 3,
    GaugeHistogram = 4,
    Summary = 5,
    Info = 6,
    Stateset = 7,
}

/// What is known of a metric family besides its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// The name of the family.
    pub name: &'a [u8],
    /// Its type.
    pub kind: MetricType,
    /// What it means, valid UTF-8.
    pub help: &'a [u8],
    /// Its unit in Prometheus' words, valid UTF-8.
    pub unit: &'a [u8],
}

/// Takes the series of one point after the other: `begin`, one or more `series` or `histogram`, `end`.
pub trait Sink {
    /// The payload begins again: what was written of it is forgotten.
    fn restart(&mut self);

    /// A metric family begins: the points that follow are its. `None` if nothing is to be said of it.
    fn family(&mut self, metadata: Option<&Metadata>);

    /// A point begins. All its series belong into the partition of `identity`. `points` is 0 for
    /// what stands for no OTLP point, such as `target_info`.
    fn begin(&mut self, identity: u64, points: u32);

    /// One series with one sample. The labels are the same in all series of a point, but for the
    /// metric name and the `extra` label (`le`, `quantile`).
    fn series(
        &mut self,
        labels: &PointLabels,
        name: &[u8],
        extra: Option<Label>,
        sample: Sample,
        exemplars: Exemplars,
    );

    /// One series with one native histogram.
    fn histogram(
        &mut self,
        labels: &PointLabels,
        name: &[u8],
        histogram: &NativeHistogram,
        exemplars: Exemplars,
    );

    /// The point ends.
    fn end(&mut self);
}
