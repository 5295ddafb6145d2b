//! The queue that lives in memory: fast, and gone with the process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::{AppendError, Limit, PartitionStatistics, Pending, Queue, Statistics, StorageError, Window};
use crate::component::Batch;

/// Keeps batches in memory within limits of payloads and of bytes.
///
/// A payload counts until its last batch is acknowledged, since that is how long it can be lost.
#[derive(Debug)]
pub struct MemoryQueue {
    max_payloads: u64,
    max_bytes: u64,
    state: Mutex<State>,
    /// One for each partition: wakes its reader when the state it reads has changed.
    changed: Vec<Notify>,
}

#[derive(Debug)]
struct State {
    partitions: Vec<Partition>,
    payloads: u64,
    bytes: u64,
    closed: bool,
}

#[derive(Debug, Default)]
struct Partition {
    waiting: VecDeque<Entry>,
    bytes: u64,
    points: u64,
    samples: u64,
}

#[derive(Debug)]
struct Entry {
    batch: Arc<Batch>,
    /// Shared by the batches of one payload: the last one to go takes the payload with it.
    payload: Arc<()>,
    since: Instant,
}

impl MemoryQueue {
    /// An empty queue of `partitions` partitions.
    #[must_use]
    pub fn new(partitions: u32, max_payloads: u64, max_bytes: u64) -> Self {
        let logs = (0..partitions).map(|_| Partition::default()).collect();
        let changed = (0..partitions).map(|_| Notify::new()).collect();
        let state = State { partitions: logs, payloads: 0, bytes: 0, closed: false };
        Self { max_payloads, max_bytes, state: Mutex::new(state), changed }
    }

    /// No code that holds the lock can panic half-way through a change, so a poisoned one is sound.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_append(&self, payload: Vec<Batch>) -> Result<(), AppendError> {
        if payload.is_empty() {
            return Ok(());
        }
        let needed = payload.iter().map(size).sum();
        let mut state = self.state();
        self.check(&state, &payload, needed)?;
        state.payloads += 1;
        state.bytes += needed;
        let (token, since) = (Arc::new(()), Instant::now());
        for batch in payload {
            let partition = batch.partition as usize;
            if let (Some(log), Some(changed)) =
                (state.partitions.get_mut(partition), self.changed.get(partition))
            {
                log.push(Entry { batch: Arc::new(batch), payload: Arc::clone(&token), since });
                changed.notify_waiters();
            }
        }
        Ok(())
    }

    fn check(&self, state: &State, payload: &[Batch], needed: u64) -> Result<(), AppendError> {
        if state.closed {
            return Err(AppendError::Closed);
        }
        let partitions = self.partitions();
        if let Some(stray) = payload.iter().find(|batch| batch.partition >= partitions) {
            return Err(AppendError::UnknownPartition { partition: stray.partition, partitions });
        }
        if needed > self.max_bytes {
            return Err(AppendError::TooLarge { needed, allowed: self.max_bytes });
        }
        let limits = [
            (Limit::Payloads, state.payloads, 1, self.max_payloads),
            (Limit::Bytes, state.bytes, needed, self.max_bytes),
        ];
        for (limit, waiting, needed, allowed) in limits {
            if waiting.saturating_add(needed) > allowed {
                return Err(AppendError::Full { limit, waiting, needed, allowed });
            }
        }
        Ok(())
    }

    async fn wait_for(&self, partition: u32, window: Window) -> Vec<Arc<Batch>> {
        let Some(changed) = self.changed.get(partition as usize) else { return Vec::new() };
        loop {
            // Made before the state is looked at, since it sees every change from then on.
            let change = changed.notified();
            {
                let state = self.state();
                let first =
                    state.partitions.get(partition as usize).map(|log| log.first(window)).unwrap_or_default();
                if !first.is_empty() || state.closed {
                    return first;
                }
            }
            change.await;
        }
    }

    fn remove(&self, partition: u32, count: usize) {
        let mut state = self.state();
        let Some(log) = state.partitions.get_mut(partition as usize) else { return };
        let (mut bytes, mut payloads) = (0, 0);
        for _ in 0..count {
            let Some(entry) = log.pop() else { break };
            bytes += size(&entry.batch);
            payloads += u64::from(Arc::into_inner(entry.payload).is_some());
        }
        state.bytes -= bytes;
        state.payloads -= payloads;
    }
}

impl Queue for MemoryQueue {
    fn partitions(&self) -> u32 {
        u32::try_from(self.changed.len()).unwrap_or(u32::MAX)
    }

    fn append(&self, payload: Vec<Batch>) -> Pending<'_, Result<(), AppendError>> {
        Box::pin(async move { self.try_append(payload) })
    }

    fn peek(&self, partition: u32, window: Window) -> Pending<'_, Result<Vec<Arc<Batch>>, StorageError>> {
        Box::pin(async move { Ok(self.wait_for(partition, window).await) })
    }

    fn acknowledge(&self, partition: u32, count: usize) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async move {
            self.remove(partition, count);
            Ok(())
        })
    }

    fn statistics(&self) -> Statistics {
        let state = self.state();
        Statistics {
            payloads: state.payloads,
            max_payloads: self.max_payloads,
            max_bytes: self.max_bytes,
            partitions: state.partitions.iter().map(Partition::statistics).collect(),
        }
    }

    fn close(&self) {
        self.state().closed = true;
        for changed in &self.changed {
            changed.notify_waiters();
        }
    }
}

impl Partition {
    fn push(&mut self, entry: Entry) {
        self.bytes += size(&entry.batch);
        self.points += u64::from(entry.batch.points);
        self.samples += u64::from(entry.batch.samples);
        self.waiting.push_back(entry);
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.waiting.pop_front()?;
        self.bytes -= size(&entry.batch);
        self.points -= u64::from(entry.batch.points);
        self.samples -= u64::from(entry.batch.samples);
        Some(entry)
    }

    fn first(&self, window: Window) -> Vec<Arc<Batch>> {
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let first = bytes == 0;
            bytes += size(&entry.batch);
            first || bytes <= window.bytes
        };
        let entries = self.waiting.iter().take(window.batches.max(1)).take_while(fits);
        entries.map(|entry| Arc::clone(&entry.batch)).collect()
    }

    fn statistics(&self) -> PartitionStatistics {
        PartitionStatistics {
            batches: self.waiting.len() as u64,
            bytes: self.bytes,
            points: self.points,
            samples: self.samples,
            oldest: self.waiting.front().map(|entry| entry.since.elapsed()),
        }
    }
}

fn size(batch: &Batch) -> u64 {
    batch.body.len() as u64
}

#[cfg(test)]
mod tests;
