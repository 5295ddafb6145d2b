//! From the bytes of a request to its series: headers, size, snappy, protobuf, and the rules for label sets.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use prost::Message;

use crate::answer::Answer;
use crate::histogram::KeptHistogram;
use crate::message::{Histogram, Label, TimeSeries, WriteRequest};
use crate::options::Limits;
use crate::store::{Labels, notation};

/// A readable body.
pub(crate) struct Decoded {
    pub(crate) request: WriteRequest,
    pub(crate) uncompressed_bytes: usize,
}

/// What a remote write 2.0 request says of itself in its media type.
const VERSION_2: &str = "io.prometheus.write.v2.Request";

/// Reads a body, or fails with the answer to give. Headers are checked strictly by the remote-write specification,
/// which AMP itself may not do: a sender must not rely on leniency.
pub(crate) fn decode(
    headers: &HeaderMap,
    body: &Bytes,
    limits: &Limits,
    version_2: StatusCode,
) -> Result<Decoded, Answer> {
    check_headers(headers, version_2)?;
    let unreadable = |what: &str| Answer::refused(format!("cannot read the request: {what}"));
    let length = snap::raw::decompress_len(body).map_err(|error| unreadable(&error.to_string()))?;
    if length >= limits.body_bytes {
        return Err(Answer::too_large());
    }
    let raw =
        snap::raw::Decoder::new().decompress_vec(body).map_err(|error| unreadable(&error.to_string()))?;
    let request = WriteRequest::decode(raw.as_slice()).map_err(|error| unreadable(&error.to_string()))?;
    if request.timeseries.is_empty() && request.metadata.is_empty() && !raw.is_empty() {
        return Err(unreadable("not a remote-write 1.0 message"));
    }
    Ok(Decoded { request, uncompressed_bytes: raw.len() })
}

fn check_headers(headers: &HeaderMap, version_2: StatusCode) -> Result<(), Answer> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wanted = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    for (name, expected) in wanted {
        if value(name) != expected {
            let status =
                if value("content-type").contains(VERSION_2) { version_2 } else { StatusCode::BAD_REQUEST };
            let sent = value(name);
            let text =
                format!("only remote write 1.0 is supported: {name} must be {expected:?}, not {sent:?}");
            return Err(Answer::text(status, text));
        }
    }
    match value("user-agent") {
        "" => Err(Answer::refused("remote write 1.0 requires a user-agent")),
        _ => Ok(()),
    }
}

/// A refusal of a whole series: reason and text.
pub(crate) type SeriesRefusal = (&'static str, String);

/// A series that a distributor would let pass.
pub(crate) struct Passed<'a> {
    pub(crate) labels: Labels,
    pub(crate) series: &'a TimeSeries,
    pub(crate) histograms: Vec<KeptHistogram>,
}

impl Passed<'_> {
    /// How many samples it has, native histograms included.
    pub(crate) fn samples(&self) -> usize {
        self.series.samples.len() + self.histograms.len()
    }
}

/// A series as a distributor would let it pass. `oldest` is the least time a sample may have, in
/// milliseconds; one that is older takes its series with it, but no other.
pub(crate) fn check_series<'a>(
    series: &'a TimeSeries,
    limits: &Limits,
    oldest: i64,
) -> Result<Passed<'a>, SeriesRefusal> {
    let labels: Labels =
        series.labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect();
    let refuse = |reason, what: &str| Err((reason, format!("{what}; series {}", notation(&labels))));
    if labels.len() > limits.labels {
        return refuse("max_label_names_per_series", "series has too many labels");
    }
    if !labels.iter().any(|(name, value)| name == "__name__" && is_name(value, ":")) {
        return refuse("missing_metric_name", "sample missing or invalid metric name");
    }
    if let Some(label) = series.labels.iter().find(|label| !is_label(label)) {
        return refuse("label_invalid", &format!("sample invalid label: {:?}", label.name));
    }
    for pair in labels.windows(2) {
        match pair[0].0.cmp(&pair[1].0) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return refuse("duplicate_label_names", "duplicate label name"),
            std::cmp::Ordering::Greater => return refuse("labels_not_sorted", "labels not sorted"),
        }
    }
    let of_samples = series.samples.iter().map(|sample| sample.timestamp);
    let of_histograms = series.histograms.iter().map(|histogram| histogram.timestamp);
    if !of_samples.clone().is_sorted() || !of_histograms.clone().is_sorted() {
        return refuse("samples_not_sorted", "samples of a series must be in order of time");
    }
    if let Some(time) = of_samples.chain(of_histograms).find(|time| *time < oldest) {
        let what = format!("timestamp too old: {time} (greater_than_max_sample_age)");
        return refuse("greater_than_max_sample_age", &what);
    }
    match series.histograms.iter().map(Histogram::judge).collect() {
        Ok(histograms) => Ok(Passed { labels, series, histograms }),
        Err((reason, text)) => refuse(reason, &text),
    }
}

fn is_label(label: &Label) -> bool {
    is_name(&label.name, "") && !label.value.is_empty()
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, and the other characters allowed (Prometheus data model).
fn is_name(name: &str, also: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    name.chars().all(legal) && name.starts_with(|c: char| !c.is_ascii_digit())
}
