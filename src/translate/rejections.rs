//! What could not be translated, grouped by reason: nothing is dropped in silence.

use crate::types::Rejection;

/// Why points are not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A sum or histogram since the last report; Prometheus knows only totals.
    DeltaTemporality,
    /// A sum or histogram that does not say since when.
    UnspecifiedTemporality,
    /// A type this version does not translate.
    UnsupportedType,
    /// A metric without data.
    NoData,
    /// A metric name of which nothing is left.
    InvalidName,
    /// An attribute key of which nothing is left.
    InvalidLabel,
    /// A label value that is not UTF-8.
    InvalidUtf8,
    /// Older than the receiver takes.
    TooOld,
}

impl Reason {
    /// The identifier in the contract.
    pub fn id(self) -> &'static str {
        match self {
            Reason::DeltaTemporality => "delta-temporality",
            Reason::UnspecifiedTemporality => "unspecified-temporality",
            Reason::UnsupportedType => "unsupported-type",
            Reason::NoData => "no-data",
            Reason::InvalidName => "invalid-name",
            Reason::InvalidLabel => "invalid-label",
            Reason::InvalidUtf8 => "invalid-utf8",
            Reason::TooOld => "too-old",
        }
    }

    /// What to change.
    pub fn remedy(self) -> &'static str {
        match self {
            Reason::DeltaTemporality => {
                "set the temporality preference of the SDK to cumulative, or put a delta-to-cumulative processor in front"
            }
            Reason::UnspecifiedTemporality => "set the aggregation temporality to cumulative at the source",
            Reason::UnsupportedType => {
                "use explicit-bucket histograms in place of exponential ones with this version"
            }
            Reason::NoData => "send metrics with at least one data point of a known type",
            Reason::InvalidName => "name the metric with at least one ASCII letter or digit",
            Reason::InvalidLabel => "name the attribute with at least one ASCII letter or digit",
            Reason::InvalidUtf8 => "send attribute values as UTF-8 text, or as bytes values",
            Reason::TooOld => {
                "send points sooner, or raise max_sample_age_ms if the receiver takes older samples"
            }
        }
    }
}

/// The rejections of one payload, in the order they were first met.
#[derive(Default)]
pub struct Rejections {
    groups: Vec<(Reason, Rejection)>,
}

impl Rejections {
    /// Counts points; `example` is asked for only the first time.
    pub fn add(&mut self, reason: Reason, points: u64, example: impl FnOnce() -> String) {
        if let Some((_, group)) = self.groups.iter_mut().find(|(other, _)| *other == reason) {
            group.points += points;
            return;
        }
        let rejection =
            Rejection { reason: reason.id(), points, example: example(), remedy: reason.remedy() };
        self.groups.push((reason, rejection));
    }

    /// All of them; none are left behind.
    pub fn take(&mut self) -> Vec<Rejection> {
        self.groups.drain(..).map(|(_, rejection)| rejection).collect()
    }
}
