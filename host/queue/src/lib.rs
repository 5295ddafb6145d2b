//! What lies between acceptance and delivery: a log in partitions.
//!
//! A payload is appended whole or not at all, each partition is read in order by one reader, and
//! what was delivered is acknowledged from the front. Nothing leaves a queue in another way. That is
//! little enough for a log on disk, or one kept by several machines, to offer the same.

mod backlog;
mod changes;
pub mod durable;
#[cfg(feature = "jetstream")]
pub mod jetstream;
mod memory;
mod record;
mod settlement;
mod ticket;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

pub use durable::DurableQueue;
#[cfg(feature = "jetstream")]
pub use jetstream::JetStreamQueue;
pub use memory::MemoryQueue;
pub use settlement::{PointOutcome, QuarantinedBatch, Settlement};
pub use ticket::Ticket;

use preamp_contract::{Batch, PossiblyDelivered};
use tokio::sync::Notify;

/// A call in progress.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How much [`Queue::next`] returns at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Batches.
    pub batches: usize,
    /// Bytes of their bodies. The first batch is returned whatever its size.
    pub bytes: u64,
}

impl Window {
    /// What a request is made of at most: enough to fill one of AMP's limit of 1 MB many times over in the number of
    /// batches, and about once in their bytes. Where it is not known what was in flight, it can have been so much.
    pub const REQUEST: Window = Window { batches: 256, bytes: 1_000_000 };

    /// How many batches of these sizes are within it.
    fn count(self, sizes: impl Iterator<Item = u64>) -> usize {
        let mut bytes = 0;
        let fits = |size: &u64| {
            let first = bytes == 0;
            bytes += size;
            first || bytes <= self.bytes
        };
        sizes.take(self.batches.max(1)).take_while(fits).count()
    }
}

/// A limit of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The number of payloads waiting.
    Payloads,
    /// The number of points waiting.
    Points,
    /// The bytes of bodies waiting.
    Bytes,
    /// The bytes of memory that what waits takes.
    Memory,
}

impl Limit {
    /// A name fit for a metric label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Payloads => "payloads",
            Self::Points => "points",
            Self::Bytes => "bytes",
            Self::Memory => "memory",
        }
    }

    /// The unit of its numbers.
    fn unit(self) -> &'static str {
        match self {
            Self::Memory => "bytes of memory",
            other => other.name(),
        }
    }

    /// What helps if the receiver is fast enough.
    fn remedy(self) -> &'static str {
        match self {
            Self::Memory => "give the process more memory, or have senders send more points in each request",
            Self::Payloads | Self::Points | Self::Bytes => "raise the queue limits",
        }
    }
}

/// Why a payload was not appended. Nothing of it is in the queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A limit is reached. The sender shall try again later.
    #[error(
        "queue full: {waiting} {} waiting, {needed} more do not fit into {allowed}; senders are asked to retry \
         ({} if the receiver is fast enough, else look why it is not)",
        limit.unit(),
        limit.remedy()
    )]
    Full {
        /// Which limit.
        limit: Limit,
        /// How much of it is taken, in its unit.
        waiting: u64,
        /// How much the payload needs.
        needed: u64,
        /// The limit.
        allowed: u64,
    },
    /// The payload alone is larger than the queue may ever be, so trying again cannot help.
    #[error(
        "payload of {needed} bytes is larger than the whole queue of {allowed} bytes; raise the queue's limit of bytes"
    )]
    TooLarge {
        /// Bytes of the payload's bodies.
        needed: u64,
        /// The limit of bytes.
        allowed: u64,
    },
    /// A batch alone is larger than what the queue takes of one, so trying again cannot help.
    #[error(
        "batch of {needed} bytes, and a message of the queue's servers takes {allowed}; lower max_batch_size_bytes, or \
         raise their max_payload"
    )]
    BatchTooLarge {
        /// Bytes of the batch.
        needed: u64,
        /// The limit.
        allowed: u64,
    },
    /// A batch is of a partition that the queue does not have.
    #[error(
        "batch of partition {partition}, but the queue has {partitions}; component and queue must be configured alike"
    )]
    UnknownPartition {
        /// The partition of the batch.
        partition: u32,
        /// How many partitions there are.
        partitions: u32,
    },
    /// The disk is for others, too. The sender shall try again later.
    #[error(
        "{free} bytes are free on the disk of the queue, and {least} have to stay so (min_free_disk_bytes); senders are \
         asked to retry"
    )]
    DiskIsLow {
        /// Bytes free.
        free: u64,
        /// The limit.
        least: u64,
    },
    /// The disk is full. The sender shall try again later.
    #[error(
        "{directory}: the disk of the queue is full ({free} bytes free); what is queued is safe, senders are asked to \
         retry"
    )]
    DiskIsFull {
        /// The folder of the queue.
        directory: String,
        /// Bytes free.
        free: u64,
    },
    /// The queue takes no more, because the process is stopping.
    #[error("queue closed: the process is stopping")]
    Closed,
    /// What holds the queue failed; what and where.
    #[error("queue storage: {0}")]
    Storage(String),
}

