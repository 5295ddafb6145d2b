//! Keeps series, and judges samples by the rules of Cortex' ingester: order, window, duplicates.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

use crate::histogram::KeptHistogram;
use crate::message::{MetricMetadata, Sample};
use crate::options::TENANT;

/// A label set: names and values, sorted by name.
pub type Labels = Vec<(String, String)>;

/// One sample; time in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeptSample {
    /// Milliseconds since the Unix epoch, UTC.
    pub timestamp: i64,
    /// The value; stale markers are NaN with their own bit pattern.
    pub value: f64,
}

/// What became of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SampleOutcome {
    /// New, and kept.
    Stored,
    /// Known already, with the same value; silently accepted.
    Repeated,
    /// Refused, for the reason (as AMP's metric `DiscardedSamples` names it) and with the text given.
    Refused(&'static str, String),
}

/// The type, help and unit of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMetadata {
    /// The number of the type in `prometheus.MetricMetadata`: 1 for a counter, 2 for a gauge, 3 for a histogram.
    pub kind: i32,
    /// The description.
    pub help: String,
    /// The unit.
    pub unit: String,
}

/// What is kept of a series at a time.
trait Kept {
    fn timestamp(&self) -> i64;
    /// Whether this is the other one, bit for bit in what is measured.
    fn repeats(&self, other: &Self) -> bool;
}

impl Kept for KeptSample {
    fn timestamp(&self) -> i64 {
        self.timestamp
    }

    fn repeats(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits()
    }
}

impl Kept for KeptHistogram {
    fn timestamp(&self) -> i64 {
        self.timestamp
    }

    fn repeats(&self, other: &Self) -> bool {
        let bits = |kept: &Self| (kept.sum.to_bits(), kept.count, kept.zero_count);
        bits(self) == bits(other) && (self.sum.is_nan() || self == other)
    }
}

type Tracks<T> = BTreeMap<Labels, Vec<T>>;

/// All series of the workspace. A series has either samples or histograms, so each keep an order of their own.
#[derive(Debug, Default)]
pub(crate) struct Store {
    series: Tracks<KeptSample>,
    histograms: Tracks<KeptHistogram>,
    metadata: BTreeMap<String, KeptMetadata>,
}

impl Store {
    /// Takes one sample of one series.
    pub(crate) fn append(&mut self, labels: &Labels, sample: &Sample, window: Duration) -> SampleOutcome {
        let new = KeptSample { timestamp: sample.timestamp, value: sample.value };
        append(&mut self.series, labels, new, window)
    }

    /// Takes one native histogram of one series.
    pub(crate) fn append_histogram(
        &mut self,
        labels: &Labels,
        histogram: &KeptHistogram,
        window: Duration,
    ) -> SampleOutcome {
        append(&mut self.histograms, labels, histogram.clone(), window)
    }

    /// Takes the metadata of one metric, unless there is too much already.
    pub(crate) fn describe(&mut self, sent: &MetricMetadata, limit: usize) {
        if self.metadata.len() < limit || self.metadata.contains_key(&sent.metric_family_name) {
            let kept = KeptMetadata { kind: sent.kind, help: sent.help.clone(), unit: sent.unit.clone() };
            self.metadata.insert(sent.metric_family_name.clone(), kept);
        }
    }

    /// Forgets samples older than `oldest` (in milliseconds), and series that have no others. Nothing so old could
    /// be written again, so the judgement does not change; memory stays bounded.
    pub(crate) fn forget(&mut self, oldest: i64) {
        forget(&mut self.series, oldest);
        forget(&mut self.histograms, oldest);
    }

    /// Whether nothing is kept of a series.
    pub(crate) fn is_unknown(&self, labels: &Labels) -> bool {
        !self.series.contains_key(labels) && !self.histograms.contains_key(labels)
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.series.len() + self.histograms.len()
    }

    pub(crate) fn series(&self) -> &Tracks<KeptSample> {
        &self.series
    }

    pub(crate) fn histograms(&self) -> &Tracks<KeptHistogram> {
        &self.histograms
    }

    pub(crate) fn metadata(&self) -> &BTreeMap<String, KeptMetadata> {
        &self.metadata
    }
}

fn append<T: Kept>(tracks: &mut Tracks<T>, labels: &Labels, new: T, window: Duration) -> SampleOutcome {
    let kept = match tracks.get_mut(labels) {
        Some(kept) => kept,
        None => tracks.entry(labels.clone()).or_default(),
    };
    let time = new.timestamp();
    let Some(newest) = kept.last().map(Kept::timestamp) else {
        kept.push(new);
        return SampleOutcome::Stored;
    };
    let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    if time < newest.saturating_sub(window) {
        return SampleOutcome::Refused(
            "sample-out-of-order",
            cortex_error("out of order sample", labels, time),
        );
    }
    match kept.binary_search_by_key(&time, Kept::timestamp) {
        Ok(index) if kept[index].repeats(&new) => SampleOutcome::Repeated,
        Ok(_) => {
            let what = "duplicate sample for timestamp";
            SampleOutcome::Refused("new-value-for-timestamp", cortex_error(what, labels, time))
        }
        Err(index) => {
            kept.insert(index, new);
            SampleOutcome::Stored
        }
    }
}

fn forget<T: Kept>(tracks: &mut Tracks<T>, oldest: i64) {
    tracks.retain(|_, kept| {
        let gone = kept.partition_point(|sample| sample.timestamp() < oldest);
        kept.drain(..gone);
        !kept.is_empty()
    });
}

/// The text of an ingester's refusal, such as AMP passes it on.
fn cortex_error(what: &str, labels: &Labels, time: i64) -> String {
    let time = DateTime::from_timestamp_millis(time).unwrap_or_default();
    let time = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    format!("user={TENANT}: err: {what}. timestamp={time}, series={}", notation(labels))
}

/// A label set in the notation of Cortex' error texts.
pub(crate) fn notation(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
