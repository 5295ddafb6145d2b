//! The messages of remote write, 1.0 and 2.0, read by types that share nothing with Preamp's own.

use anyhow::{Context as _, ensure};
use prost::Message;

use super::{Bits, Canonical, Exemplar, Histogram, Label, Metadata, Sample, Series, Side};

pub fn read_v1(body: &[u8], into: &mut Canonical) -> anyhow::Result<()> {
    let request = WriteRequestV1::decode(uncompressed(body)?.as_slice())?;
    for series in request.timeseries {
        into.series.push(Series {
            labels: series.labels.into_iter().map(LabelV1::pair).collect(),
            samples: series.samples.into_iter().map(SampleMessage::sample).collect(),
            histograms: series.histograms.into_iter().map(HistogramMessage::histogram).collect(),
            exemplars: series.exemplars.into_iter().map(ExemplarV1::exemplar).collect(),
            metadata: None,
        });
    }
    into.metadata.extend(request.metadata.into_iter().map(|metadata| Metadata {
        name: metadata.metric_family_name,
        kind: metadata.kind,
        help: metadata.help,
        unit: metadata.unit,
    }));
    Ok(())
}

pub fn read_v2(body: &[u8], into: &mut Canonical) -> anyhow::Result<()> {
    let request = RequestV2::decode(uncompressed(body)?.as_slice())?;
    let symbols = Symbols(request.symbols);
    ensure!(symbols.0.first().is_some_and(String::is_empty), "the first symbol is not the empty text");
    for series in request.timeseries {
        let exemplars = series.exemplars.iter().map(|exemplar| {
            let labels = symbols.labels(&exemplar.labels_refs)?;
            Ok(Exemplar { labels, value: exemplar.value.into(), time: exemplar.timestamp })
        });
        let metadata = series.metadata.unwrap_or_default();
        into.series.push(Series {
            labels: symbols.labels(&series.labels_refs)?,
            samples: series.samples.into_iter().map(SampleMessage::sample).collect(),
            histograms: series.histograms.into_iter().map(HistogramMessage::histogram).collect(),
            exemplars: exemplars.collect::<anyhow::Result<_>>()?,
            metadata: Some(Metadata {
                name: String::new(),
                kind: metadata.kind,
                help: symbols.text(metadata.help_ref)?,
                unit: symbols.text(metadata.unit_ref)?,
            }),
        });
    }
    Ok(())
}

fn uncompressed(body: &[u8]) -> anyhow::Result<Vec<u8>> {
    snap::raw::Decoder::new().decompress_vec(body).context("the body is not in the snappy block format")
}

struct Symbols(Vec<String>);

impl Symbols {
    fn text(&self, reference: u32) -> anyhow::Result<String> {
        let text = self.0.get(reference as usize);
        text.cloned().with_context(|| format!("symbol {reference} of {}", self.0.len()))
    }

    fn labels(&self, references: &[u32]) -> anyhow::Result<Vec<Label>> {
        let (pairs, rest) = references.as_chunks::<2>();
        ensure!(rest.is_empty(), "an odd number of label references");
        pairs.iter().map(|[name, value]| Ok((self.text(*name)?, self.text(*value)?))).collect()
    }
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequestV1 {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeriesV1>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<MetadataV1>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeriesV1 {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelV1>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<SampleMessage>,
    #[prost(message, repeated, tag = "3")]
    exemplars: Vec<ExemplarV1>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<HistogramMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelV1 {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

impl LabelV1 {
    fn pair(self) -> Label {
        (self.name, self.value)
    }
}

#[derive(Clone, PartialEq, Message)]
struct ExemplarV1 {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelV1>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    timestamp: i64,
}

impl ExemplarV1 {
    fn exemplar(self) -> Exemplar {
        let labels = self.labels.into_iter().map(LabelV1::pair).collect();
        Exemplar { labels, value: self.value.into(), time: self.timestamp }
    }
}

#[derive(Clone, PartialEq, Message)]
struct MetadataV1 {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    metric_family_name: String,
    #[prost(string, tag = "4")]
    help: String,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct RequestV2 {
    #[prost(string, repeated, tag = "4")]
    symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    timeseries: Vec<TimeSeriesV2>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeriesV2 {
    #[prost(uint32, repeated, tag = "1")]
    labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<SampleMessage>,
    #[prost(message, repeated, tag = "3")]
    histograms: Vec<HistogramMessage>,
    #[prost(message, repeated, tag = "4")]
    exemplars: Vec<ExemplarV2>,
    #[prost(message, optional, tag = "5")]
    metadata: Option<MetadataV2>,
}

#[derive(Clone, PartialEq, Message)]
struct ExemplarV2 {
    #[prost(uint32, repeated, tag = "1")]
    labels_refs: Vec<u32>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(int64, tag = "3")]
    timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct MetadataV2 {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(uint32, tag = "3")]
    help_ref: u32,
    #[prost(uint32, tag = "4")]
    unit_ref: u32,
}

/// `Sample` of either protocol; 1.0 has no start.
#[derive(Clone, Copy, PartialEq, Message)]
struct SampleMessage {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
    #[prost(int64, tag = "3")]
    start_timestamp: i64,
}

impl SampleMessage {
    fn sample(self) -> Sample {
        Sample { time: self.timestamp, value: self.value.into(), start: self.start_timestamp }
    }
}

/// `Histogram` of either protocol; 1.0 has no start. Counts of floating point are not read: a
/// histogram that had any would show counts of zero.
#[derive(Clone, PartialEq, Message)]
struct HistogramMessage {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(uint64, tag = "6")]
    zero_count: u64,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<SpanMessage>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<SpanMessage>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(int32, tag = "14")]
    reset_hint: i32,
    #[prost(int64, tag = "15")]
    timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    custom_values: Vec<f64>,
    #[prost(int64, tag = "17")]
    start_timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct SpanMessage {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

impl HistogramMessage {
    fn histogram(self) -> Histogram {
        Histogram {
            time: self.timestamp,
            schema: self.schema,
            count: self.count,
            sum: self.sum.into(),
            zero_threshold: self.zero_threshold.into(),
            zero_count: self.zero_count,
            positive: side(&self.positive_spans, self.positive_deltas),
            negative: side(&self.negative_spans, self.negative_deltas),
            custom_values: self.custom_values.into_iter().map(Bits::from).collect(),
            reset_hint: self.reset_hint.into(),
            start: self.start_timestamp,
        }
    }
}

fn side(spans: &[SpanMessage], deltas: Vec<i64>) -> Side {
    Side { spans: spans.iter().map(|span| (span.offset, span.length)).collect(), deltas }
}
