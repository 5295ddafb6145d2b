//! The queue on disk: what it has taken is there after any crash, and after a power cut.
//!
//! It is a [log](self::log) of records. An append returns when its record is on the disk, and so does an
//! acknowledgement; what comes together is written and synchronized together.

mod committer;
mod damaged;
mod disk;
mod in_flight;
mod inspect;
mod log;
mod quarantine;
mod quarantine_files;
mod read;
mod recovery;
mod refusals;
mod restore;
mod scan;
mod shared;
mod writer;

pub use disk::{Disk, DiskFile, Folder, FolderError};
pub use inspect::{Inspection, WaitingBatch};
pub use quarantine::Kept;
pub use quarantine_files::QuarantineFiles;
pub use recovery::OpenError;

pub use preamp_base::own_files::{Holder, NotOurs};

use super::backlog::{Backlog, Limits};
use super::changes::Changes;
use crate::{
    AppendError, Capacity, Next, Pending, PointOutcome, Queue, Settlement, Statistics, StorageError, Ticket,
    Window, wait_for_room,
};
use committer::{Append, Committer, Request};
use log::Location;
use preamp_base::LogLimiter;
use preamp_contract::{Batch, PossiblyDelivered};
use quarantine::Quarantine;
use read::Unreadable;
use refusals::Refusals;
use shared::{Head, Shared};
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, oneshot};
use writer::Writer;

/// How a durable queue is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The exporter it is for, which is written into its files.
    pub exporter: String,
    /// How many partitions there are.
    pub partitions: u32,
    /// The most payloads waiting.
    pub max_payloads: u64,
    /// The most points waiting.
    pub max_points: u64,
    /// The most bytes of bodies waiting, and on the disk.
    pub max_bytes: u64,
    /// What has to stay free on the disk, in bytes.
    pub min_free_bytes: u64,
    /// The most bytes of bodies that are kept in memory too, so that they need not be read.
    pub cached_bytes: u64,
    /// The most memory for what is known of each batch, in bytes.
    pub index_bytes: u64,
}

/// The content of a durable queue when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Batches that wait.
    pub batches: u64,
    /// Points in them.
    pub points: u64,
    /// Whether the process before ended in order, with nothing under way, or there was none.
    pub was_closed: bool,
    /// Bytes that could not be read as what they were.
    pub damaged_bytes: u64,
    /// Points that were accepted once, and are lost because of damage.
    pub damaged_points: u64,
}

/// Keeps batches on disk until they are acknowledged.
pub struct DurableQueue {
    shared: Arc<Shared>,
    writing: Writing,
}

/// Where changes are made.
enum Writing {
    /// On a thread for blocking work, while there is something to write.
    Apart(Writer),
    /// Where they are asked for; nowhere any more once the queue was put away.
    InPlace(Mutex<Option<Box<Committer>>>),
}

/// A batch in the log.
struct Stored {
    location: Location,
    /// The batch itself, if there was room for it in memory.
    cached: Option<Arc<Batch>>,
}

/// The largest segment is this part of the queue's limit, within bounds. A smaller segment is removed sooner, and leaves
/// less room unused; a larger one costs fewer synchronizations of the directory.
const SEGMENTS: u64 = 32;
const SEGMENT_MAX: u64 = 16 << 20;
const SEGMENT_LEAST: u64 = 256 << 10;

/// The quarantine may take this share of a queue.
const QUARANTINE: u64 = 16;

/// This part of a queue is kept of files with damage in which nothing waits.
const DAMAGED: u64 = 16;

impl Options {
    fn segment_bytes(&self) -> u64 {
        (self.max_bytes / SEGMENTS).clamp(SEGMENT_LEAST, SEGMENT_MAX)
    }
}

impl DurableQueue {
    /// Opens the queue in a folder, with what an earlier process left there.
    ///
    /// # Errors
    /// When the folder cannot be used; nothing in it is changed then.
    pub fn open(disk: Arc<dyn Disk>, options: &Options) -> Result<(DurableQueue, Opened), OpenError> {
        let (committer, found) = Self::recover(disk, options, false)?;
        let shared = committer.shared.clone();
        Ok((DurableQueue { shared, writing: Writing::Apart(Writer::new(committer)) }, found))
    }

    /// The same in place: each change is made where it is asked for, by itself. It takes the caller's time, and
    /// comes out the same each time, as a simulation needs it.
    ///
    /// # Errors
    /// When the folder cannot be used; nothing in it is changed then.
    pub fn open_in_place(
        disk: Arc<dyn Disk>,
        options: &Options,
    ) -> Result<(DurableQueue, Opened), OpenError> {
        let (committer, found) = Self::recover(disk, options, true)?;
        let shared = committer.shared.clone();
        Ok((DurableQueue { shared, writing: Writing::InPlace(Mutex::new(Some(Box::new(committer)))) }, found))
    }

