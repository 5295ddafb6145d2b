//! The queue in NATS JetStream, which several processes share.
//!
//! A batch is a message of a stream, under the subject of its partition. Each partition has a [lease](lease) and a
//! [committed offset](committed). The process that holds the lease reads from the offset on, and advances it, so that
//! another process that takes the partition over finds every batch that is not acknowledged, in order. Messages below all
//! offsets are [purged](compaction).

mod committed;
mod compaction;
mod error;
mod lease;
mod message;
mod prefetch;
mod publish;
mod read;
mod stream;

use super::changes::Changes;
use super::durable::{Folder, FolderError, QuarantineFiles};
use super::ticket::Payload;
use super::{
    AppendError, Next, Ownership, Pending, QuarantinedBatch, Queue, Settlement, Statistics, StorageError,
    Ticket, Window,
};
use async_nats::Client;
use async_nats::jetstream::stream::Stream;
use committed::{CommittedOffset, CommittedOffsets};
pub use error::OpenError;
use lease::{Hold, Leases};
use preamp_base::Directory;
use preamp_base::LogLimiter;
use preamp_base::clock::now_ms;
use preamp_contract::{Batch, PossiblyDelivered};
use prefetch::PartitionBuffer;
use publish::Publisher;
use read::Read;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// How often a reader looks for batches whose notification was lost.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How a queue in a stream is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The exporter it is for, which is written into the stream.
    pub exporter: String,
    /// The name of the stream.
    pub stream: String,
    /// How many partitions there are.
    pub partitions: u32,
    /// The most bytes that the stream holds.
    pub max_bytes: u64,
    /// The number of servers that hold a copy.
    pub replicas: u32,
    /// How long a process that does not answer keeps its partitions.
    pub lease: Duration,
    /// The folder of the quarantine, of this process alone.
    pub quarantine: Option<PathBuf>,
}

/// Keeps batches in a stream until they are acknowledged.
pub struct JetStreamQueue {
    shared: Arc<Shared>,
    publisher: Publisher,
    tasks: Mutex<Vec<AbortOnDropHandle<()>>>,
}

struct Shared {
    client: Client,
    stream: Stream,
    quarantine: Option<Arc<Mutex<QuarantineFiles>>>,
    leases: Leases,
    committed: CommittedOffsets,
    /// Notified when the stream is full.
    is_full: Notify,
    changes: Arc<Changes>,
    partitions: Vec<Partition>,
    max_bytes: u64,
    is_closed: AtomicBool,
    /// Points that this process appended to the stream or left in it, and points that it read from it.
    put: AtomicU64,
    read: AtomicU64,
    /// Messages in the stream at the last compaction.
    messages: AtomicU64,
    log_limiter: LogLimiter,
}

#[derive(Default)]
struct Partition {
    buffer: Mutex<PartitionBuffer>,
}

impl Partition {
    /// Nothing panics while it is held.
    fn buffer(&self) -> MutexGuard<'_, PartitionBuffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JetStreamQueue {
    /// Opens the queue, and takes part in delivering what is in it.
    ///
    /// # Errors
    /// When the stream is of something else, or cannot be used.
    pub async fn open(client: Client, options: &Options) -> Result<JetStreamQueue, OpenError> {
        let quarantine =
            options.quarantine.as_deref().map(|path| open_quarantine(path, options)).transpose()?;
        let context = async_nats::jetstream::new(client.clone());
        let (stream, committed, bucket) = stream::open_all(&context, options).await?;
        let changes = Arc::new(Changes::new(options.partitions));
        let worker = format!("{:016x}", fastrand::u64(..));
        let shared = Arc::new(Shared {
            committed: CommittedOffsets::new(client.clone(), committed, worker.clone(), &stream),
            client: client.clone(),
            quarantine,
            is_full: Notify::new(),
            leases: Leases::new(bucket, worker, options.lease, options.partitions, changes.clone()),
            changes,
            partitions: (0..options.partitions).map(|_| Partition::default()).collect(),
            max_bytes: options.max_bytes,
            is_closed: AtomicBool::new(false),
            put: AtomicU64::new(0),
            read: AtomicU64::new(0),
            messages: AtomicU64::new(stream.cached_info().state.messages),
            log_limiter: LogLimiter::default(),
            stream,
        });
        let (of_leases, of_compaction, of_notifications) = (shared.clone(), shared.clone(), shared.clone());
        let tasks = vec![
            AbortOnDropHandle::new(tokio::spawn(async move { of_leases.leases.run_renewal().await })),
            AbortOnDropHandle::new(tokio::spawn(async move { of_compaction.keep_compact().await })),
            AbortOnDropHandle::new(tokio::spawn(async move {
                read::listen_for_appends(
                    &of_notifications.client,
                    of_notifications.name(),
                    &of_notifications.changes,
                )
                .await;
            })),
        ];
        let publisher = Publisher::new(client, options.stream.clone(), options.max_bytes);
        Ok(JetStreamQueue { shared, publisher, tasks: Mutex::new(tasks) })
    }

