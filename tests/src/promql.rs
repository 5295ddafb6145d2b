//! Queries to Prometheus' HTTP API.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::loopback::exchange;

/// A label set.
pub type Labels = BTreeMap<String, String>;

/// Label sets and their values.
pub type Vector = BTreeMap<Labels, f64>;

/// The samples of a series, each with its time in milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Series {
    /// Plain samples.
    pub values: Vec<(i64, f64)>,
    /// Native histograms.
    pub histograms: Vec<(i64, NativeHistogram)>,
}

impl Series {
    /// The times of the first and the last sample.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        let values = self.values.iter().map(|(time, _)| *time);
        let times = values.chain(self.histograms.iter().map(|(time, _)| *time));
        times.fold(None, |span, time| {
            let (first, last) = span.unwrap_or((time, time));
            Some((time.min(first), time.max(last)))
        })
    }
}

/// A native histogram, with those buckets that are not empty.
#[derive(Debug)]
pub struct NativeHistogram {
    /// How many measurements.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// In order of their bounds.
    pub buckets: Vec<Bucket>,
}

/// A bucket of a native histogram.
#[derive(Debug)]
pub struct Bucket {
    /// The lower bound, which belongs to the bucket if it is the zero bucket.
    pub lower: f64,
    /// The upper bound, which belongs to the bucket if it holds positive values.
    pub upper: f64,
    /// How many measurements.
    pub count: f64,
}

/// An exemplar.
#[derive(Debug, Deserialize)]
pub struct Exemplar {
    /// Its labels, such as `trace_id`.
    pub labels: Labels,
    value: String,
}

impl Exemplar {
    /// The measured value.
    ///
    /// # Errors
    /// When it is no number.
    pub fn value(&self) -> anyhow::Result<f64> {
        Ok(self.value.parse()?)
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    metric: Labels,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
    #[serde(default)]
    histograms: Vec<(f64, RawHistogram)>,
}

#[derive(Deserialize)]
struct RawHistogram {
    count: String,
    sum: String,
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exemplified {
    series_labels: Labels,
    exemplars: Vec<Exemplar>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Database {
    head_stats: Head,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    max_time: i64,
}

/// The instant vector that an expression is now.
///
/// # Errors
/// When Prometheus does not answer, or does not take the expression.
pub fn query(prometheus: SocketAddr, expression: &str) -> anyhow::Result<Vector> {
    vector(prometheus, &format!("/api/v1/query?query={}", encoded(expression)), expression)
}

/// The instant vector that an expression was at a time in milliseconds since the Unix epoch.
///
/// # Errors
/// When Prometheus does not answer, or does not take the expression.
pub fn query_at(prometheus: SocketAddr, expression: &str, time: i64) -> anyhow::Result<Vector> {
    vector(prometheus, &instant(expression, time), expression)
}

/// All samples of the series that a range selector, such as `name[1h]`, selects at a time in milliseconds.
///
/// # Errors
/// When Prometheus does not answer, or does not take the selector.
pub fn samples(
    prometheus: SocketAddr,
    selector: &str,
    time: i64,
) -> anyhow::Result<BTreeMap<Labels, Series>> {
    let data: Data = get(prometheus, &instant(selector, time), selector)?;
    data.result.into_iter().map(|element| Ok((element.metric.clone(), series(element)?))).collect()
}

/// The exemplars of the selected series, in the hour around a time in milliseconds.
///
/// # Errors
/// When Prometheus does not answer, or does not take the selector.
pub fn exemplars(
    prometheus: SocketAddr,
    selector: &str,
    time: i64,
) -> anyhow::Result<Vec<(Labels, Vec<Exemplar>)>> {
    let (from, to) = (time / 1000 - 1800, time / 1000 + 1800);
    let target = format!("/api/v1/query_exemplars?query={}&start={from}&end={to}", encoded(selector));
    let found: Vec<Exemplified> = get(prometheus, &target, selector)?;
    Ok(found.into_iter().map(|series| (series.series_labels, series.exemplars)).collect())
}

/// The time of the newest sample, in milliseconds since the Unix epoch.
///
/// # Errors
/// When Prometheus does not answer.
pub fn newest(prometheus: SocketAddr) -> anyhow::Result<i64> {
    let database: Database = get(prometheus, "/api/v1/status/tsdb", "the state of its database")?;
    Ok(database.head_stats.max_time)
}

fn instant(expression: &str, time: i64) -> String {
    format!("/api/v1/query?query={}&time={}.{:03}", encoded(expression), time / 1000, time % 1000)
}

fn encoded(expression: &str) -> String {
    expression.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn vector(prometheus: SocketAddr, target: &str, expression: &str) -> anyhow::Result<Vector> {
    let data: Data = get(prometheus, target, expression)?;
    let value = |element: Element| {
        let (_, value) = element.value.with_context(|| format!("{expression} is no instant vector"))?;
        Ok((element.metric, value.parse()?))
    };
    data.result.into_iter().map(value).collect()
}

fn get<T: DeserializeOwned>(prometheus: SocketAddr, target: &str, what: &str) -> anyhow::Result<T> {
    let reply = exchange(prometheus, "GET", target, &[("host", "prometheus")], b"")
        .with_context(|| format!("Prometheus gave no answer to {what}"))?;
    ensure!(reply.status == 200, "{what}: {reply:?}");
    let envelope: Envelope<T> =
        serde_json::from_str(&reply.body).with_context(|| format!("{what}: {}", reply.body))?;
    Ok(envelope.data)
}

fn series(element: Element) -> anyhow::Result<Series> {
    let milliseconds = |seconds: f64| (seconds * 1000.0).round() as i64;
    let value = |(time, value): (f64, String)| Ok((milliseconds(time), value.parse()?));
    let histogram = |(time, raw): (f64, RawHistogram)| Ok((milliseconds(time), native(&raw)?));
    Ok(Series {
        values: element.values.into_iter().map(value).collect::<anyhow::Result<_>>()?,
        histograms: element.histograms.into_iter().map(histogram).collect::<anyhow::Result<_>>()?,
    })
}

fn native(raw: &RawHistogram) -> anyhow::Result<NativeHistogram> {
    let bucket = |(_, lower, upper, count): &(u8, String, String, String)| {
        Ok(Bucket { lower: lower.parse()?, upper: upper.parse()?, count: count.parse()? })
    };
    Ok(NativeHistogram {
        count: raw.count.parse()?,
        sum: raw.sum.parse()?,
        buckets: raw.buckets.iter().map(bucket).collect::<anyhow::Result<_>>()?,
    })
}