impl AppendError {
    /// The limits there are, by names fit for a metric label.
    pub const LIMITS: [&str; 5] = ["payloads", "points", "bytes", "memory", "disk"];

    /// Which of them is reached, if that is why.
    #[must_use]
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Full { limit, .. } => Some(limit.name()),
            Self::DiskIsLow { .. } | Self::DiskIsFull { .. } => Some("disk"),
            _ => None,
        }
    }
}

/// What holds the queue failed while it was read or acknowledged; what and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("queue storage: {0}")]
pub struct StorageError(pub String);

/// What waits in one partition, those being delivered included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatistics {
    /// Batches.
    pub batches: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// OTLP points in them.
    pub points: u64,
    /// Samples in them.
    pub samples: u64,
    /// How long the oldest of them has been waiting.
    pub oldest: Option<Duration>,
}

/// What waits in a queue, those being delivered included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Payloads of which at least one batch is not acknowledged.
    pub payloads: u64,
    /// The most payloads taken; as many as there can be if something else is the limit.
    pub max_payloads: u64,
    /// The most bytes taken.
    pub max_bytes: u64,
    /// Bytes of memory that what waits takes, and the most; both are 0 where there is no such limit.
    pub memory: u64,
    /// See `memory`.
    pub max_memory: u64,
    /// Points that were lost since the queue was opened, because what holds it did not keep them.
    pub damaged_points: u64,
    /// Bytes of files with damage in which nothing waits, which are kept to be looked at.
    pub damaged_file_bytes: u64,
    /// Points that this process put, or left, where another may take them from. Those that are then taken by itself
    /// are among these as well.
    pub handed_over_points: u64,
    /// Points that this process took from there.
    pub taken_over_points: u64,
    /// Points of the batches that were acknowledged since the queue was opened. Counted in the same moment in which
    /// they do not wait any more.
    pub acknowledged_points: u64,
    /// Each partition, by its number.
    pub partitions: Vec<PartitionStatistics>,
}

impl PartitionStatistics {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            batches: self.batches + other.batches,
            bytes: self.bytes + other.bytes,
            points: self.points + other.points,
            samples: self.samples + other.samples,
            oldest: self.oldest.max(other.oldest),
        }
    }
}

impl Statistics {
    /// All partitions together.
    #[must_use]
    pub fn total(&self) -> PartitionStatistics {
        self.partitions.iter().copied().fold(PartitionStatistics::default(), PartitionStatistics::plus)
    }
}

/// What is first in a partition. It stays there until it is acknowledged.
#[derive(Clone, Debug, Default)]
pub enum Next {
    /// Batches to be sent, in order.
    Send {
        /// At least one.
        batches: Vec<Arc<Batch>>,
        /// Those of them that were sent before, by this process or an earlier one, and not acknowledged.
        possibly_delivered: PossiblyDelivered,
    },
    /// Batches that make room for others: they are to be acknowledged without being sent.
    Evict {
        /// At least one.
        batches: Vec<Arc<Batch>>,
    },
    /// Nothing, and nothing will come any more: the queue is closed, or there is no such partition.
    #[default]
    Closed,
}

/// A log in partitions. One reader per partition; any number of writers.
pub trait Queue: Send + Sync {
    /// How many partitions payloads are shared out to.
    fn partitions(&self) -> u32;

    /// How many partitions have to be read, from 0 on: more than there are now if something waits from a time when
    /// there were more.
    fn readers(&self) -> u32;

