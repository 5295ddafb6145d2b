//! Batches that can be told apart.

use preamp_contract::{Batch, Protocol};
use sha2::{Digest, Sha256};

/// A batch of a partition that is known by its number, and has a body of so many bytes, at least eight.
#[must_use]
pub fn batch(partition: u32, number: u64, bytes: usize) -> Batch {
    let mut random = fastrand::Rng::with_seed(number);
    let mut body = number.to_le_bytes().to_vec();
    body.extend(std::iter::repeat_with(|| random.u8(..)).take(bytes.saturating_sub(8)));
    Batch {
        digest: Some(Sha256::digest(&body).into()),
        body,
        partition,
        points: (number % 7) as u32 + 1,
        series: (number % 5) as u32 + 1,
        samples: (number % 11) as u32 + 1,
        histograms: 0,
        exemplars: 0,
        first: -3,
        last: number as i64,
        uncompressed_size: bytes as u32,
        protocol: if number.is_multiple_of(2) { Protocol::RemoteWriteV1 } else { Protocol::RemoteWriteV2 },
    }
}

/// The number of a batch, if it is as it was made.
#[must_use]
pub fn number_of(found: &Batch) -> Option<u64> {
    let number = u64::from_le_bytes(*found.body.first_chunk()?);
    let made = batch(found.partition, number, found.body.len());
    let is_same = made.body == found.body
        && made.digest == found.digest
        && (made.points, made.series, made.samples) == (found.points, found.series, found.samples)
        && (made.first, made.last) == (found.first, found.last)
        && made.protocol == found.protocol;
    is_same.then_some(number)
}
