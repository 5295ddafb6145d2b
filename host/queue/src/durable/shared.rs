//! What readers and the committer of a durable queue share.

use super::Stored;
use super::disk::Disk;
use super::in_flight::InFlight;
use super::read;
use super::refusals::Refusals;
use crate::backlog::{Backlog, Entry, First, Size};
use crate::changes::Changes;
use crate::{AppendError, Limit, StorageError, Window};
use preamp_base::LogLimiter;
use preamp_contract::{Batch, PossiblyDelivered};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What readers and the committer share.
pub(super) struct Shared {
    pub(super) backlog: Mutex<Backlog<Stored>>,
    pub(super) changes: Changes,
    pub(super) place: String,
    /// Whether everything is done where it is asked for.
    pub(super) is_in_place: bool,
    pub(super) in_flight: InFlight,
    /// Told of what leaves the queue.
    pub(super) freed: Notify,
    pub(super) max_bytes: u64,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) min_free_bytes: u64,
    pub(super) on_disk: AtomicU64,
    pub(super) cached_bytes: u64,
    pub(super) cached: AtomicU64,
    pub(super) damaged_points: AtomicU64,
    pub(super) damaged_file_bytes: AtomicU64,
    pub(super) refusals: Refusals,
    pub(super) log_limiter: LogLimiter,
}

/// What is first in a partition, before it is read.
#[derive(Default)]
pub(super) enum Head {
    Waiting(Vec<read::Waiting>, PossiblyDelivered),
    Evicted(Vec<read::Waiting>),
    /// The queue is closed, and nothing waits.
    #[default]
    Nothing,
}

impl Shared {
    /// No code that holds the lock can panic half-way through a change, so a poisoned one is sound.
    pub(super) fn backlog(&self) -> MutexGuard<'_, Backlog<Stored>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reserve(&self, payload: &[Batch]) -> Result<Size, AppendError> {
        let mut backlog = self.backlog();
        let size = self.check(&backlog, payload).inspect_err(|error| {
            if let AppendError::DiskIsLow { free, least } = error {
                let points = payload.iter().map(|batch| u64::from(batch.points)).sum();
                self.refusals.low(&*self.disk, *free, *least, points);
            }
        })?;
        backlog.take(size);
        Ok(size)
    }

    pub(super) fn check(&self, backlog: &Backlog<Stored>, payload: &[Batch]) -> Result<Size, AppendError> {
        let size = backlog.check(payload)?;
        let needed = size.bytes;
        // What is settled keeps its place on the disk for the sake of what waits in the same segment.
        let waiting = self.on_disk.load(Ordering::Relaxed);
        if backlog.has_waiting() && waiting.saturating_add(needed) > self.max_bytes {
            return Err(AppendError::Full { limit: Limit::Bytes, waiting, needed, allowed: self.max_bytes });
        }
        self.check_disk()?;
        Ok(size)
    }

    fn check_disk(&self) -> Result<(), AppendError> {
        let least = self.min_free_bytes;
        if least == 0 {
            return Ok(());
        }
        match self.disk.free() {
            Ok(free) if free < least => Err(AppendError::DiskIsLow { free, least }),
            // A disk that does not say it says more when it is written to.
            _ => Ok(()),
        }
    }

    /// Whether the receiver may have some of what waits anywhere.
    pub(super) fn is_possibly_delivered(&self) -> bool {
        let backlog = self.backlog();
        (0..backlog.readers()).any(|partition| backlog.possibly_delivered(partition).batches > 0)
    }

    pub(super) fn first(&self, partition: u32, window: Window) -> Option<Head> {
        let found = |entries: Vec<&Entry<Stored>>| entries.into_iter().map(read::Waiting::of).collect();
        match self.backlog().first(partition, window) {
            First::Waiting(entries, sent) => Some(Head::Waiting(found(entries), sent)),
            First::Evicted(entries) => Some(Head::Evicted(found(entries))),
            First::Nothing => None,
            First::End => Some(Head::Nothing),
        }
    }

    /// Keeps a batch in memory too, if there is room for it.
    pub(super) fn cache(&self, batch: Arc<Batch>) -> Option<Arc<Batch>> {
        let bytes = batch.body.len() as u64;
        let has_room = self.cached.load(Ordering::Relaxed) + bytes <= self.cached_bytes;
        has_room.then(|| {
            self.cached.fetch_add(bytes, Ordering::Relaxed);
            batch
        })
    }

    pub(super) fn uncache(&self, stored: &Stored) {
        let bytes = stored.cached.as_ref().map_or(0, |batch| batch.body.len() as u64);
        self.cached.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, error: &io::Error) -> StorageError {
        StorageError(format!("{}: {error}", self.place))
    }
}
