//! The queue in NATS JetStream, which several processes share.
//!
//! A batch is a message of a stream, under the subject of its partition. A partition is read by the process that has
//! its [lease](lease), from its [floor](floors) on, up to which everything is settled: whoever takes one over finds all
//! that is not, in order. What all partitions have settled is [removed](compaction) from the stream.

mod compaction;
mod error;
mod floors;
mod hand;
mod lease;
mod message;
mod publish;
mod read;
mod stream;

use super::changes::Changes;
use super::durable::{Folder, FolderError, SetAsideFiles};
use super::ticket::Payload;
use super::{
    AppendError, Next, Ownership, Pending, Queue, SetAside, Settlement, Statistics, StorageError, Ticket,
    Window,
};
use async_nats::Client;
use async_nats::jetstream::stream::Stream;
pub use error::OpenError;
use floors::{Floor, Floors};
use hand::Hand;
use lease::{Hold, Leases};
use preamp_base::Directory;
use preamp_base::LogLimiter;
use preamp_base::clock::now_ms;
use preamp_contract::Batch;
use publish::Publisher;
use read::Read;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

/// How often it is looked whether something waits that was not told of.
const LOOK: Duration = Duration::from_secs(1);

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
    /// On how many servers.
    pub replicas: u32,
    /// How long a process that is not heard of keeps its partitions.
    pub lease: Duration,
    /// Where what is set aside is kept, in files of this process.
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
    quarantine: Option<Arc<Mutex<SetAsideFiles>>>,
    leases: Leases,
    floors: Floors,
    /// Told when there is no room in the stream.
    is_full: Notify,
    changes: Arc<Changes>,
    partitions: Vec<Partition>,
    max_bytes: u64,
    is_closed: AtomicBool,
    /// Points that this process put into the stream or left there, and those that it read from there.
    put: AtomicU64,
    read: AtomicU64,
    /// What waits in the stream, as it was looked at last.
    messages: AtomicU64,
    log_limiter: LogLimiter,
}

#[derive(Default)]
struct Partition {
    hand: Mutex<Hand>,
}

impl Partition {
    /// Nothing panics while it is held.
    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (stream, floors, bucket) = stream::open_all(&context, options).await?;
        let changes = Arc::new(Changes::new(options.partitions));
        let worker = format!("{:016x}", fastrand::u64(..));
        let shared = Arc::new(Shared {
            floors: Floors::new(client.clone(), floors, worker.clone(), &stream),
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
        let (of_leases, of_compaction, of_bells) = (shared.clone(), shared.clone(), shared.clone());
        let tasks = vec![
            AbortOnDropHandle::new(tokio::spawn(async move { of_leases.leases.tend().await })),
            AbortOnDropHandle::new(tokio::spawn(async move { of_compaction.keep_compact().await })),
            AbortOnDropHandle::new(tokio::spawn(async move {
                read::listen(&of_bells.client, of_bells.name(), &of_bells.changes).await;
            })),
        ];
        let publisher = Publisher::new(client, options.stream.clone(), options.max_bytes);
        Ok(JetStreamQueue { shared, publisher, tasks: Mutex::new(tasks) })
    }

    /// Puts a batch that was set aside back into the queue, also if it was there moments ago.
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
        read::ring(&shared.client, shared.name(), partitions).await;
        Ok(())
    }

    async fn release_all(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
        self.shared.partitions.iter().for_each(|partition| self.shared.lay_down(partition));
        self.shared.leases.leave().await;
    }
}

fn points(batches: &[Batch]) -> u64 {
    batches.iter().map(|batch| u64::from(batch.points)).sum()
}

impl Shared {
    /// Leaves what was read of a partition to whoever reads it next.
    fn lay_down(&self, partition: &Partition) {
        self.put.fetch_add(partition.hand().drop_all(), Ordering::Relaxed);
    }

    async fn next(&self, partition: u32, window: Window) -> Result<Next, StorageError> {
        let Some(own) = self.partitions.get(partition as usize) else { return Ok(Next::Closed) };
        loop {
            // Made before the state is looked at, since it sees every change from then on.
            let Some(change) = self.changes.next(partition) else { return Ok(Next::Closed) };
            if self.is_closed.load(Ordering::Relaxed) {
                self.leave(partition, own).await;
                return Ok(Next::Closed);
            }
            match self.leases.hold(partition) {
                Hold::Held(times) => {
                    if !self.take_up(partition, own, times, window).await? {
                        continue;
                    }
                }
                Hold::NotHeld => {
                    self.lay_down(own);
                    change.await;
                    continue;
                }
                Hold::ToBeGivenUp(_) => {
                    tracing::debug!(partition, "another process shall deliver the partition");
                    self.leave(partition, own).await;
                    continue;
                }
            }
            self.read(partition, own, window).await?;
            let (batches, possibly_delivered) = {
                let hand = own.hand();
                (hand.first(window), hand.is_taken_over())
            };
            if !batches.is_empty() {
                return Ok(Next::Send { batches, possibly_delivered });
            }
            // A change that was not told is seen then.
            let _elapsed = tokio::time::timeout(LOOK, change).await;
        }
    }

