//! What this process has of a partition: batches it has read and not acknowledged.

use super::floors::Floor;
use crate::{PartitionStatistics, Window};
use preamp_contract::Batch;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A batch, and its place in the stream.
pub(super) struct InHand {
    pub sequence: u64,
    pub batch: Arc<Batch>,
    since: Instant,
}

/// The batches of one partition.
#[derive(Default)]
pub(super) struct Hand {
    waiting: VecDeque<InHand>,
    /// As much of what comes first as another process may have sent in one request.
    taken_over: Option<Window>,
    /// Which time the lease was taken that this is for.
    pub of: u64,
    /// Up to where everything is settled.
    pub floor: Floor,
    /// Up to where it was read.
    pub read_to: u64,
    /// Points that were settled.
    acknowledged: u64,
}

impl Hand {
    /// Reads behind a floor from now on. So much of it may have been sent by another process, which had no more in hand.
    pub fn take_over(&mut self, times: u64, floor: Floor, window: Option<Window>) {
        self.of = times;
        self.floor = floor;
        self.read_to = floor.sequence;
        self.taken_over = window;
    }

    /// Whether another process may have sent the first of what waits.
    pub fn is_taken_over(&self) -> bool {
        self.taken_over.is_some()
    }

    /// So many messages were there when the first was read; those that came later were sent by nobody.
    pub fn were_there(&mut self, messages: u64) {
        if let Some(window) = &mut self.taken_over {
            window.batches = window.batches.min(usize::try_from(messages).unwrap_or(usize::MAX));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn push(&mut self, sequence: u64, batch: Batch, waited: Duration) {
        let now = Instant::now();
        let since = now.checked_sub(waited).unwrap_or(now);
        self.waiting.push_back(InHand { sequence, batch: Arc::new(batch), since });
    }

    pub fn first(&self, window: Window) -> Vec<Arc<Batch>> {
        let count = window.count(self.sizes());
        self.waiting.iter().take(count).map(|waiting| waiting.batch.clone()).collect()
    }

    fn sizes(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().map(|waiting| waiting.batch.body.len() as u64)
    }

    /// What of a window is not there yet; `None` if nothing.
    pub fn missing(&self, window: Window) -> Option<Window> {
        let bytes = self.sizes().sum::<u64>();
        let batches = window.batches.saturating_sub(self.waiting.len());
        let bytes = window.bytes.saturating_sub(bytes);
        (batches > 0 && bytes > 0).then_some(Window { batches, bytes })
    }

    /// Where the last of the first `count` is in the stream.
    pub fn place(&self, count: usize) -> Option<u64> {
        self.waiting.iter().take(count).next_back().map(|waiting| waiting.sequence)
    }

    /// Removes what is settled.
    pub fn settle(&mut self, floor: Floor) {
        self.floor = floor;
        while let Some(first) = self.waiting.pop_front_if(|first| first.sequence <= floor.sequence) {
            self.acknowledged += u64::from(first.batch.points);
            if let Some(Window { batches, bytes }) = &mut self.taken_over {
                *batches = batches.saturating_sub(1);
                *bytes = bytes.saturating_sub(first.batch.body.len() as u64);
            }
        }
        self.taken_over = self.taken_over.filter(|rest| rest.batches > 0 && rest.bytes > 0);
    }

    /// Lays everything down. How many points that were.
    pub fn drop_all(&mut self) -> u64 {
        self.waiting.drain(..).map(|waiting| u64::from(waiting.batch.points)).sum()
    }

    /// What waits, and how many points were settled.
    pub fn statistics(&self) -> (PartitionStatistics, u64) {
        let waiting = self.waiting.iter();
        let waiting = waiting.fold(PartitionStatistics::default(), |sum, InHand { batch, since, .. }| {
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
