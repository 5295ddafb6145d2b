//! The queue that lives in memory: fast, and gone with the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::backlog::{Backlog, Entry, First, Limits, Size};
use super::changes::Changes;
use super::{AppendError, Pending, Queue, Settlement, Statistics, StorageError, Ticket, Window};
use preamp_contract::Batch;

/// Keeps batches in memory within limits of payloads and of bytes.
///
/// A payload counts until its last batch is acknowledged, since that is how long it can be lost.
#[derive(Debug)]
pub struct MemoryQueue {
    backlog: Mutex<Backlog<Arc<Batch>>>,
    changes: Changes,
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

    fn first(&self, partition: u32, window: Window) -> Option<Vec<Arc<Batch>>> {
        match self.backlog().first(partition, window) {
            First::Waiting(entries) => Some(entries.iter().map(|entry| Arc::clone(&entry.item)).collect()),
            First::Nothing => None,
            First::End => Some(Vec::new()),
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

    fn has_room_for(&self, payload: &[Batch]) -> Result<(), AppendError> {
        self.backlog().check(payload).map(drop)
    }

    fn peek(&self, partition: u32, window: Window) -> Pending<'_, Result<Vec<Arc<Batch>>, StorageError>> {
        Box::pin(async move { Ok(self.changes.wait_for(partition, || self.first(partition, window)).await) })
    }

    fn acknowledge(
        &self,
        partition: u32,
        count: usize,
        settlement: Settlement,
    ) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async move {
            self.backlog().remove(partition, count, &settlement, drop);
            Ok(())
        })
    }

    fn give_up_oldest(&self) {
        self.backlog().give_up_oldest();
        self.changes.tell_all();
    }

    fn given_up(&self, partition: u32) -> usize {
        self.backlog().given_up(partition)
    }

    fn until_given_up(&self, partition: u32) -> Pending<'_, ()> {
        Box::pin(self.changes.wait_for(partition, move || (self.given_up(partition) > 0).then_some(())))
    }

    fn keeps_set_aside(&self) -> bool {
        false
    }

    fn is_taken_over(&self, _partition: u32) -> bool {
        false
    }

    fn statistics(&self) -> Statistics {
        self.backlog().statistics()
    }

    fn close(&self) {
        self.backlog().close();
        self.changes.tell_all();
    }

    fn put_away(&self, _is_in_doubt: bool) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests;
