//! Collects the series of a payload into batches: one buffer for each partition, cut at points.

use super::pack::{Counts, Packer};
use super::schedule::MetadataSchedule;
use crate::config::Config;
use crate::remote_write::buffer::Buffer;
use crate::remote_write::frames::{Frame, frames};
use crate::remote_write::v1::{SeriesWriter, push_metadata};
use crate::translate::exemplar::Exemplars;
use crate::translate::identity;
use crate::translate::labels::{Label, PointLabels};
use crate::translate::sink::{Metadata, NativeHistogram, Sample, Sink};
use crate::types::{Batch, Instant};

/// The sink that makes batches. Between payloads it holds only empty buffers.
pub struct Assembler {
    limit: usize,
    partitions: Vec<Partition>,
    packer: Packer,
    batches: Vec<Batch>,
    /// The point being written: its partition, where it begins, what it holds.
    current: usize,
    start: usize,
    writer: SeriesWriter,
    counts: Counts,
    schedule: MetadataSchedule,
    /// The encoded metadata of the family at hand, until its first point is written.
    metadata: Buffer,
}

/// What waits for its batch to fill up.
#[derive(Default)]
struct Partition {
    buffer: Buffer,
    counts: Counts,
    /// Where each point begins, and its time.
    points: Vec<Mark>,
    /// Whether a point is older than one before it.
    out_of_order: bool,
}

#[derive(Clone, Copy)]
struct Mark {
    time: i64,
    start: usize,
}

impl Assembler {
    /// An assembler for a configuration's partitions and limits.
    pub fn new(config: &Config) -> Assembler {
        Assembler {
            limit: config.max_batch_size_bytes,
            partitions: (0..config.partitions).map(|_| Partition::default()).collect(),
            packer: Packer::new(config.digest),
            batches: Vec::new(),
            current: 0,
            start: 0,
            writer: SeriesWriter::default(),
            counts: Counts::default(),
            schedule: MetadataSchedule::new(config.translation.metadata_interval_ms),
            metadata: Buffer::default(),
        }
    }

    /// Begins a payload.
    pub fn begin(&mut self, now: Instant) {
        self.schedule.begin_payload(now / 1_000_000);
    }

    /// Ends the payload: what is left becomes the last batch of each partition.
    pub fn finish(&mut self) -> Vec<Batch> {
        for index in 0..self.partitions.len() {
            let end = self.partitions[index].buffer.len();
            self.flush(index, end);
        }
        std::mem::take(&mut self.batches)
    }

    /// Forgets the payload.
    pub fn discard(&mut self) {
        self.schedule.undo_payload();
        self.batches.clear();
        for partition in &mut self.partitions {
            partition.clear();
        }
    }

    /// Makes a batch of all points before `end`, which must be where a point begins or ends, and
    /// keeps what is behind it. The counts of what is kept are added by the caller.
    fn flush(&mut self, index: usize, end: usize) {
        let partition = &mut self.partitions[index];
        if end == 0 {
            return;
        }
        let request = &partition.buffer.as_slice()[..end];
        let batch = if partition.out_of_order {
            let sorted = in_order_of_time(request, &partition.points);
            self.packer.pack(&sorted, index as u32, partition.counts)
        } else {
            self.packer.pack(request, index as u32, partition.counts)
        };
        self.batches.push(batch);
        partition.buffer.drop_front(end);
        partition.counts = Counts::default();
        partition.points.clear();
        partition.out_of_order = false;
    }

    /// Cuts a point that is larger than a whole batch between its series.
    fn flush_in_pieces(&mut self, index: usize, mut counts: Counts) {
        let request = std::mem::take(&mut self.partitions[index].buffer);
        // The request was written a moment ago, so it is well formed.
        for run in runs(&frames(request.as_slice()).unwrap_or_default(), self.limit) {
            let piece = Counts {
                points: std::mem::take(&mut counts.points),
                series: run.len() as u32,
                samples: run.iter().map(|frame| frame.samples).sum(),
                ..counts
            };
            let bytes = &request.as_slice()[run[0].range.start..run[run.len() - 1].range.end];
            self.batches.push(self.packer.pack(bytes, index as u32, piece));
        }
        self.partitions[index].buffer = request;
        self.partitions[index].clear();
    }
}

impl Sink for Assembler {
    fn family(&mut self, metadata: Option<&Metadata>) {
        self.metadata.clear();
        if let Some(metadata) = metadata.filter(|metadata| self.schedule.take(metadata)) {
            push_metadata(&mut self.metadata, metadata);
        }
    }

    #[inline]
    fn begin(&mut self, identity: u64, points: u32) {
        self.current = identity::partition(identity, self.partitions.len() as u32) as usize;
        let buffer = &mut self.partitions[self.current].buffer;
        self.start = buffer.len();
        if !self.metadata.is_empty() {
            buffer.reserve(self.metadata.len());
            buffer.push_slice(self.metadata.as_slice());
            self.metadata.clear();
        }
        self.writer.begin_point();
        self.counts = Counts { points, ..Counts::default() };
    }

    #[inline]
    fn series(
        &mut self,
        labels: &PointLabels,
        name: &[u8],
        extra: Option<Label>,
        sample: Sample,
        exemplars: Exemplars,
    ) {
        let buffer = &mut self.partitions[self.current].buffer;
        self.writer.series(buffer, labels, name, extra, sample, exemplars);
        self.counts.add_series(sample.time);
    }

    fn histogram(
        &mut self,
        labels: &PointLabels,
        name: &[u8],
        histogram: &NativeHistogram,
        exemplars: Exemplars,
    ) {
        let buffer = &mut self.partitions[self.current].buffer;
        self.writer.histogram(buffer, labels, name, histogram, exemplars);
        self.counts.add_series(histogram.time);
    }

    #[inline]
    fn end(&mut self) {
        if self.partitions[self.current].buffer.len() > self.limit {
            self.flush(self.current, self.start);
            self.start = 0;
            if self.partitions[self.current].buffer.len() > self.limit {
                return self.flush_in_pieces(self.current, self.counts);
            }
        }
        let partition = &mut self.partitions[self.current];
        let time = self.counts.last;
        partition.out_of_order |= partition.points.last().is_some_and(|point| time < point.time);
        partition.points.push(Mark { time, start: self.start });
        partition.counts.add(&self.counts);
    }
}

impl Partition {
    fn clear(&mut self) {
        self.buffer.clear();
        self.counts = Counts::default();
        self.points.clear();
        self.out_of_order = false;
    }
}

/// The points of a request in the order of their times; points of equal time stay as they are. A
/// receiver takes the samples of a series in this order only.
fn in_order_of_time(request: &[u8], points: &[Mark]) -> Vec<u8> {
    let ends = points.iter().skip(1).map(|point| point.start).chain([request.len()]);
    let mut ranges: Vec<_> =
        points.iter().zip(ends).map(|(point, end)| (point.time, point.start..end)).collect();
    ranges.sort_by_key(|(time, _)| *time);
    let mut sorted = Vec::with_capacity(request.len());
    for (_, range) in ranges {
        sorted.extend_from_slice(&request[range]);
    }
    sorted
}

/// Divides series into runs that each fit the limit; a series larger than that is a run alone.
fn runs(frames: &[Frame], limit: usize) -> Vec<&[Frame]> {
    let mut runs = Vec::new();
    let mut begin = 0;
    for (index, frame) in frames.iter().enumerate() {
        if index > begin && frame.range.end - frames[begin].range.start > limit {
            runs.push(&frames[begin..index]);
            begin = index;
        }
    }
    if begin < frames.len() {
        runs.push(&frames[begin..]);
    }
    runs
}
