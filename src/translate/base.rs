//! Labels from above the points, and the names that no attribute can take.

use super::identity;

/// The name of the label that holds the metric name.
pub const METRIC_NAME: &[u8] = b"__name__";

/// The ends of names that are derived from that of a metric.
pub const DERIVED_SUFFIXES: [&[u8]; 4] = [b"_sum", b"_count", b"_bucket", b"_created"];

/// A label that comes from above the point: resource, scope or configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseLabel {
    /// Its name, sanitised.
    pub name: Vec<u8>,
    /// Its value, not empty.
    pub value: Vec<u8>,
    /// Whether an attribute of the same name wins over it (external labels) or loses to it
    /// (`job`, `instance`, scope labels).
    pub yields: bool,
}

/// The base labels of a scope, each name once, in order.
#[derive(Clone, Debug, Default)]
pub struct Base {
    pub(super) labels: Vec<BaseLabel>,
    pub(super) identity: u64,
    /// How long all values are together.
    pub(super) value_bytes: usize,
    pub(super) is_utf8: bool,
}

impl Base {
    /// Orders the labels; of equal names the later one in `labels` wins.
    pub fn new(mut labels: Vec<BaseLabel>) -> Base {
        labels.reverse();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        labels.dedup_by(|a, b| a.name == b.name);
        let mut base = Base { labels, identity: 0, value_bytes: 0, is_utf8: true };
        for label in &base.labels {
            let value = identity::hash(&label.value).0;
            base.identity = base.identity.wrapping_add(identity::label(identity::hash(&label.name).0, value));
            base.value_bytes += label.value.len();
            base.is_utf8 &= std::str::from_utf8(&label.value).is_ok();
        }
        base
    }

    /// Whether plans made with the other base are good for this one.
    pub(super) fn has_the_names_of(&self, other: &Base) -> bool {
        self.labels.len() == other.labels.len()
            && self.labels.iter().zip(&other.labels).all(|(a, b)| a.name == b.name && a.yields == b.yields)
    }
}

/// The label beside the metric name that tells the series of one point apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtraLabel {
    /// None: gauges, sums.
    #[default]
    None,
    /// `le`: classic histograms.
    Le,
    /// `quantile`: summaries.
    Quantile,
}

impl ExtraLabel {
    /// The name of the label, empty if there is none.
    pub fn name(self) -> &'static [u8] {
        match self {
            ExtraLabel::None => b"",
            ExtraLabel::Le => b"le",
            ExtraLabel::Quantile => b"quantile",
        }
    }
}