    /// Puts a quarantined batch back into the queue, even if the queue had it moments ago.
    ///
    /// # Errors
    /// When there is no room for it.
    pub async fn replay(&self, batch: Batch) -> Result<(), AppendError> {
        self.try_append(vec![batch], fastrand::u64(1..)).await
    }

    /// With another `time` it is another payload, although it holds the same.
    async fn try_append(&self, payload: Vec<Batch>, time: u64) -> Result<(), AppendError> {
        let shared = &self.shared;
        if shared.is_closed.load(Ordering::Relaxed) {
            return Err(AppendError::Closed);
        }
        let partitions = shared.partitions.len() as u32;
        if let Some(stray) = payload.iter().find(|batch| batch.partition >= partitions) {
            return Err(AppendError::UnknownPartition { partition: stray.partition, partitions });
        }
        let published = self.publisher.publish(&payload, now_ms(), time).await;
        if let Err(AppendError::Full { .. }) = &published {
            shared.is_full.notify_one();
        }
        let is_known = published?;
        if is_known && let Some(suppressed) = shared.log_limiter.allow("duplicate", 1) {
            tracing::info!(suppressed, "a payload that was sent again is in the queue already");
        }
        shared.put.fetch_add(points(&payload), Ordering::Relaxed);
        let partitions: BTreeSet<u32> = payload.iter().map(|batch| batch.partition).collect();
        read::notify_appended(&shared.client, shared.name(), partitions).await;
        Ok(())
    }

    async fn release_all(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
        self.shared.partitions.iter().for_each(|partition| self.shared.drop_prefetched(partition));
        self.shared.leases.release_all().await;
    }
}

fn points(batches: &[Batch]) -> u64 {
    batches.iter().map(|batch| u64::from(batch.points)).sum()
}

impl Shared {
    /// Drops the prefetched batches of a partition, for the next process that reads it.
    fn drop_prefetched(&self, partition: &Partition) {
        self.put.fetch_add(partition.buffer().clear(), Ordering::Relaxed);
    }

    fn note_sent(&self, partition: u32, sent: Option<PossiblyDelivered>) {
        self.partitions.get(partition as usize).into_iter().for_each(|own| own.buffer().note_sent(sent));
    }

    async fn next(&self, partition: u32, window: Window) -> Result<Next, StorageError> {
        let Some(own) = self.partitions.get(partition as usize) else { return Ok(Next::Closed) };
        loop {
            // Before the state is read: it sees every change from then on.
            let Some(change) = self.changes.next(partition) else { return Ok(Next::Closed) };
            if self.is_closed.load(Ordering::Relaxed) {
                self.release(partition, own).await;
                return Ok(Next::Closed);
            }
            match self.leases.hold(partition) {
                Hold::Held(epoch) => {
                    if !self.acquire(partition, own, epoch, window).await? {
                        continue;
                    }
                }
                Hold::NotHeld => {
                    self.drop_prefetched(own);
                    change.await;
                    continue;
                }
                Hold::Revoking(_) => {
                    tracing::debug!(partition, "the partition is released to another process");
                    self.release(partition, own).await;
                    continue;
                }
            }
            self.read(partition, own, window).await?;
            let (batches, possibly_delivered) = {
                let buffer = own.buffer();
                let first = buffer.first(window);
                let possibly_delivered = buffer.possibly_delivered().among(first.len());
                (first, possibly_delivered)
            };
            if !batches.is_empty() {
                return Ok(Next::Send { batches, possibly_delivered });
            }
            // A lost notification is made up for then.
            let _elapsed = tokio::time::timeout(POLL_INTERVAL, change).await;
        }
    }