    fn recover(
        disk: Arc<dyn Disk>,
        options: &Options,
        is_in_place: bool,
    ) -> Result<(Committer, Opened), OpenError> {
        let place = disk.place();
        let system = |error| OpenError::System { place: place.clone(), error };
        let mut quarantine =
            Quarantine::open(disk.clone(), options.max_bytes / QUARANTINE).map_err(system)?;
        let recovered = recovery::recover(disk.clone(), options)?;
        let limits = Limits {
            payloads: options.max_payloads,
            points: options.max_points,
            bytes: options.max_bytes,
            memory: options.index_bytes,
            holds_bodies: false,
        };
        let layouts = recovered.log.layouts.iter().map(|(number, layout)| (*number, layout.len() as u32));
        let mut backlog = Backlog::new(limits, layouts);
        let found = Opened {
            batches: recovered.waiting.len() as u64,
            points: recovered.waiting.iter().map(|found| found.size.points).sum(),
            was_closed: recovered.was_closed,
            damaged_bytes: recovered.damaged_bytes,
            damaged_points: recovered.damaged_points,
        };
        restore::restore(&mut backlog, recovered.waiting);
        let mut log = recovered.log;
        let in_flight = restore::take_over(&mut backlog, &log, &disk, found.was_closed).map_err(system)?;
        if !found.was_closed {
            // Not worth refusing to start on a disk that is full: something may be shown twice in quarantine then.
            if let Err(error) = quarantine.resume(log.layouts()) {
                tracing::warn!(directory = place, %error, "the quarantine could not be written to");
            }
        }
        log.forget_layouts_before(backlog.first_layout());
        let readers = backlog.readers();
        let shared = Arc::new(Shared {
            changes: Changes::new(readers),
            backlog: Mutex::new(backlog),
            place,
            is_in_place,
            in_flight,
            freed: Notify::new(),
            max_bytes: options.max_bytes,
            disk,
            min_free_bytes: options.min_free_bytes,
            on_disk: AtomicU64::new(log.bytes_on_disk()),
            cached_bytes: options.cached_bytes,
            cached: AtomicU64::new(0),
            damaged_points: AtomicU64::new(0),
            damaged_file_bytes: AtomicU64::new(log.damaged_file_bytes()),
            refusals: Refusals::default(),
            log_limiter: LogLimiter::default(),
        });
        Ok((Committer { log, quarantine, shared }, found))
    }

    /// Asks the one that writes, who answers when it is done.
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
        if_ended: impl FnOnce() -> T,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        match &self.writing {
            Writing::Apart(writer) => writer.ask(request(reply)),
            Writing::InPlace(committer) => {
                let mut committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
                let ended = committer.as_mut().map(|committer| committer.commit(vec![request(reply)]));
                if let Some(ControlFlow::Break(ended)) = ended {
                    *committer = None;
                    ended.tell();
                }
            }
        }
        answer.await.unwrap_or_else(|_| if_ended())
    }

    async fn try_append(&self, payload: Vec<Batch>, ticket: Option<Ticket>) -> Result<(), AppendError> {
        if payload.is_empty() {
            return Ok(());
        }
        let size = self.shared.reserve(&payload)?;
        let batches = payload.into_iter().map(Arc::new).collect();
        let append = |reply| Request::Append(Append { batches, size, ticket, reply });
        self.ask(append, || Err(AppendError::Closed)).await
    }

    async fn note(&self, partition: u32, sent: Option<PossiblyDelivered>) -> Result<(), StorageError> {
        let slot = {
            let mut backlog = self.shared.backlog();
            backlog.note_sent(partition, sent);
            restore::slot(&backlog, partition)
        };
        let in_flight = &self.shared.in_flight;
        let Some(slot) = slot.filter(|slot| in_flight.is_news(partition, *slot)) else { return Ok(()) };
        if self.shared.is_in_place {
            return in_flight.write(partition, slot).map_err(|error| self.shared.failed(&error));
        }
        // Although it waits for no disk, as a rule: one that stands still must not hold up everything else.
        let shared = self.shared.clone();
        let writing = tokio::task::spawn_blocking(move || shared.in_flight.write(partition, slot));
        let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| self.shared.failed(&error))
    }

    async fn settle(&self, partition: u32, count: usize, settlement: Settlement) -> Result<(), StorageError> {
        let request = |reply| Request::Settle { partition, count, settlement, reply };
        self.ask(request, || Err(StorageError("it was put away".to_owned()))).await
    }

    /// Keeps only these batches in the quarantine; `points` is how many the others have. Nothing else may be done with
    /// the queue afterwards: it is put away.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub async fn release(self, rest: Vec<Kept>, points: u64) -> Result<(), StorageError> {
        self.ask(|reply| Request::Release { rest, points, reply }, || Ok(())).await?;
        self.shutdown(false).await
    }

    async fn read(&self, partition: u32, window: Window) -> Result<Next, StorageError> {
        loop {
            let shared = &self.shared;
            let first = shared.changes.wait_for(partition, || shared.first(partition, window)).await;
            let (waiting, sent) = match first {
                Head::Nothing => return Ok(Next::Closed),
                Head::Waiting(waiting, sent) => (waiting, Some(sent)),
                Head::Evicted(waiting) => (waiting, None),
            };
            match read::batches(waiting, shared.is_in_place).await {
                (batches, Some(unreadable)) if batches.is_empty() => {
                    self.give_up(partition, &unreadable).await?;
                }
                (batches, _) if batches.is_empty() => {}
                (batches, _) => {
                    return Ok(match sent.map(|sent| sent.among(batches.len())) {
                        Some(possibly_delivered) => Next::Send { batches, possibly_delivered },
                        None => Next::Evict { batches },
                    });
                }
            }
        }
    }

    /// Goes on behind a batch that the disk did not keep.
    async fn give_up(&self, partition: u32, unreadable: &Unreadable) -> Result<(), StorageError> {
        let Unreadable { points, segment, reason } = unreadable;
        if let Some(before) = self.shared.log_limiter.allow("unreadable", *points) {
            let points = points + before;
            tracing::error!(
                directory = self.shared.place,
                file = disk::file_name(*segment, log::SUFFIX),
                reason,
                points,
                state = "damaged",
                "batches of the queue cannot be read and are lost; the file is kept under the name .damaged"
            );
        }
        let mut settlement = Settlement::default();
        settlement.add(PointOutcome::Damaged, *points);
        self.settle(partition, 1, settlement).await?;
        self.shared.damaged_points.fetch_add(*points, Ordering::Relaxed);
        Ok(())
    }
}