    /// Begins to read a partition that was taken anew. Whether it is this process' after all.
    async fn take_up(
        &self,
        partition: u32,
        own: &Partition,
        times: u64,
        window: Window,
    ) -> Result<bool, StorageError> {
        if own.hand().of == times {
            return Ok(true);
        }
        self.lay_down(own);
        let found = self.floors.read(partition).await.map_err(unavailable)?;
        // What is sent from now on is under way.
        let floor = match found.is_clean {
            true => self.floors.raise(partition, found, found.sequence).await.map_err(unavailable)?,
            false => Some(found),
        };
        let Some(floor) = floor else {
            self.leases.lose(partition);
            return Ok(false);
        };
        tracing::debug!(
            partition,
            times,
            floor = floor.sequence,
            found.is_clean,
            "this process delivers the partition"
        );
        own.hand().take_over(times, floor, (!found.is_clean).then_some(window));
        Ok(true)
    }

    /// Lets another process have a partition, of which nothing is under way.
    async fn leave(&self, partition: u32, own: &Partition) {
        self.lay_down(own);
        let (of, floor) = {
            let hand = own.hand();
            (hand.of, hand.floor)
        };
        if self.leases.hold(partition).is_of(of)
            && let Err(problem) = self.floors.leave_clean(partition, floor).await
        {
            tracing::debug!(partition, problem, "whoever takes the partition over has to be careful");
        }
        self.leases.give_up(partition).await;
    }

    /// Reads as much as a window lacks.
    async fn read(&self, partition: u32, own: &Partition, window: Window) -> Result<(), StorageError> {
        let (missing, last) = {
            let hand = own.hand();
            (hand.missing(window), hand.read_to)
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
        let mut hand = own.hand();
        hand.read_to = sequence;
        match batch {
            Ok((batch, accepted_at)) => {
                self.read.fetch_add(batch.points.into(), Ordering::Relaxed);
                let waited = Duration::from_millis(now_ms().saturating_sub(accepted_at).max(0) as u64);
                if hand.is_empty() {
                    hand.were_there(behind + 1);
                }
                hand.push(sequence, batch, waited);
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

    /// Keeps what is set aside, before it is settled. What cannot be kept is told of.
    async fn keep(&self, set_aside: Vec<SetAside>, partition: u32, place: u64) {
        let Some(files) = self.quarantine.clone().filter(|_| !set_aside.is_empty()) else { return };
        let keeping = tokio::task::spawn_blocking(move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.keep(&set_aside, partition, place).map_err(|error| error.to_string())
        });
        if let Err(problem) = keeping.await.unwrap_or_else(|error| Err(error.to_string()))
            && let Some(suppressed) = self.log_limiter.allow("set-aside", 1)
        {
            tracing::error!(
                partition,
                problem,
                suppressed,
                "rejected points could not be kept in quarantine"
            );
        }
    }

    /// Raises the floor of a partition above its first batches.
    async fn settle(&self, partition: u32, count: usize, settlement: Settlement) -> Result<(), StorageError> {
        let Some(own) = self.partitions.get(partition as usize) else { return Ok(()) };
        let (floor, place) = {
            let hand = own.hand();
            (hand.floor, hand.place(count))
        };
        let Some(place) = place else { return Ok(()) };
        self.keep(settlement.set_aside, partition, place).await;
        match self.floors.raise(partition, floor, place).await.map_err(unavailable)? {
            Some(floor) => own.hand().settle(floor),
            None => {
                tracing::warn!(partition, place, "another process has settled what this one delivered");
                own.hand().settle(Floor { sequence: place, ..floor });
                self.leases.lose(partition);
            }
        }
        Ok(())
    }
}

fn open_quarantine(path: &Path, options: &Options) -> Result<Arc<Mutex<SetAsideFiles>>, OpenError> {
    let folder = Arc::new(Folder::reserve(&Directory::private(path))?);
    let files = SetAsideFiles::open(folder, options.max_bytes);
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

    fn acknowledge(
        &self,
        partition: u32,
        batches: usize,
        settlement: Settlement,
    ) -> Pending<'_, Result<(), StorageError>> {
        Box::pin(self.shared.settle(partition, batches, settlement))
    }

    fn keeps_set_aside(&self) -> bool {
        self.shared.quarantine.is_some()
    }

    fn statistics(&self) -> Statistics {
        let shared = &self.shared;
        let hands = shared.partitions.iter().map(|own| own.hand().statistics());
        let (partitions, acknowledged): (_, Vec<u64>) = hands.unzip();
        Statistics {
            payloads: shared.messages.load(Ordering::Relaxed),
            max_payloads: u64::MAX,
            max_bytes: shared.max_bytes,
            damaged_points: 0,
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

    /// A partition is left clean only by who reads it to the end, so that all others are possibly delivered already.
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