    /// Starts to read a partition whose lease is new. Returns whether this process still holds it.
    async fn acquire(
        &self,
        partition: u32,
        own: &Partition,
        lease_epoch: u64,
        window: Window,
    ) -> Result<bool, StorageError> {
        if own.buffer().lease_epoch == lease_epoch {
            return Ok(true);
        }
        self.drop_prefetched(own);
        let found = self.committed.read(partition).await.map_err(unavailable)?;
        // From now on requests are in flight, so the offset is not clean.
        let committed = match found.is_clean {
            true => self.committed.commit(partition, found, found.sequence).await.map_err(unavailable)?,
            false => Some(found),
        };
        let Some(committed) = committed else {
            self.leases.mark_lost(partition);
            return Ok(false);
        };
        tracing::debug!(
            partition,
            lease_epoch,
            committed = committed.sequence,
            found.is_clean,
            "this process delivers the partition"
        );
        own.buffer().start(lease_epoch, committed, (!found.is_clean).then_some(window));
        Ok(true)
    }

    /// Releases a partition that has no request in flight to another process. That has to treat its first batches as
    /// possibly delivered only if the receiver may have some of them.
    async fn release(&self, partition: u32, own: &Partition) {
        let (lease_epoch, committed, is_in_doubt) = {
            let buffer = own.buffer();
            (buffer.lease_epoch, buffer.committed, buffer.is_in_doubt())
        };
        self.drop_prefetched(own);
        if self.leases.hold(partition).has_epoch(lease_epoch)
            && !is_in_doubt
            && let Err(problem) = self.committed.commit_clean(partition, committed).await
        {
            tracing::debug!(
                partition,
                problem,
                "the next process has to treat its first batches as possibly delivered"
            );
        }
        self.leases.release(partition).await;
    }

    /// Reads the part of a window that is not prefetched.
    async fn read(&self, partition: u32, own: &Partition, window: Window) -> Result<(), StorageError> {
        let (missing, last) = {
            let buffer = own.buffer();
            (buffer.missing(window), buffer.read_to)
        };
        let Some(missing) = missing else { return Ok(()) };
        let found =
            read::read(&self.client, self.name(), partition, last, missing).await.map_err(unavailable)?;
        found.into_iter().for_each(|read| self.take(own, read));
        Ok(())
    }

    fn name(&self) -> &str {
        &self.stream.cached_info().config.name
    }

    fn take(&self, own: &Partition, Read { sequence, behind, batch }: Read) {
        let mut buffer = own.buffer();
        buffer.read_to = sequence;
        match batch {
            Ok((batch, accepted_at)) => {
                self.read.fetch_add(batch.points.into(), Ordering::Relaxed);
                let waited = Duration::from_millis(now_ms().saturating_sub(accepted_at).max(0) as u64);
                if buffer.is_empty() {
                    buffer.limit_possibly_delivered(behind + 1);
                }
                buffer.push(sequence, batch, waited);
            }
            Err(reason) => {
                if let Some(suppressed) = self.log_limiter.allow("unreadable", 1) {
                    let stream = self.name();
                    tracing::error!(
                        stream,
                        sequence,
                        reason,
                        suppressed,
                        "a message of the queue cannot be read, and is lost"
                    );
                }
            }
        }
    }

