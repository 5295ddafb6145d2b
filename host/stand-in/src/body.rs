//! From the bytes of a request to its series: headers, size, snappy, protobuf, and the rules for label sets.

use bytes::Bytes;
use http::HeaderMap;
use prost::Message;

use crate::answer::Answer;
use crate::message::{Label, TimeSeries, WriteRequest};
use crate::options::Limits;
use crate::store::{Labels, notation};

/// A readable body.
pub(crate) struct Decoded {
    pub(crate) request: WriteRequest,
    pub(crate) uncompressed_bytes: usize,
}

/// Reads a body, or fails with the answer to give. Headers are checked strictly by the remote-write specification,
/// which AMP itself may not do: a sender must not rely on leniency.
pub(crate) fn decode(headers: &HeaderMap, body: &Bytes, limits: &Limits) -> Result<Decoded, Answer> {
    check_headers(headers)?;
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

fn check_headers(headers: &HeaderMap) -> Result<(), Answer> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wanted = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    for (name, expected) in wanted {
        if value(name) != expected {
            return Err(Answer::refused(format!(
                "only remote write 1.0 is supported: {name} must be {expected:?}, not {:?}",
                value(name)
            )));
        }
    }
    match value("user-agent") {
        "" => Err(Answer::refused("remote write 1.0 requires a user-agent")),
        _ => Ok(()),
    }
}

/// A refusal of a whole series: reason and text.
pub(crate) type SeriesRefusal = (&'static str, String);

/// The label set of a series that a distributor would let pass. `oldest` is the least time a sample may have, in
/// milliseconds; one that is older takes its series with it, but no other.
pub(crate) fn check_series(
    series: &TimeSeries,
    limits: &Limits,
    oldest: i64,
) -> Result<Labels, SeriesRefusal> {
    let labels: Labels =
        series.labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect();
    let refuse = |reason, what: &str| Err((reason, format!("{what}; series {}", notation(&labels))));
    if !series.exemplars.is_empty() {
        return refuse("exemplars", "exemplars are not supported");
    }
    if !series.histograms.is_empty() {
        return refuse("native-histograms", "this stand-in does not judge native histograms");
    }
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
    if series.samples.windows(2).any(|pair| pair[0].timestamp > pair[1].timestamp) {
        return refuse("samples_not_sorted", "samples of a series must be in order of time");
    }
    if let Some(sample) = series.samples.iter().find(|sample| sample.timestamp < oldest) {
        let what = format!("timestamp too old: {} (greater_than_max_sample_age)", sample.timestamp);
        return refuse("greater_than_max_sample_age", &what);
    }
    Ok(labels)
}

fn is_label(label: &Label) -> bool {
    is_name(&label.name, "") && !label.value.is_empty()
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, and the other characters allowed (Prometheus data model).
fn is_name(name: &str, also: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    name.chars().all(legal) && name.starts_with(|c: char| !c.is_ascii_digit())
}
