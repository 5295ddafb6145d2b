//! The messages of remote write 2.0 as the specification has them, and what a batch of them must be.

use crate::otlp::wire::Fields;
use preamp_contract::{Batch, Protocol};
use prost::Message;
use std::collections::BTreeSet;

/// `io.prometheus.write.v2.Request` (remote-write specification 2.0).
#[derive(Clone, PartialEq, Message)]
pub struct Request {
    #[prost(string, repeated, tag = "4")]
    pub symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    pub timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub histograms: Vec<NativeHistogram>,
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<LabelledValue>,
    #[prost(message, optional, tag = "5")]
    pub metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Sample {
    #[prost(double, tag = "1")]
    pub value: f64,
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
    #[prost(int64, tag = "3")]
    pub start_timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct NativeHistogram {
    #[prost(uint64, tag = "1")]
    pub count_int: u64,
    #[prost(double, tag = "3")]
    pub sum: f64,
    #[prost(sint64, repeated, tag = "12")]
    pub positive_deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
    #[prost(int64, tag = "17")]
    pub start_timestamp: i64,
}

/// `Exemplar`.
#[derive(Clone, PartialEq, Message)]
pub struct LabelledValue {
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    #[prost(double, tag = "2")]
    pub value: f64,
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Metadata {
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(uint32, tag = "3")]
    pub help_ref: u32,
    #[prost(uint32, tag = "4")]
    pub unit_ref: u32,
}

impl Request {
    pub fn of(batch: &Batch) -> Request {
        let body = snap::raw::Decoder::new().decompress_vec(&batch.body).unwrap();
        assert_eq!(body.len() as u32, batch.uncompressed_size);
        assert_eq!(batch.protocol, Protocol::RemoteWriteV2);
        // Symbols come first: some receivers read a request in one pass.
        let mut fields = Fields::of(&body);
        let numbers = std::iter::from_fn(|| fields.next_field().unwrap()).map(|field| field.number);
        assert!(numbers.is_sorted());
        Request::decode(body.as_slice()).unwrap()
    }

    pub fn text(&self, reference: u32) -> &str {
        &self.symbols[reference as usize]
    }

    pub fn labels(&self, references: &[u32]) -> Vec<(&str, &str)> {
        references.chunks(2).map(|pair| (self.text(pair[0]), self.text(pair[1]))).collect()
    }
}

/// What stands in a batch is what it says, and no more symbols than are needed.
pub fn check(batch: &Batch) {
    let request = Request::of(batch);
    let count = |of: fn(&TimeSeries) -> usize| request.timeseries.iter().map(of).sum::<usize>() as u32;
    assert_eq!(batch.series as usize, request.timeseries.len());
    assert_eq!(batch.samples, count(|series| series.samples.len()));
    assert_eq!(batch.histograms, count(|series| series.histograms.len()));
    assert_eq!(batch.exemplars, count(|series| series.exemplars.len()));
    let times = request.timeseries.iter().flat_map(|series| {
        let samples = series.samples.iter().map(|sample| sample.timestamp);
        samples.chain(series.histograms.iter().map(|histogram| histogram.timestamp)).collect::<Vec<_>>()
    });
    let times: Vec<i64> = times.collect();
    assert_eq!((times.iter().min(), times.iter().max()), (Some(&batch.first), Some(&batch.last)));

    let mut used = BTreeSet::from([0]);
    for series in &request.timeseries {
        assert_ne!(series.samples.is_empty(), series.histograms.is_empty());
        used.extend(&series.labels_refs);
        series.exemplars.iter().for_each(|exemplar| used.extend(&exemplar.labels_refs));
        series.metadata.iter().for_each(|metadata| used.extend([metadata.help_ref, metadata.unit_ref]));
        assert!(request.labels(&series.labels_refs).is_sorted_by(|a, b| a.0 < b.0), "{series:?}");
    }
    assert_eq!(request.symbols[0], "");
    assert_eq!(used.len(), request.symbols.len(), "symbols that nothing refers to");
    assert_eq!(
        request.symbols.iter().collect::<BTreeSet<_>>().len(),
        request.symbols.len(),
        "a symbol twice"
    );
}
