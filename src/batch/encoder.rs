//! The two protocols behind one face: what the assembler writes points with.

use super::pack::Counts;
use super::schedule::{MetadataKey, MetadataSchedule};
use crate::config::Config;
use crate::otlp::wire::{Fields, Malformed};
use crate::remote_write::buffer::Buffer;
use crate::remote_write::frames::{Frame, frames};
use crate::remote_write::message::{Series, series_field, symbols};
use crate::remote_write::rewrite::{Assembly, Rewriter};
use crate::remote_write::v2::{Family, Head};
use crate::remote_write::{v1, v2};
use crate::translate::sink::{Metadata, NativeHistogram, Sample};
use preamp_contract::Protocol;

/// Writes series into the buffers of partitions.
///
/// A choice at run time and no type parameter: the walk over the payload would be compiled twice.
pub enum Encoder {
    /// Remote write 1.0.
    V1(Box<V1>),
    /// Remote write 2.0.
    V2(Box<V2>),
}

/// What remote write 1.0 takes: series stand for themselves, and so does metadata.
pub struct V1 {
    writer: v1::SeriesWriter,
    schedule: MetadataSchedule,
    /// The metadata of the family at hand, encoded, and its key on the schedule, until the first point
    /// of the family is written.
    metadata: Buffer,
    due: Option<MetadataKey>,
}

/// What remote write 2.0 takes: a symbol table for each partition.
pub struct V2 {
    writers: Vec<v2::SeriesWriter>,
    family: Family,
    rewriter: Rewriter,
    /// The symbols of the request before, and the series that did not fit into it.
    symbols: Buffer,
    series: Buffer,
}

impl Encoder {
    /// An encoder for the protocol and the partitions of a configuration.
    pub fn new(config: &Config) -> Encoder {
        match config.protocol {
            Protocol::RemoteWriteV1 => Encoder::V1(Box::new(V1 {
                writer: v1::SeriesWriter::default(),
                schedule: MetadataSchedule::new(config.translation.metadata_interval_ms),
                metadata: Buffer::default(),
                due: None,
            })),
            Protocol::RemoteWriteV2 => Encoder::V2(Box::new(V2 {
                writers: (0..config.partitions).map(|_| v2::SeriesWriter::default()).collect(),
                family: Family::default(),
                rewriter: Rewriter::default(),
                symbols: Buffer::default(),
                series: Buffer::default(),
            })),
        }
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        match self {
            Encoder::V1(_) => Protocol::RemoteWriteV1,
            Encoder::V2(_) => Protocol::RemoteWriteV2,
        }
    }

    /// Begins a payload.
    pub fn begin_payload(&mut self, now_ms: u64) {
        if let Encoder::V1(v1) = self {
            v1.schedule.begin_payload(now_ms);
        }
    }

    /// Forgets the payload.
    pub fn discard_payload(&mut self) {
        match self {
            Encoder::V1(v1) => v1.schedule.undo_payload(),
            Encoder::V2(v2) => {
                for writer in &mut v2.writers {
                    writer.restart(&mut v2.symbols);
                }
            }
        }
    }

    /// A metric family begins.
    pub fn family(&mut self, metadata: Option<&Metadata>) {
        match self {
            Encoder::V1(v1) => {
                v1.metadata.clear();
                v1.due = metadata.and_then(|metadata| v1.schedule.due(metadata));
                if let (Some(metadata), Some(_)) = (metadata, v1.due) {
                    v1::push_metadata(&mut v1.metadata, metadata);
                }
            }
            Encoder::V2(v2) => v2.family.set(metadata),
        }
    }

    /// A point of a partition begins.
    #[inline]
    pub fn begin_point(&mut self, partition: usize, out: &mut Buffer) {
        match self {
            Encoder::V1(v1) => {
                if let Some(key) = v1.due.take() {
                    v1.schedule.mark_sent(key);
                    out.reserve(v1.metadata.len());
                    out.push_slice(v1.metadata.as_slice());
                }
                v1.writer.begin_point();
            }
            Encoder::V2(v2) => v2.writers[partition].begin_point(),
        }
    }

    /// Appends a series with a sample.
    #[inline]
    pub fn series(&mut self, partition: usize, out: &mut Buffer, head: &Head, sample: Sample) {
        match self {
            Encoder::V1(v1) => {
                v1.writer.series(out, head.labels, head.name, head.extra, sample, head.exemplars);
            }
            Encoder::V2(v2) => v2.writers[partition].series(out, &v2.family, head, sample),
        }
    }

    /// Appends a series with a native histogram.
    pub fn histogram(
        &mut self,
        partition: usize,
        out: &mut Buffer,
        head: &Head,
        histogram: &NativeHistogram,
    ) {
        match self {
            Encoder::V1(v1) => {
                v1.writer.histogram(out, head.labels, head.name, histogram, head.exemplars);
            }
            Encoder::V2(v2) => v2.writers[partition].histogram(out, &v2.family, head, histogram),
        }
    }

