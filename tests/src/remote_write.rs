//! Remote write 1.0 by hand: a sender that shares nothing with Preamp or the stand-in.

use amp_stand_in::{StandIn, WORKSPACE_PATH};
use prost::Message;

use crate::loopback::{Reply, exchange};

/// `prometheus.WriteRequest`.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Metadata>,
}

/// `prometheus.MetricMetadata`.
#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    /// The number of the type.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The name of the metric.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The description.
    #[prost(string, tag = "4")]
    pub help: String,
    /// The unit.
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// `prometheus.TimeSeries`.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<Exemplar>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Histogram>,
}

impl TimeSeries {
    /// The same series with a native histogram.
    #[must_use]
    pub fn with_histogram(mut self, histogram: &Histogram) -> Self {
        self.histograms.push(histogram.clone());
        self
    }

    /// The same series with an exemplar.
    #[must_use]
    pub fn with_exemplar(mut self) -> Self {
        self.exemplars.push(Exemplar { value: 1.0 });
        self
    }
}

/// `prometheus.Label`.
#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// `prometheus.Sample`.
#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// `prometheus.Exemplar`, as far as it is needed here.
#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(double, tag = "2")]
    value: f64,
}

/// `prometheus.Histogram`, as far as it is needed here.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    /// How many measurements.
    #[prost(uint64, tag = "1")]
    pub count: u64,
    /// Their sum.
    #[prost(double, tag = "3")]
    pub sum: f64,
    /// The resolution.
    #[prost(sint32, tag = "4")]
    pub schema: i32,
    /// How far the zero bucket goes.
    #[prost(double, tag = "5")]
    pub zero_threshold: f64,
    /// How many measurements are in it.
    #[prost(uint64, tag = "6")]
    pub zero_count: u64,
    /// Runs of buckets of positive values.
    #[prost(message, repeated, tag = "11")]
    pub positive_spans: Vec<Span>,
    /// How much more each bucket holds than the one before.
    #[prost(sint64, repeated, tag = "12")]
    pub positive_deltas: Vec<i64>,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
}

/// `prometheus.BucketSpan`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Span {
    /// How far it begins from the end of the one before.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// How many buckets.
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

/// A series of a metric, with samples of time in milliseconds and value.
#[must_use]
pub fn series(name: &str, samples: &[(i64, f64)]) -> TimeSeries {
    labelled(&[("__name__", name), ("job", "test")], samples)
}

/// A series of a label set, which need not be legal.
#[must_use]
pub fn labelled(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    let label = |&(name, value): &(&str, &str)| Label { name: name.to_owned(), value: value.to_owned() };
    TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: samples.iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
        exemplars: Vec::new(),
        histograms: Vec::new(),
    }
}

/// A message of series, not compressed.
#[must_use]
pub fn message(series: &[TimeSeries]) -> Vec<u8> {
    WriteRequest { timeseries: series.to_vec(), metadata: Vec::new() }.encode_to_vec()
}

/// Writes metadata, unsigned, and gives the answer, if any.
#[must_use]
pub fn describe(stand_in: &StandIn, metadata: &[Metadata]) -> Option<Reply> {
    let message = WriteRequest { timeseries: Vec::new(), metadata: metadata.to_vec() }.encode_to_vec();
    post(stand_in, "application/x-protobuf", &compressed(&message))
}

/// A message in the snappy block format.
///
/// # Panics
/// When the message is larger than 4 GiB.
#[must_use]
pub fn compressed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).expect("a message of less than 4 GiB")
}

/// Writes series, unsigned, and gives the answer, if any.
#[must_use]
pub fn write(stand_in: &StandIn, series: &[TimeSeries]) -> Option<Reply> {
    post(stand_in, "application/x-protobuf", &compressed(&message(series)))
}

/// Posts a body of any kind, and gives the answer, if any.
#[must_use]
pub fn post(stand_in: &StandIn, content_type: &str, body: &[u8]) -> Option<Reply> {
    let headers = [
        ("host", "localhost"),
        ("content-encoding", "snappy"),
        ("content-type", content_type),
        ("x-prometheus-remote-write-version", "0.1.0"),
        ("user-agent", "preamp-tests"),
    ];
    exchange(stand_in.address(), "POST", WORKSPACE_PATH, &headers, body)
}

/// A series as it was written: labels by name, and samples of time in milliseconds and value.
pub type Written = (Vec<(String, String)>, Vec<(i64, f64)>);

/// The series in a body that some sender wrote; `None` if it is not remote write 1.0.
#[must_use]
pub fn read(body: &[u8]) -> Option<Vec<Written>> {
    let message = snap::raw::Decoder::new().decompress_vec(body).ok()?;
    let series = WriteRequest::decode(message.as_slice()).ok()?.timeseries.into_iter();
    let written = series.map(|series| {
        let labels = series.labels.into_iter().map(|label| (label.name, label.value)).collect();
        let samples = series.samples.iter().map(|sample| (sample.timestamp, sample.value)).collect();
        (labels, samples)
    });
    Some(written.collect())
}
