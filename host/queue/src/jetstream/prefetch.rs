//! The prefetched batches of a partition: this process has read them and not acknowledged them.

use super::committed::CommittedOffset;
use crate::{PartitionStatistics, Window};
use preamp_contract::{Batch, PossiblyDelivered};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A batch, and its sequence number in the stream.
pub(super) struct Prefetched {
    pub sequence: u64,
    pub batch: Arc<Batch>,
    since: Instant,
}

/// The batches of one partition.
#[derive(Default)]
pub(super) struct PartitionBuffer {
    batches: VecDeque<Prefetched>,
    /// The first batches that another process may have sent: at most one request of them.
    possibly_delivered: Option<Window>,
    /// The first batches that this process may have sent.
    sent: PossiblyDelivered,
    /// Which lease of the partition the buffer is for: leases are counted.
    pub lease_epoch: u64,
    pub committed: CommittedOffset,
    /// The sequence number of the last message that was read.
    pub read_to: u64,
    /// Acknowledged points.
    acknowledged: u64,
}

impl PartitionBuffer {
    /// Starts to read behind a committed offset. Another process may have sent the batches of the window, which holds what
    /// one request holds.
    pub fn start(
        &mut self,
        lease_epoch: u64,
        committed: CommittedOffset,
        possibly_delivered: Option<Window>,
    ) {
        self.lease_epoch = lease_epoch;
        self.committed = committed;
        self.read_to = committed.sequence;
        self.possibly_delivered = possibly_delivered;
        self.sent = PossiblyDelivered::default();
    }

    /// The first batches that this process or another may have sent.
    pub fn possibly_delivered(&self) -> PossiblyDelivered {
        let by_another = self.possibly_delivered.map_or(0, |window| window.count(self.sizes()));
        PossiblyDelivered { batches: by_another, in_parts: PossiblyDelivered::IN_PARTS }.and(self.sent)
    }

    /// Whether the receiver may have something that is not acknowledged.
    pub fn is_in_doubt(&self) -> bool {
        self.possibly_delivered.is_some() || self.sent.batches > 0
    }

    /// Notes that this process sends some of the first batches, or `None` that nothing was sent.
    pub fn note_sent(&mut self, sent: Option<PossiblyDelivered>) {
        self.sent = sent.map(|sent| self.sent.and(sent)).unwrap_or_default();
    }

    /// Counts at most this many batches as possibly delivered: the messages in the stream when the first one was read. No
    /// other process has sent a later one.
    pub fn limit_possibly_delivered(&mut self, messages: u64) {
        if let Some(window) = &mut self.possibly_delivered {
            window.batches = window.batches.min(usize::try_from(messages).unwrap_or(usize::MAX));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub fn push(&mut self, sequence: u64, batch: Batch, waited: Duration) {
        let now = Instant::now();
        let since = now.checked_sub(waited).unwrap_or(now);
        self.batches.push_back(Prefetched { sequence, batch: Arc::new(batch), since });
    }

    pub fn first(&self, window: Window) -> Vec<Arc<Batch>> {
        let count = window.count(self.sizes());
        self.batches.iter().take(count).map(|prefetched| prefetched.batch.clone()).collect()
    }

    fn sizes(&self) -> impl Iterator<Item = u64> {
        self.batches.iter().map(|prefetched| prefetched.batch.body.len() as u64)
    }

    /// The part of a window that is not read yet; `None` if all of it is.
    pub fn missing(&self, window: Window) -> Option<Window> {
        let bytes = self.sizes().sum::<u64>();
        let batches = window.batches.saturating_sub(self.batches.len());
        let bytes = window.bytes.saturating_sub(bytes);
        (batches > 0 && bytes > 0).then_some(Window { batches, bytes })
    }

    /// The sequence number of the last of the first `count` batches.
    pub fn last_sequence(&self, count: usize) -> Option<u64> {
        self.batches.iter().take(count).next_back().map(|prefetched| prefetched.sequence)
    }

    /// Removes the batches up to a committed offset.
    pub fn acknowledge(&mut self, committed: CommittedOffset) {
        self.committed = committed;
        while let Some(first) = self.batches.pop_front_if(|first| first.sequence <= committed.sequence) {
            self.acknowledged += u64::from(first.batch.points);
            self.sent = self.sent.behind(1);
            if let Some(Window { batches, bytes }) = &mut self.possibly_delivered {
                *batches = batches.saturating_sub(1);
                *bytes = bytes.saturating_sub(first.batch.body.len() as u64);
            }
        }
        self.possibly_delivered = self.possibly_delivered.filter(|rest| rest.batches > 0 && rest.bytes > 0);
    }

    /// Drops all batches. Returns the number of their points.
    pub fn clear(&mut self) -> u64 {
        self.batches.drain(..).map(|waiting| u64::from(waiting.batch.points)).sum()
    }

    /// The queued batches, and the number of acknowledged points.
    pub fn statistics(&self) -> (PartitionStatistics, u64) {
        let waiting = self.batches.iter();
        let waiting = waiting.fold(PartitionStatistics::default(), |sum, Prefetched { batch, since, .. }| {
            sum.plus(PartitionStatistics {
                batches: 1,
                bytes: batch.body.len() as u64,
                points: batch.points.into(),
                samples: batch.samples.into(),
                oldest: Some(since.elapsed()),
            })
        });
        (waiting, self.acknowledged)
    }
}
