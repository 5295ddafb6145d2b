//! Packs an encoded request into a batch: compress, digest, count.

use crate::types::{Batch, Protocol};
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
    /// The oldest sample.
    pub first: i64,
    /// The newest sample.
    pub last: i64,
}

impl Default for Counts {
    fn default() -> Self {
        Counts { points: 0, series: 0, samples: 0, first: i64::MAX, last: i64::MIN }
    }
}

impl Counts {
    /// Counts one series with one sample.
    #[inline]
    pub fn add_series(&mut self, time: i64) {
        self.series += 1;
        self.samples += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    /// Adds what another part of the request holds.
    pub fn add(&mut self, other: &Counts) {
        self.points = self.points.saturating_add(other.points);
        self.series = self.series.saturating_add(other.series);
        self.samples = self.samples.saturating_add(other.samples);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Compresses and digests requests, reusing its memory.
pub struct Packer {
    digest: bool,
    encoder: snap::raw::Encoder,
    compressed: Vec<u8>,
}

impl Packer {
    /// A packer without memory yet. `digest` says whether its batches carry one.
    pub fn new(digest: bool) -> Packer {
        Packer { digest, encoder: snap::raw::Encoder::new(), compressed: Vec::new() }
    }

    /// Makes a batch of an encoded request.
    pub fn pack(&mut self, request: &[u8], partition: u32, counts: Counts) -> Batch {
        let room = snap::raw::max_compress_len(request.len());
        if self.compressed.len() < room {
            self.compressed.resize(room, 0);
        }
        // The size limits of the configuration exclude the one error, the lines above the other.
        let size = self
            .encoder
            .compress(request, &mut self.compressed)
            .expect("a request is under 4 GiB and its compressed form has room");
        batch(self.compressed[..size].to_vec(), request.len() as u32, partition, counts, self.digest)
    }
}

/// A batch of a compressed body, with its digest if that is wanted.
pub fn batch(body: Vec<u8>, uncompressed_size: u32, partition: u32, counts: Counts, digest: bool) -> Batch {
    Batch {
        digest: digest.then(|| Sha256::digest(&body).into()),
        body,
        partition,
        points: counts.points,
        series: counts.series,
        samples: counts.samples,
        first: counts.first,
        last: counts.last,
        uncompressed_size,
        protocol: Protocol::RemoteWriteV1,
    }
}
