//! Collects the series of a payload into batches: one buffer for each partition, cut at points.

use super::encoder::{Encoder, pieces};
use super::pack::{Counts, Packer};
use crate::config::Config;
use crate::remote_write::buffer::Buffer;
use crate::remote_write::v2::Head;
use crate::translate::exemplar::Exemplars;
use crate::translate::identity;
use crate::translate::labels::{Label, PointLabels};
use crate::translate::sink::{Metadata, NativeHistogram, Sample, Sink};
use preamp_contract::{Batch, Instant, NANOS_PER_MILLI};

/// The sink that makes batches. Between payloads it holds only empty buffers.
pub struct Assembler {
    limit: usize,
    partitions: Vec<Partition>,
    packer: Packer,
    batches: Vec<Batch>,
    encoder: Encoder,
    /// The point being written: its partition, where it begins, what it holds, and whether a part of it
    /// is in batches already.
    current: usize,
    start: RequestOffset,
    counts: Counts,
    is_cut: bool,
    now: Instant,
}

/// A place in the request of a partition: how many bytes of series and of symbols stand before it.
#[derive(Clone, Copy, Default)]
struct RequestOffset {
    series: usize,
    symbols: usize,
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
            encoder: Encoder::new(config),
            current: 0,
            start: RequestOffset::default(),
            counts: Counts::default(),
            is_cut: false,
            now: 0,
        }
    }

    /// Begins a payload.
    pub fn begin(&mut self, now: Instant) {
        self.now = now;
        self.encoder.begin_payload(now / NANOS_PER_MILLI);
    }

    /// Ends the payload: what is left becomes the last batch of each partition.
    pub fn finish(&mut self) -> Vec<Batch> {
        for index in 0..self.partitions.len() {
            self.flush(index, self.end_of(index));
        }
        std::mem::take(&mut self.batches)
    }

    /// Forgets the payload.
    pub fn discard(&mut self) {
        self.encoder.discard_payload();
        self.batches.clear();
        for partition in &mut self.partitions {
            partition.clear();
        }
    }

    /// Where the request of a partition ends.
    #[inline]
    fn end_of(&self, index: usize) -> RequestOffset {
        RequestOffset {
            series: self.partitions[index].buffer.len(),
            symbols: self.encoder.symbols(index).len(),
        }
    }

    #[inline]
    fn is_over_limit(&self, index: usize) -> bool {
        let end = self.end_of(index);
        end.series + end.symbols > self.limit
    }

    /// Makes a batch of all points before `end`, which must be where a point begins or ends, and
    /// keeps what is behind it. The counts of what is kept are added by the caller.
    fn flush(&mut self, index: usize, end: RequestOffset) {
        let partition = &mut self.partitions[index];
        if end.series == 0 {
            return;
        }
        let series = &partition.buffer.as_slice()[..end.series];
        let symbols = &self.encoder.symbols(index)[..end.symbols];
        let protocol = self.encoder.protocol();
        let batch = if partition.out_of_order {
            let sorted = in_order_of_time(series, &partition.points);
            self.packer.pack([symbols, &sorted], protocol, index as u32, partition.counts)
        } else {
            self.packer.pack([symbols, series], protocol, index as u32, partition.counts)
        };
        self.batches.push(batch);
        partition.buffer.drop_front(end.series);
        partition.counts = Counts::default();
        partition.points.clear();
        partition.out_of_order = false;
        self.encoder.restart(index, &mut partition.buffer);
    }

    /// Cuts the point at hand, which is larger than a whole batch, between its series.
    fn flush_in_pieces(&mut self) {
        let index = self.current;
        self.pieces().into_iter().for_each(|piece| self.push_piece(piece));
        let partition = &mut self.partitions[index];
        partition.clear();
        self.encoder.restart(index, &mut partition.buffer);
    }

    /// Does so before all of the point is written, so that a point takes no more memory than two batches,
    /// however many series it has. What may become fuller stays.
    #[cold]
    fn cut_point(&mut self) {
        let index = self.current;
        self.flush(index, self.start);
        self.start = RequestOffset::default();
        let mut pieces = self.pieces();
        let last = pieces.pop();
        pieces.into_iter().for_each(|piece| self.push_piece(piece));
        let buffer = &mut self.partitions[index].buffer;
        self.encoder.resume(index, buffer, last.as_ref().map_or(b"", |(request, _)| request));
        self.encoder.begin_point(index, buffer);
        self.is_cut = true;
    }

    fn pieces(&self) -> Vec<(Vec<u8>, Counts)> {
        let request = self.partitions[self.current].buffer.as_slice();
        pieces(self.encoder.symbols(self.current), request, self.encoder.protocol(), self.limit)
    }

    /// Makes a batch of a piece. The point counts in the first one.
    fn push_piece(&mut self, (request, mut counts): (Vec<u8>, Counts)) {
        counts.points = std::mem::take(&mut self.counts.points);
        let protocol = self.encoder.protocol();
        self.batches.push(self.packer.pack([b"", &request], protocol, self.current as u32, counts));
    }

    /// A series of the point at hand was written.
    #[inline]
    fn series_written(&mut self) {
        let size = self.partitions[self.current].buffer.len() - self.start.series;
        if size > self.limit && self.counts.series > 1 {
            self.cut_point();
        }
    }
}

impl Sink for Assembler {
    fn restart(&mut self) {
        self.discard();
        self.begin(self.now);
    }

    fn family(&mut self, metadata: Option<&Metadata>) {
        self.encoder.family(metadata);
    }

    #[inline]
    fn begin(&mut self, identity: u64, points: u32) {
        self.current = identity::partition(identity, self.partitions.len() as u32) as usize;
        self.start = self.end_of(self.current);
        self.encoder.begin_point(self.current, &mut self.partitions[self.current].buffer);
        self.counts = Counts { points, ..Counts::default() };
        self.is_cut = false;
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
        let head = Head { labels, name, extra, exemplars };
        self.encoder.series(self.current, &mut self.partitions[self.current].buffer, &head, sample);
        self.counts.samples += 1;
        self.counts.add_series(sample.time, &exemplars);
        self.series_written();
    }

    fn histogram(
        &mut self,
        labels: &PointLabels,
        name: &[u8],
        histogram: &NativeHistogram,
        exemplars: Exemplars,
    ) {
        let head = Head { labels, name, extra: None, exemplars };
        self.encoder.histogram(self.current, &mut self.partitions[self.current].buffer, &head, histogram);
        self.counts.histograms += 1;
        self.counts.add_series(histogram.time, &exemplars);
        self.series_written();
    }

    #[inline]
    fn end(&mut self) {
        if self.is_cut {
            return self.flush_in_pieces();
        }
        if self.is_over_limit(self.current) {
            self.flush(self.current, self.start);
            self.start = RequestOffset::default();
            if self.is_over_limit(self.current) {
                return self.flush_in_pieces();
            }
        }
        let partition = &mut self.partitions[self.current];
        let time = self.counts.last;
        partition.out_of_order |= partition.points.last().is_some_and(|point| time < point.time);
        partition.points.push(Mark { time, start: self.start.series });
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