    /// Appends the batches of one payload as one unit, each to its partition. Returns when they are
    /// as safe as this queue makes them. A payload without batches is taken without a trace.
    ///
    /// # Errors
    /// When the payload is refused; then nothing of it is in the queue.
    fn append(&self, payload: Vec<Batch>) -> Pending<'_, Result<(), AppendError>> {
        self.append_followed(payload, None)
    }

    /// The same, with a ticket that tells when all of it has left the queue. A queue that is shared with other
    /// processes does not know that, and tells it at once.
    ///
    /// # Errors
    /// As for `append`.
    fn append_followed(
        &self,
        payload: Vec<Batch>,
        ticket: Option<Ticket>,
    ) -> Pending<'_, Result<(), AppendError>>;

    /// Waits until there is something to do in `partition`, then returns its first batches within `window`, in order.
    /// May be dropped while waiting.
    ///
    /// # Errors
    /// When what holds the queue cannot be read.
    fn next(&self, partition: u32, window: Window) -> Pending<'_, Result<Next, StorageError>>;

    /// Notes what the receiver may have of the first batches of a partition, before the request is sent, until they are
    /// acknowledged. Where it can be, it is noted for the next process, too.
    ///
    /// # Errors
    /// When the next process would find what is not true any more. The request must not be sent then.
    fn note_sent(&self, partition: u32, sent: PossiblyDelivered) -> Pending<'_, Result<(), StorageError>>;

    /// Takes that back: the receiver has nothing of what waits in a partition.
    fn note_unsent(&self, partition: u32) -> Pending<'_, ()>;

    /// Acknowledges the first `batches` of `partition`; `settlement` records the outcome of each point. Durable on
    /// return: a crash after it repeats none of them.
    ///
    /// # Errors
    /// When that cannot be recorded; the batches may come back then.
    fn acknowledge(
        &self,
        partition: u32,
        batches: usize,
        settlement: Settlement,
    ) -> Pending<'_, Result<(), StorageError>>;

    /// Whether the queue keeps the quarantined batches of a settlement.
    fn has_quarantine(&self) -> bool;

    /// What waits.
    fn statistics(&self) -> Statistics;

    /// Takes no more payloads. What waits can still be read, and readers of empty partitions return.
    fn close(&self);

    /// Leaves what waits to the next process: writes the clean-shutdown marker, unless what is first was possibly
    /// delivered. Nothing can be read or acknowledged any more.
    ///
    /// # Errors
    /// When the marker cannot be written; then the next process takes it for a crash.
    fn shutdown(&self, possibly_delivered: bool) -> Pending<'_, Result<(), StorageError>>;

    /// Its capacity, if that is all this process'. A shared queue has none: whoever accepts does not deliver.
    fn capacity(&self) -> Option<&dyn Capacity> {
        None
    }

    /// Who delivers which partition, if it is shared with other processes.
    fn ownership(&self) -> Option<&dyn Ownership> {
        None
    }
}

/// The capacity of a queue that no other process uses.
pub trait Capacity: Send + Sync {
    /// Whether there is room for a payload at the moment.
    ///
    /// # Errors
    /// Why there is none.
    fn has_room_for(&self, payload: &[Batch]) -> Result<(), AppendError>;

    /// Waits until there is room for a payload, or never will be. If it `may_evict`, the oldest payloads make room.
    /// May be dropped while waiting.
    fn until_room_for<'a>(&'a self, payload: &'a [Batch], may_evict: bool) -> Pending<'a, ()>;

    /// Has the oldest payloads make room for others, a small part of all. Whoever reads their partitions is told to
    /// [evict](Next::Evict) them. Does nothing while some are to be evicted.
    fn evict_oldest(&self);

    /// Whether the first batches of a partition are to be evicted.
    fn is_evicting(&self, partition: u32) -> bool;

    /// Waits until they are. May be dropped while waiting.
    fn until_evicting(&self, partition: u32) -> Pending<'_, ()>;

    /// Waits until as many points wait in a partition, or the queue is closed. May be dropped while waiting.
    fn until_points(&self, partition: u32, points: u64) -> Pending<'_, ()>;
}

/// Which partitions of a shared queue are this process' to deliver: leases, which end by themselves.
pub trait Ownership: Send + Sync {
    /// Whether a partition is this process', and will be for so long.
    fn is_held_for(&self, partition: u32, duration: Duration) -> bool;

    /// Whether another process may deliver a partition by now, and settle it.
    fn is_lost(&self, partition: u32) -> bool;
}

/// How often a disk is looked at that others fill.
const DISK_INTERVAL: Duration = Duration::from_secs(1);

/// Waits until there is room for a payload; `freed` is told of whatever leaves the queue.
async fn wait_for_room(queue: &dyn Capacity, freed: &Notify, payload: &[Batch], may_evict: bool) {
    loop {
        let mut change = pin!(freed.notified());
        // It sees every change from now on.
        change.as_mut().enable();
        match queue.has_room_for(payload) {
            Err(AppendError::Full { .. }) => {
                if may_evict {
                    queue.evict_oldest();
                }
                change.await;
            }
            // Room that others make is not told of, and evicting would make none.
            Err(AppendError::DiskIsLow { .. }) => {
                let _elapsed = tokio::time::timeout(DISK_INTERVAL, change).await;
            }
            _ => return,
        }
    }
}
