//! Batches of remote write 2.0 for receivers that take only 1.0.

use super::opened::Opened;
use super::pack::{Counts, Packer};
use crate::remote_write::buffer::Buffer;
use crate::remote_write::rewrite::Rewriter;
use crate::remote_write::v1::push_metadata;
use preamp_contract::{Batch, BatchError, Protocol};

/// Writes a batch of 2.0 as batches of 1.0 of at most `limit` bytes before compression, unless a
/// single series is larger. Only start times are lost, for which 1.0 has no place; the metadata of a
/// family stands before its series.
///
/// # Errors
///
/// A batch that is not of 2.0; a damaged body.
pub fn downgrade(batch: &Batch, limit: usize, packer: &mut Packer) -> Result<Vec<Batch>, BatchError> {
    if batch.protocol != Protocol::RemoteWriteV2 {
        return Err(BatchError::UnsupportedProtocol(batch.protocol));
    }
    let opened = Opened::new(batch)?;
    let mut downgrade = Downgrade {
        opened: &opened,
        packer,
        batches: Vec::new(),
        request: Buffer::default(),
        counts: Counts::default(),
        packed: 0,
    };
    let mut rewriter = Rewriter::default();
    let mut latest = None;
    opened.for_each(&opened.series, &mut |frame, series| {
        let start = downgrade.request.len();
        let family = series.family();
        if family != latest {
            family.iter().for_each(|family| push_metadata(&mut downgrade.request, family));
            latest = family;
        }
        rewriter.push_v1(&mut downgrade.request, series)?;
        if start > 0 && downgrade.request.len() > limit {
            downgrade.cut(start);
        }
        downgrade.counts.add(&Counts::of_series(frame));
        Ok(())
    })?;
    downgrade.cut(downgrade.request.len());
    Ok(downgrade.batches)
}

/// Batches of 1.0 in the making.
struct Downgrade<'a> {
    opened: &'a Opened<'a>,
    packer: &'a mut Packer,
    batches: Vec<Batch>,
    /// What is in no batch yet, and what it holds.
    request: Buffer,
    counts: Counts,
    /// How many series are in batches.
    packed: usize,
}

impl Downgrade<'_> {
    /// Makes a batch of the series counted, which end at `end`.
    fn cut(&mut self, end: usize) {
        if self.counts.series == 0 {
            return;
        }
        let before = self.opened.points_before(self.packed);
        self.packed += self.counts.series as usize;
        self.counts.points = self.opened.points_before(self.packed) - before;
        let bytes = &self.request.as_slice()[..end];
        let partition = self.opened.batch.partition;
        self.batches.push(self.packer.pack([b"", bytes], Protocol::RemoteWriteV1, partition, self.counts));
        self.request.drop_front(end);
        self.counts = Counts::default();
    }
}