impl Queue for DurableQueue {
    fn partitions(&self) -> u32 {
        self.shared.backlog().partitions()
    }

    fn readers(&self) -> u32 {
        self.shared.backlog().readers()
    }

    fn append_followed(
        &self,
        payload: Vec<Batch>,
        ticket: Option<Ticket>,
    ) -> Pending<'_, Result<(), AppendError>> {
        Box::pin(self.try_append(payload, ticket))
    }

    fn next(&self, partition: u32, window: Window) -> Pending<'_, Result<Next, StorageError>> {
        Box::pin(self.read(partition, window))
    }

    fn note_sent(&self, partition: u32, sent: PossiblyDelivered) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(self.note(partition, Some(sent)))
    }

    fn note_unsent(&self, partition: u32) -> Pending<'_, ()> {
        Box::pin(async move {
            // What the next process finds otherwise is more than there is.
            let _unknown = self.note(partition, None).await;
        })
    }

    fn acknowledge(
        &self,
        partition: u32,
        batches: usize,
        settlement: Settlement,
    ) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(self.settle(partition, batches, settlement))
    }

    fn has_quarantine(&self) -> bool {
        true
    }

    fn statistics(&self) -> Statistics {
        let statistics = self.shared.backlog().statistics();
        Statistics {
            damaged_points: self.shared.damaged_points.load(Ordering::Relaxed),
            damaged_file_bytes: self.shared.damaged_file_bytes.load(Ordering::Relaxed),
            ..statistics
        }
    }

    fn close(&self) {
        self.shared.backlog().close();
        self.shared.changes.tell_all();
        self.shared.freed.notify_waiters();
    }

    fn shutdown(&self, possibly_delivered: bool) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(self.ask(move |reply| Request::Shutdown { possibly_delivered, reply }, || Ok(())))
    }

    fn capacity(&self) -> Option<&dyn Capacity> {
        Some(self)
    }
}

impl Capacity for DurableQueue {
    fn has_room_for(&self, payload: &[Batch]) -> Result<(), AppendError> {
        self.shared.check(&self.shared.backlog(), payload).map(drop)
    }

    fn until_room_for<'a>(&'a self, payload: &'a [Batch], may_evict: bool) -> Pending<'a, ()> {
        Box::pin(wait_for_room(self, &self.shared.freed, payload, may_evict))
    }

    fn evict_oldest(&self) {
        self.shared.backlog().evict_oldest();
        self.shared.changes.tell_all();
    }

    fn is_evicting(&self, partition: u32) -> bool {
        self.shared.backlog().evicted(partition) > 0
    }

    fn until_evicting(&self, partition: u32) -> Pending<'_, ()> {
        let is_evicting = move || self.is_evicting(partition).then_some(());
        Box::pin(self.shared.changes.wait_for(partition, is_evicting))
    }

    fn until_points(&self, partition: u32, points: u64) -> Pending<'_, ()> {
        let has_points = move || self.shared.backlog().has_points(partition, points).then_some(());
        Box::pin(self.shared.changes.wait_for(partition, has_points))
    }
}