    /// What stands in a partition's request before its series.
    #[inline]
    pub fn symbols(&self, partition: usize) -> &[u8] {
        match self {
            Encoder::V1(_) => b"",
            Encoder::V2(v2) => v2.writers[partition].symbols().as_slice(),
        }
    }

    /// Begins the next request of a partition with the series in `out`, which were left over by the
    /// one before.
    pub fn restart(&mut self, partition: usize, out: &mut Buffer) {
        if let Encoder::V2(v2) = self {
            // The series were written a moment ago, so they are well formed.
            let _well_formed = v2.restart(partition, out);
        }
    }

    /// Begins the next request of a partition with what is in `request`, one of [`pieces`].
    pub fn resume(&mut self, partition: usize, out: &mut Buffer, request: &[u8]) {
        out.clear();
        match self {
            Encoder::V1(_) => {
                out.reserve(request.len());
                out.push_slice(request);
            }
            Encoder::V2(v2) => {
                let table = v2.writers[partition].restart(&mut v2.symbols);
                // It was written a moment ago, so it is well formed.
                let _well_formed = rewrite(request, request, &mut v2.rewriter, table, out);
            }
        }
    }
}

impl V2 {
    fn restart(&mut self, partition: usize, out: &mut Buffer) -> Result<(), Malformed> {
        let table = self.writers[partition].restart(&mut self.symbols);
        if out.is_empty() {
            return Ok(());
        }
        std::mem::swap(out, &mut self.series);
        out.clear();
        let (symbols, series) = (self.symbols.as_slice(), self.series.as_slice());
        rewrite(symbols, series, &mut self.rewriter, table, out)
    }
}

/// Writes series with the symbols of a table in place of those they had.
fn rewrite(
    encoded_symbols: &[u8],
    request: &[u8],
    rewriter: &mut Rewriter,
    table: &mut v2::Symbols,
    out: &mut Buffer,
) -> Result<(), Malformed> {
    let texts = symbols(encoded_symbols, Protocol::RemoteWriteV2)?;
    let mut series = Series::default();
    let mut fields = Fields::of(request);
    while let Some(field) = fields.next_shared()? {
        if field.number == series_field(Protocol::RemoteWriteV2) {
            series.read(field.bytes()?, Protocol::RemoteWriteV2, &texts)?;
            rewriter.push_v2(out, table, &series);
        }
    }
    Ok(())
}

/// Cuts a request between its series into such as fit the limit; a series larger than that is one
/// alone.
pub fn pieces(symbols: &[u8], request: &[u8], protocol: Protocol, limit: usize) -> Vec<(Vec<u8>, Counts)> {
    // The request was written a moment ago, so it is well formed.
    let frames = frames(request, protocol).unwrap_or_default();
    match protocol {
        Protocol::RemoteWriteV1 => pieces_v1(request, &frames, limit),
        Protocol::RemoteWriteV2 => pieces_v2(symbols, request, &frames, limit).unwrap_or_default(),
    }
}

fn pieces_v1(request: &[u8], frames: &[Frame], limit: usize) -> Vec<(Vec<u8>, Counts)> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    let mut counts = Counts::default();
    for frame in frames {
        if frame.range.start > begin && frame.range.end - begin > limit {
            pieces.push((request[begin..frame.range.start].to_vec(), std::mem::take(&mut counts)));
            begin = frame.range.start;
        }
        counts.add(&Counts::of_series(frame));
    }
    pieces.push((request[begin..].to_vec(), counts));
    pieces
}

fn pieces_v2(
    encoded_symbols: &[u8],
    request: &[u8],
    frames: &[Frame],
    limit: usize,
) -> Result<Vec<(Vec<u8>, Counts)>, Malformed> {
    let texts = symbols(encoded_symbols, Protocol::RemoteWriteV2)?;
    let mut pieces = Vec::new();
    let mut assembly = Assembly::default();
    let mut counts = Counts::default();
    let mut series = Series::default();
    for frame in frames {
        let mut field = Fields::of(&request[frame.series.clone()]);
        let Some(field) = field.next_shared()? else { continue };
        series.read(field.bytes()?, Protocol::RemoteWriteV2, &texts)?;
        let mark = assembly.mark();
        assembly.push(&series);
        if assembly.size() > limit && counts.series > 0 {
            pieces.push((assembly.request(mark), std::mem::take(&mut counts)));
            assembly.clear();
            assembly.push(&series);
        }
        counts.add(&Counts::of_series(frame));
    }
    pieces.push((assembly.request(assembly.mark()), counts));
    Ok(pieces)
}
