//! Keeps series, and judges samples by the rules of Cortex' ingester: order, window, duplicates.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

use crate::message::Sample;
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
pub(crate) enum Outcome {
    /// New, and kept.
    Stored,
    /// Known already, with the same value; silently accepted.
    Repeated,
    /// Refused, for the reason (as AMP's metric `DiscardedSamples` names it) and with the text given.
    Refused(&'static str, String),
}

/// All series of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Store {
    series: BTreeMap<Labels, Vec<KeptSample>>,
}

impl Store {
    /// Takes one sample of one series.
    pub(crate) fn append(&mut self, labels: &Labels, sample: &Sample, window: Duration) -> Outcome {
        let kept = match self.series.get_mut(labels) {
            Some(kept) => kept,
            None => self.series.entry(labels.clone()).or_default(),
        };
        let new = KeptSample { timestamp: sample.timestamp, value: sample.value };
        let Some(newest) = kept.last().copied() else {
            kept.push(new);
            return Outcome::Stored;
        };
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        if new.timestamp < newest.timestamp.saturating_sub(window) {
            return Outcome::Refused("sample-out-of-order", cortex_error("out of order sample", labels, new));
        }
        match kept.binary_search_by_key(&new.timestamp, |known| known.timestamp) {
            Ok(index) if kept[index].value.to_bits() == new.value.to_bits() => Outcome::Repeated,
            Ok(_) => {
                let what = "duplicate sample for timestamp";
                Outcome::Refused("new-value-for-timestamp", cortex_error(what, labels, new))
            }
            Err(index) => {
                kept.insert(index, new);
                Outcome::Stored
            }
        }
    }

    /// Forgets samples older than `oldest` (in milliseconds), and series that have no others. Nothing so old could
    /// be written again, so the judgement does not change; memory stays bounded.
    pub(crate) fn forget(&mut self, oldest: i64) {
        self.series.retain(|_, kept| {
            let gone = kept.partition_point(|sample| sample.timestamp < oldest);
            kept.drain(..gone);
            !kept.is_empty()
        });
    }

    pub(crate) fn series(&self) -> &BTreeMap<Labels, Vec<KeptSample>> {
        &self.series
    }
}

/// The text of an ingester's refusal, such as AMP passes it on.
fn cortex_error(what: &str, labels: &Labels, sample: KeptSample) -> String {
    let time = DateTime::from_timestamp_millis(sample.timestamp).unwrap_or_default();
    let time = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    format!("user={TENANT}: err: {what}. timestamp={time}, series={}", notation(labels))
}

/// A label set in the notation of Cortex' error texts.
pub(crate) fn notation(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
