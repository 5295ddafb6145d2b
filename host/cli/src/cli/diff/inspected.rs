//! Series as the function `inspect` of the contract gives them, in the form in which they compare.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// What identifies a series: names and values in turn, each followed by a byte that UTF-8 does not
/// have. Of labels there are many, and so they take one piece of memory only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "Vec<(String, String)>")]
pub(super) struct Labels(Box<[u8]>);

const END: u8 = 0xff;

impl Labels {
    /// Names and values, in the order sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut texts =
            self.0.split(|byte| *byte == END).map(|text| str::from_utf8(text).unwrap_or_default());
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }
}

impl From<Vec<(String, String)>> for Labels {
    fn from(labels: Vec<(String, String)>) -> Labels {
        let texts = labels.iter().flat_map(|(name, value)| [name, value]);
        Labels(texts.flat_map(|text| text.bytes().chain([END])).collect())
    }
}

impl fmt::Display for Labels {
    /// As `explain` has it: the name in front of the braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAME: &str = "__name__";
        f.write_str(self.iter().find(|(name, _)| *name == NAME).map_or("", |(_, value)| value))?;
        let others = self.iter().filter(|(name, _)| *name != NAME);
        let labels: Vec<_> = others.map(|(name, value)| format!("{name}={value:?}")).collect();
        write!(f, "{{{}}}", labels.join(","))
    }
}

/// A sample or native histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// Milliseconds since the Unix epoch.
    pub(super) time: i64,
    /// When counting started, where the protocol has a place for it.
    pub(super) start: Option<i64>,
    /// The value, in a notation in which equal values are equal texts.
    pub(super) value: String,
}

/// Type, help and unit, where the series says them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Description {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) unit: String,
}

/// What the series of one payload are, in the order of the labels.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// Points of each series, in the order sent.
    pub(super) points: BTreeMap<Labels, Vec<Point>>,
    /// Of series (remote write 2.0), by the labels, and of metrics (1.0), by the name.
    pub(super) descriptions: BTreeMap<String, Description>,
}

#[derive(Deserialize)]
struct Line {
    labels: Option<Labels>,
    #[serde(default)]
    samples: Vec<Sample>,
    #[serde(default)]
    histograms: Vec<Map<String, Value>>,
    #[serde(flatten)]
    description: Description,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Sample {
    value: String,
    time: i64,
    start: Option<i64>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(flatten)]
    description: Description,
}

impl Series {
    /// Adds the series of a batch.
    pub(super) fn add(&mut self, lines: &str) -> anyhow::Result<()> {
        for line in lines.lines() {
            let line = serde_json::from_str(line)
                .with_context(|| format!("the component inspects a batch in an unknown form: {line}"))?;
            self.add_line(line);
        }
        Ok(())
    }

    fn add_line(&mut self, line: Line) {
        if let Some(Metadata { name, description }) = line.metadata {
            self.descriptions.insert(name, description);
        }
        let Some(labels) = line.labels else { return };
        if line.description != Description::default() {
            self.descriptions.insert(labels.to_string(), line.description);
        }
        let samples = line.samples.into_iter();
        let samples = samples.map(|Sample { value, time, start }| Point { time, start, value });
        let points = samples.chain(line.histograms.into_iter().map(histogram));
        self.points.entry(labels).or_default().extend(points);
    }
}

/// All of a histogram but its times is its value.
fn histogram(mut histogram: Map<String, Value>) -> Point {
    let mut take = |key| histogram.remove(key).and_then(|time| time.as_i64());
    let (time, start) = (take("time").unwrap_or_default(), take("start"));
    Point { time, start, value: Value::Object(histogram).to_string() }
}
