//! The queue that lives in memory: fast, and gone with the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::backlog::{Backlog, Entry, First, Limits, Size};
use super::changes::Changes;
use super::{
    AppendError, Capacity, Next, Pending, Queue, Settlement, Statistics, StorageError, Ticket, Window,
    wait_for_room,
};
use preamp_contract::{Batch, PossiblyDelivered};
use tokio::sync::Notify;

/// Keeps batches in memory within limits of payloads and of bytes.
///
/// A payload counts until its last batch is acknowledged, since that is how long it can be lost.
#[derive(Debug)]
pub struct MemoryQueue {
    backlog: Mutex<Backlog<Arc<Batch>>>,
    changes: Changes,
    /// Told of what leaves the queue.
    freed: Notify,
}

impl MemoryQueue {
    /// An empty queue of `partitions` partitions.
    #[must_use]
    pub fn new(partitions: u32, max_payloads: u64, max_bytes: u64) -> Self {
        Self::limited(partitions, max_payloads, u64::MAX, max_bytes, u64::MAX)
    }

    /// The same with a limit of points, and of all memory that it takes, in bytes.
    #[must_use]
    pub fn limited(
        partitions: u32,
        max_payloads: u64,
        max_points: u64,
        max_bytes: u64,
        max_memory: u64,
    ) -> Self {
        let limits = Limits {
            payloads: max_payloads,
            points: max_points,
            bytes: max_bytes,
            memory: max_memory,
            holds_bodies: true,
        };
        Self {
            backlog: Mutex::new(Backlog::new(limits, [(0, partitions)])),
            changes: Changes::new(partitions),
            freed: Notify::new(),
        }
    }

    /// No code that holds the lock can panic half-way through a change, so a poisoned one is sound.
    fn backlog(&self) -> MutexGuard<'_, Backlog<Arc<Batch>>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_append(&self, payload: Vec<Batch>, ticket: Option<Ticket>) -> Result<(), AppendError> {
        if payload.is_empty() {
            return Ok(());
        }
        let mut backlog = self.backlog();
        backlog.reserve(&payload)?;
        let (token, since) = (backlog.begin_payload(ticket), Instant::now());
        for batch in payload {
            let (partition, size) = (batch.partition, Size::of(&batch));
            backlog.publish(
                partition,
                Entry { item: Arc::new(batch), size, payload: Arc::clone(&token), since },
            );
            self.changes.tell(partition);
        }
        Ok(())
    }

    fn first(&self, partition: u32, window: Window) -> Option<Next> {
        let batches =
            |entries: Vec<&Entry<Arc<Batch>>>| entries.iter().map(|entry| entry.item.clone()).collect();
        match self.backlog().first(partition, window) {
            First::Waiting(entries, possibly_delivered) => {
                Some(Next::Send { batches: batches(entries), possibly_delivered })
            }
            First::Evicted(entries) => Some(Next::Evict { batches: batches(entries) }),
            First::Nothing => None,
            First::End => Some(Next::Closed),
        }
    }
}

impl Queue for MemoryQueue {
    fn partitions(&self) -> u32 {
        self.backlog().partitions()
    }

    fn readers(&self) -> u32 {
        self.backlog().readers()
    }

    fn append_followed(
        &self,
        payload: Vec<Batch>,
        ticket: Option<Ticket>,
    ) -> Pending<'_, Result<(), AppendError>> {
        Box::pin(async move { self.try_append(payload, ticket) })
    }

    fn next(&self, partition: u32, window: Window) -> Pending<'_, Result<Next, StorageError>> {
        Box::pin(async move { Ok(self.changes.wait_for(partition, || self.first(partition, window)).await) })
    }

    fn note_sent(&self, partition: u32, sent: PossiblyDelivered) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async move {
            self.backlog().note_sent(partition, Some(sent));
            Ok(())
        })
    }

    fn note_unsent(&self, partition: u32) -> Pending<'_, ()> {
        Box::pin(async move {
            self.backlog().note_sent(partition, None);
        })
    }

    fn acknowledge(
        &self,
        partition: u32,
        batches: usize,
        settlement: Settlement,
    ) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async move {
            self.backlog().remove(partition, batches, &settlement, drop);
            self.freed.notify_waiters();
            Ok(())
        })
    }

    fn has_quarantine(&self) -> bool {
        false
    }

    fn statistics(&self) -> Statistics {
        self.backlog().statistics()
    }

    fn close(&self) {
        self.backlog().close();
        self.changes.tell_all();
        self.freed.notify_waiters();
    }

    fn shutdown(&self, _possibly_delivered: bool) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }

    fn capacity(&self) -> Option<&dyn Capacity> {
        Some(self)
    }
}

impl Capacity for MemoryQueue {
    fn has_room_for(&self, payload: &[Batch]) -> Result<(), AppendError> {
        self.backlog().check(payload).map(drop)
    }

    fn until_room_for<'a>(&'a self, payload: &'a [Batch], may_evict: bool) -> Pending<'a, ()> {
        Box::pin(wait_for_room(self, &self.freed, payload, may_evict))
    }

    fn evict_oldest(&self) {
        self.backlog().evict_oldest();
        self.changes.tell_all();
    }

    fn is_evicting(&self, partition: u32) -> bool {
        self.backlog().evicted(partition) > 0
    }

    fn until_evicting(&self, partition: u32) -> Pending<'_, ()> {
        Box::pin(self.changes.wait_for(partition, move || self.is_evicting(partition).then_some(())))
    }

    fn until_points(&self, partition: u32, points: u64) -> Pending<'_, ()> {
        let has_points = move || self.backlog().has_points(partition, points).then_some(());
        Box::pin(self.changes.wait_for(partition, has_points))
    }
}

#[cfg(test)]
mod tests;
