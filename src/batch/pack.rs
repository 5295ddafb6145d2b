//! Packs an encoded request into a batch: compress, digest, count.

use crate::remote_write::frames::Frame;
use crate::translate::exemplar::Exemplars;
use preamp_contract::{Batch, Protocol};
use sha2::{Digest, Sha256};

/// What a request holds, besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// OTLP points.
    pub points: u32,
    /// Time series entries.
    pub series: u32,
    /// Samples.
    pub samples: u32,
    /// Native histograms.
    pub histograms: u32,
    /// Exemplars.
    pub exemplars: u32,
    /// The oldest sample or histogram.
    pub first: i64,
    /// The newest sample or histogram.
    pub last: i64,
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            points: 0,
            series: 0,
            samples: 0,
            histograms: 0,
            exemplars: 0,
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

impl Counts {
    /// Counts one series with what it holds at one time; its sample or histogram is counted by the
    /// caller.
    #[inline]
    pub fn add_series(&mut self, time: i64, exemplars: &Exemplars) {
        self.series += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        if !exemplars.is_empty() {
            self.exemplars += exemplars.iter().count() as u32;
        }
    }

    /// What a batch holds.
    pub fn of(batch: &Batch) -> Counts {
        Counts {
            points: batch.points,
            series: batch.series,
            samples: batch.samples,
            histograms: batch.histograms,
            exemplars: batch.exemplars,
            first: batch.first,
            last: batch.last,
        }
    }

    /// What a series holds; it stands for no point.
    pub fn of_series(frame: &Frame) -> Counts {
        Counts {
            points: 0,
            series: 1,
            samples: frame.samples,
            histograms: frame.histograms,
            exemplars: frame.exemplars,
            first: frame.first,
            last: frame.last,
        }
    }

    /// Adds what another part of the request holds.
    pub fn add(&mut self, other: &Counts) {
        self.points = self.points.saturating_add(other.points);
        self.series = self.series.saturating_add(other.series);
        self.samples = self.samples.saturating_add(other.samples);
        self.histograms = self.histograms.saturating_add(other.histograms);
        self.exemplars = self.exemplars.saturating_add(other.exemplars);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Compresses and digests requests, reusing its memory.
pub struct Packer {
    digest: bool,
    encoder: snap::raw::Encoder,
    compressed: Vec<u8>,
    request: Vec<u8>,
}

impl Packer {
    /// A packer without memory yet. `digest` says whether its batches carry one.
    pub fn new(digest: bool) -> Packer {
        Packer { digest, encoder: snap::raw::Encoder::new(), compressed: Vec::new(), request: Vec::new() }
    }

    /// Makes a batch of an encoded request, given as its symbols, if there are any, and the rest.
    pub fn pack(
        &mut self,
        [symbols, rest]: [&[u8]; 2],
        protocol: Protocol,
        partition: u32,
        counts: Counts,
    ) -> Batch {
        self.request.clear();
        let request = if symbols.is_empty() {
            rest
        } else {
            self.request.extend_from_slice(symbols);
            self.request.extend_from_slice(rest);
            &self.request
        };
        let room = snap::raw::max_compress_len(request.len());
        if self.compressed.len() < room {
            self.compressed.resize(room, 0);
        }
        // The size limits of the configuration exclude the one error, the lines above the other.
        let size = self
            .encoder
            .compress(request, &mut self.compressed)
            .expect("a request is under 4 GiB and its compressed form has room");
        let body =
            Body { bytes: self.compressed[..size].to_vec(), uncompressed: request.len() as u32, protocol };
        self.batch(body, partition, counts)
    }

    /// Makes a batch of a compressed body.
    pub fn batch(&self, body: Body, partition: u32, counts: Counts) -> Batch {
        Batch {
            digest: self.digest.then(|| Sha256::digest(&body.bytes).into()),
            body: body.bytes,
            partition,
            points: counts.points,
            series: counts.series,
            samples: counts.samples,
            histograms: counts.histograms,
            exemplars: counts.exemplars,
            first: counts.first,
            last: counts.last,
            uncompressed_size: body.uncompressed,
            protocol: body.protocol,
        }
    }
}

/// The body of a batch.
pub struct Body {
    /// A snappy block.
    pub bytes: Vec<u8>,
    /// The size of what is in it.
    pub uncompressed: u32,
    /// What it is written in.
    pub protocol: Protocol,
}
