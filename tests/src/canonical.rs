//! What was written, in a form that does not depend on how: all requests of a payload merged, equal
//! label sets joined, everything in order. The oracles answer in the JSON of these types.

mod wire;

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// All that one payload became.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canonical {
    /// Its time series.
    pub series: Vec<Series>,
    /// The metadata of its metric families; remote write 1.0 only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Metadata>,
}

/// A label: name and value.
pub type Label = (String, String);

/// A time series of either protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// In the order they were written, which is by name.
    pub labels: Vec<Label>,
    /// Samples with a plain value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// Native histograms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histograms: Vec<Histogram>,
    /// Exemplars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exemplars: Vec<Exemplar>,
    /// What the series says of its family; remote write 2.0 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// A sample. Times are milliseconds since the Unix epoch; a start of 0 says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the messages of remote write")]
pub struct Sample {
    pub time: i64,
    pub value: Bits,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start: i64,
}

/// A native histogram of integer counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the messages of remote write")]
pub struct Histogram {
    pub time: i64,
    pub schema: i32,
    pub count: u64,
    pub sum: Bits,
    pub zero_threshold: Bits,
    pub zero_count: u64,
    pub positive: Side,
    pub negative: Side,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_values: Vec<Bits>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reset_hint: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start: i64,
}

/// The buckets of a native histogram on one side of zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Side {
    /// Pairs of offset and length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<(i32, u32)>,
    /// Each count less the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<i64>,
}

/// An exemplar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the messages of remote write")]
pub struct Exemplar {
    pub time: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    pub value: Bits,
}

/// What is known of a metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Metadata {
    /// The name of the family; empty where the metadata stands in a series.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The number of the type in the messages of remote write, the same in both protocols.
    #[serde(rename = "type")]
    pub kind: i32,
    /// What the metric measures.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// In which unit, in the words of Prometheus.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// The bits of a double; as text, sixteen hexadecimal digits, so that NaN keeps its payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bits(pub u64);

impl std::fmt::Debug for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}/{:016x}", f64::from_bits(self.0), self.0)
    }
}

impl From<f64> for Bits {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

impl From<Bits> for String {
    fn from(bits: Bits) -> Self {
        format!("{:016x}", bits.0)
    }
}

impl TryFrom<String> for Bits {
    type Error = std::num::ParseIntError;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&digits, 16).map(Self)
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Canonical {
    /// Adds what a request body of remote write 1.0 holds.
    ///
    /// # Errors
    /// When it is not snappy, or not a `prometheus.WriteRequest`.
    pub fn add_v1(&mut self, body: &[u8]) -> anyhow::Result<()> {
        wire::read_v1(body, self)
    }

    /// Adds what a request body of remote write 2.0 holds.
    ///
    /// # Errors
    /// When it is not snappy, or not an `io.prometheus.write.v2.Request` whose references are all
    /// within its symbols.
    pub fn add_v2(&mut self, body: &[u8]) -> anyhow::Result<()> {
        wire::read_v2(body, self)
    }

    /// Joins series of equal labels: what is in them keeps its order, and of different metadata the
    /// first in order counts. The series are then in the order of their labels.
    #[must_use]
    pub fn joined(self) -> Self {
        let mut joined: BTreeMap<Vec<Label>, Series> = BTreeMap::new();
        for mut series in self.series {
            // Two labels of one name, which a sender should not write, come in any order.
            series.labels.sort();
            let one = joined.entry(series.labels.clone()).or_insert_with(|| Series {
                labels: std::mem::take(&mut series.labels),
                metadata: series.metadata.clone(),
                ..Series::default()
            });
            if series.metadata < one.metadata {
                one.metadata = series.metadata;
            }
            one.samples.append(&mut series.samples);
            one.histograms.append(&mut series.histograms);
            one.exemplars.append(&mut series.exemplars);
        }
        Self { series: joined.into_values().collect(), metadata: self.metadata }
    }

    /// The same joined, and all in an order that does not depend on how it was sent: samples,
    /// histograms and exemplars by their time and content, metadata by name.
    ///
    /// (Points of one series are sent in the order of time by Preamp, and in that of the payload by the
    /// Collector's translator, so that exemplars of several points come in different orders.)
    #[must_use]
    pub fn sorted(self) -> Self {
        let mut sorted = self.joined();
        for series in &mut sorted.series {
            series.samples.sort_unstable();
            series.histograms.sort_unstable();
            series.exemplars.sort_unstable();
        }
        sorted.metadata.sort_unstable();
        sorted
    }

    /// Takes out what another payload, a part of this one, became.
    ///
    /// # Errors
    /// When it did not become part of this.
    pub fn subtract(&mut self, part: &Self) -> anyhow::Result<()> {
        for other in &part.series {
            let one = self.series.iter_mut().find(|one| one.labels == other.labels);
            let one = one.with_context(|| format!("there is no series {:?}", other.labels))?;
            for sample in &other.samples {
                let at = one.samples.iter().position(|one| one == sample);
                one.samples.remove(at.with_context(|| format!("no {sample:?} in {:?}", one.labels))?);
            }
            for histogram in &other.histograms {
                let at = one.histograms.iter().position(|one| one == histogram);
                one.histograms.remove(at.with_context(|| format!("no {histogram:?} in {:?}", one.labels))?);
            }
            one.exemplars.retain(|exemplar| !other.exemplars.contains(exemplar));
        }
        self.series.retain(|series| !series.is_empty());
        Ok(())
    }
}

impl Series {
    /// The value of a label, if there is one of this name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Whether it holds nothing but labels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.histograms.is_empty() && self.exemplars.is_empty()
    }
}
