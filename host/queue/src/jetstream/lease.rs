//! Who delivers which partition.
//!
//! The process that holds the lease of a partition delivers it. A lease is a key in a bucket of NATS, and expires if it is
//! not renewed. A process renews its leases early, and sends no request that could be in flight when a lease expires. Each
//! process takes a fair share: the partitions divided by the processes. A process with more revokes the leases above its
//! share, and releases each partition when it has no request in flight.

use crate::changes::Changes;
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Renewal runs this many times within the lifetime of a lease.
const ROUNDS: u32 = 6;

/// A lease is renewed after this part of its lifetime.
const RENEWED_AFTER: u32 = 3;

/// The leases of this process.
pub(super) struct Leases {
    bucket: Store,
    /// The name of this process in the bucket.
    worker: String,
    lease: Duration,
    partitions: Vec<Mutex<Lease>>,
    changes: Arc<Changes>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    held: Option<Held>,
    /// How many times this process took it.
    epoch: u64,
    is_revoking: bool,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    revision: u64,
    since: Instant,
}

/// The state of a lease, for the reader of its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Another process holds it, or none.
    NotHeld,
    /// This process holds it, in this epoch.
    Held(u64),
    /// This process holds it, in this epoch, and has to release it to another.
    Revoking(u64),
}

impl Hold {
    /// Whether this process has held it since this epoch began.
    pub fn has_epoch(self, epoch: u64) -> bool {
        matches!(self, Hold::Held(now) | Hold::Revoking(now) if now == epoch)
    }
}

fn partition_key(partition: u32) -> String {
    format!("partition.{partition}")
}

impl Leases {
    pub fn new(
        bucket: Store,
        worker: String,
        lease: Duration,
        partitions: u32,
        changes: Arc<Changes>,
    ) -> Self {
        let partitions = (0..partitions).map(|_| Mutex::default()).collect();
        Leases { bucket, worker, lease, partitions, changes }
    }

    /// Renews the leases and takes a fair share of the partitions. Never returns.
    pub async fn run_renewal(&self) {
        let mut rounds = interval(self.lease / ROUNDS);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let round = async {
                self.renew().await;
                self.rebalance().await
            };
            // A lost answer must not cost more than one round.
            let problem = match timeout(self.lease / 2, round).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "the servers do not answer".to_owned(),
            };
            tracing::warn!(problem, "lease renewal failed; partition ownership unchanged");
        }
    }

    pub fn hold(&self, partition: u32) -> Hold {
        let Some(lease) = self.lease(partition) else { return Hold::NotHeld };
        match lease.held {
            Some(held) if held.since.elapsed() >= self.lease => Hold::NotHeld,
            Some(_) if lease.is_revoking => Hold::Revoking(lease.epoch),
            Some(_) => Hold::Held(lease.epoch),
            None => Hold::NotHeld,
        }
    }

    /// Whether this process will hold a partition for this long, and does not have to release it.
    pub fn is_held_for(&self, partition: u32, duration: Duration) -> bool {
        let lease = self.lease(partition).filter(|lease| !lease.is_revoking);
        let held = lease.and_then(|lease| lease.held);
        held.is_some_and(|held| held.since.elapsed() + duration < self.lease)
    }

    /// Records that another process holds a partition.
    pub fn mark_lost(&self, partition: u32) {
        self.set(partition, None);
    }

    /// Releases a partition that has no request in flight.
    pub async fn release(&self, partition: u32) {
        let held = self.lease(partition).and_then(|mut lease| {
            lease.is_revoking = false;
            lease.held.take()
        });
        if let Some(held) = held {
            // If this fails, the lease expires.
            let _ = self.bucket.delete_expect_revision(partition_key(partition), Some(held.revision)).await;
        }
    }

    /// Releases all partitions.
    pub async fn release_all(&self) {
        let all = (0..self.partitions.len() as u32).map(|partition| self.release(partition));
        futures_util::future::join_all(all).await;
        let _expires = self.bucket.delete(self.worker_key()).await;
    }

    fn lease(&self, partition: u32) -> Option<MutexGuard<'_, Lease>> {
        // Nothing panics while it is held.
        Some(self.partitions.get(partition as usize)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn worker_key(&self) -> String {
        format!("worker.{}", self.worker)
    }

    fn value(&self) -> Bytes {
        Bytes::copy_from_slice(self.worker.as_bytes())
    }

    fn set(&self, partition: u32, held: Option<Held>) {
        if let Some(mut lease) = self.lease(partition) {
            if lease.held.is_none() && held.is_some() {
                lease.epoch += 1;
                lease.is_revoking = false;
            }
            lease.held = held;
        }
        self.changes.tell(partition);
    }

    fn held(&self) -> Vec<(u32, Held)> {
        let held = |partition| Some((partition, self.lease(partition)?.held?));
        (0..self.partitions.len() as u32).filter_map(held).collect()
    }

    async fn renew(&self) {
        let due =
            self.held().into_iter().filter(|(_, held)| held.since.elapsed() >= self.lease / RENEWED_AFTER);
        futures_util::future::join_all(due.map(|(partition, held)| self.renew_one(partition, held))).await;
    }

    async fn renew_one(&self, partition: u32, held: Held) {
        let since = Instant::now();
        let renewed = self.bucket.update(partition_key(partition), self.value(), held.revision).await;
        // It may have been released meanwhile.
        let is_current = |lease: &Lease| lease.held.is_some_and(|now| now.revision == held.revision);
        if !self.lease(partition).is_some_and(|lease| is_current(&lease)) {
            return;
        }
        match renewed {
            Ok(revision) => self.set(partition, Some(Held { revision, since })),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                tracing::warn!(partition, "another process took the partition over");
                self.set(partition, None);
            }
            Err(error) if held.since.elapsed() >= self.lease => {
                tracing::warn!(partition, %error, "the lease of the partition expired, since it could not be renewed");
                self.set(partition, None);
            }
            // The next round tries again.
            Err(error) => tracing::debug!(partition, %error, "a lease could not be renewed yet"),
        }
    }

    /// Takes free partitions up to a fair share, and revokes those above it.
    async fn rebalance(&self) -> Result<(), async_nats::Error> {
        self.bucket.put(self.worker_key(), self.value()).await?;
        let keys = self.bucket.keys().await?.boxed().try_collect::<BTreeSet<String>>().await?;
        let workers = keys.iter().filter(|key| key.starts_with("worker.")).count().max(1);
        let fair = self.partitions.len().div_ceil(workers);
        let held = self.held();
        for (index, (partition, _)) in held.iter().enumerate() {
            if let Some(mut lease) = self.lease(*partition) {
                lease.is_revoking = index >= fair;
            }
            if index >= fair {
                self.changes.tell(*partition);
            }
        }
        let free = (0..self.partitions.len() as u32).filter(|number| !keys.contains(&partition_key(*number)));
        let mut free: Vec<u32> = free.collect();
        // Not all processes try the same ones first.
        fastrand::shuffle(&mut free);
        let wanted = free.into_iter().take(fair.saturating_sub(held.len()));
        futures_util::future::join_all(wanted.map(|partition| self.take(partition))).await;
        Ok(())
    }

    async fn take(&self, partition: u32) {
        let since = Instant::now();
        match self.bucket.create(partition_key(partition), self.value()).await {
            Ok(revision) => self.set(partition, Some(Held { revision, since })),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
            Err(error) => tracing::debug!(partition, %error, "a partition could not be taken"),
        }
    }
}