    /// Writes to the quarantine, before the batch is acknowledged. An error is logged.
    async fn keep(&self, quarantined: Vec<QuarantinedBatch>, partition: u32, place: u64) {
        let Some(files) = self.quarantine.clone().filter(|_| !quarantined.is_empty()) else { return };
        let keeping = tokio::task::spawn_blocking(move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.keep(&quarantined, partition, place).map_err(|error| error.to_string())
        });
        if let Err(problem) = keeping.await.unwrap_or_else(|error| Err(error.to_string()))
            && let Some(suppressed) = self.log_limiter.allow("quarantine", 1)
        {
            tracing::error!(
                partition,
                problem,
                suppressed,
                "rejected points could not be kept in quarantine"
            );
        }
    }

    /// Commits the offset of the last of the first `count` batches of a partition.
    async fn acknowledge_first(
        &self,
        partition: u32,
        count: usize,
        settlement: Settlement,
    ) -> Result<(), StorageError> {
        let Some(own) = self.partitions.get(partition as usize) else { return Ok(()) };
        let (committed, sequence) = {
            let buffer = own.buffer();
            (buffer.committed, buffer.last_sequence(count))
        };
        let Some(sequence) = sequence else { return Ok(()) };
        self.keep(settlement.quarantined, partition, sequence).await;
        match self.committed.commit(partition, committed, sequence).await.map_err(unavailable)? {
            Some(committed) => own.buffer().acknowledge(committed),
            None => {
                tracing::warn!(
                    partition,
                    sequence,
                    "another process has acknowledged batches that this one delivered"
                );
                own.buffer().acknowledge(CommittedOffset { sequence, ..committed });
                self.leases.mark_lost(partition);
            }
        }
        Ok(())
    }
}

fn open_quarantine(path: &Path, options: &Options) -> Result<Arc<Mutex<QuarantineFiles>>, OpenError> {
    let folder = Arc::new(Folder::reserve(&Directory::private(path))?);
    let files = QuarantineFiles::open(folder, options.max_bytes);
    let files = files.map_err(|error| FolderError::System { path: path.to_owned(), error })?;
    Ok(Arc::new(Mutex::new(files)))
}

fn unavailable(problem: String) -> StorageError {
    StorageError(format!("NATS: {problem}"))
}

impl Queue for JetStreamQueue {
    fn partitions(&self) -> u32 {
        self.shared.partitions.len() as u32
    }

    fn readers(&self) -> u32 {
        self.partitions()
    }

    fn append_followed(
        &self,
        payload: Vec<Batch>,
        ticket: Option<Ticket>,
    ) -> Pending<'_, Result<(), AppendError>> {
        Box::pin(async {
            // Its end, in whatever process, is not told.
            let _ends = Payload::new(0, ticket);
            self.try_append(payload, 0).await
        })
    }

    fn next(&self, partition: u32, window: Window) -> Pending<'_, Result<Next, StorageError>> {
        Box::pin(self.shared.next(partition, window))
    }

    fn note_sent(&self, partition: u32, sent: PossiblyDelivered) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async move {
            self.shared.note_sent(partition, Some(sent));
            Ok(())
        })
    }

    fn note_unsent(&self, partition: u32) -> Pending<'_, ()> {
        Box::pin(async move { self.shared.note_sent(partition, None) })
    }

    fn acknowledge(
        &self,
        partition: u32,
        batches: usize,
        settlement: Settlement,
    ) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(self.shared.acknowledge_first(partition, batches, settlement))
    }

    fn has_quarantine(&self) -> bool {
        self.shared.quarantine.is_some()
    }

    fn statistics(&self) -> Statistics {
        let shared = &self.shared;
        let buffers = shared.partitions.iter().map(|own| own.buffer().statistics());
        let (partitions, acknowledged): (_, Vec<u64>) = buffers.unzip();
        Statistics {
            payloads: shared.messages.load(Ordering::Relaxed),
            max_payloads: u64::MAX,
            max_bytes: shared.max_bytes,
            memory: 0,
            max_memory: 0,
            damaged_points: 0,
            damaged_file_bytes: 0,
            handed_over_points: shared.put.load(Ordering::Relaxed),
            taken_over_points: shared.read.load(Ordering::Relaxed),
            acknowledged_points: acknowledged.iter().sum(),
            partitions,
        }
    }

    fn close(&self) {
        self.shared.is_closed.store(true, Ordering::Relaxed);
        self.shared.changes.tell_all();
    }

    /// The reader of a partition releases it clean. All other partitions count as possibly delivered.
    fn shutdown(&self, _possibly_delivered: bool) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(async {
            self.release_all().await;
            Ok(())
        })
    }

    fn ownership(&self) -> Option<&dyn Ownership> {
        Some(self)
    }
}

impl Ownership for JetStreamQueue {
    fn is_held_for(&self, partition: u32, duration: Duration) -> bool {
        self.shared.leases.is_held_for(partition, duration)
    }

    fn is_lost(&self, partition: u32) -> bool {
        self.shared.leases.hold(partition) == Hold::NotHeld
    }
}
