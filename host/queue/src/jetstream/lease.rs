//! Who delivers which partition.
//!
//! A partition is delivered by the process that holds its lease: an entry in a bucket of NATS that ends by itself if
//! it is not renewed. A process renews its leases early, and sends nothing that might still be under way when one
//! has ended. Each takes its share: the partitions divided by the processes that are there. One that has more gives
//! up what is above it, each partition once nothing of it is under way.

use crate::changes::Changes;
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Leases are looked after this many times before one ends.
const ROUNDS: u32 = 6;

/// One is renewed once this part of it is over.
const RENEWED_AFTER: u32 = 3;

/// The leases of this process.
pub(super) struct Leases {
    bucket: Store,
    /// What this process is called in the bucket.
    worker: String,
    lease: Duration,
    partitions: Vec<Mutex<Lease>>,
    changes: Arc<Changes>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    held: Option<Held>,
    /// How many times it was taken.
    times: u64,
    is_to_be_given_up: bool,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    revision: u64,
    since: Instant,
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Another process has it, or nobody.
    NotHeld,
    /// It is held, for this many times by now.
    Held(u64),
    /// It is held, for this many times by now, and another process shall have it.
    ToBeGivenUp(u64),
}

impl Hold {
    /// Whether it is held since it was taken for this many times.
    pub fn is_of(self, times: u64) -> bool {
        matches!(self, Hold::Held(now) | Hold::ToBeGivenUp(now) if now == times)
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

    /// Keeps this process in the round, for ever.
    pub async fn tend(&self) {
        let mut rounds = interval(self.lease / ROUNDS);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let round = async {
                self.renew().await;
                self.share().await
            };
            // An answer that was lost must not cost more than one round.
            let problem = match timeout(self.lease / 2, round).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "the servers do not answer".to_owned(),
            };
            tracing::warn!(
                problem,
                "it cannot be agreed on who delivers which partition; they stay where they are"
            );
        }
    }

    pub fn hold(&self, partition: u32) -> Hold {
        let Some(lease) = self.lease(partition) else { return Hold::NotHeld };
        match lease.held {
            Some(held) if held.since.elapsed() >= self.lease => Hold::NotHeld,
            Some(_) if lease.is_to_be_given_up => Hold::ToBeGivenUp(lease.times),
            Some(_) => Hold::Held(lease.times),
            None => Hold::NotHeld,
        }
    }

    /// Whether a partition will be held for so long, and no other process shall have it.
    pub fn is_held_for(&self, partition: u32, duration: Duration) -> bool {
        let lease = self.lease(partition).filter(|lease| !lease.is_to_be_given_up);
        let held = lease.and_then(|lease| lease.held);
        held.is_some_and(|held| held.since.elapsed() + duration < self.lease)
    }

    /// Another process has a partition.
    pub fn lose(&self, partition: u32) {
        self.set(partition, None);
    }

    /// Lets another process have a partition, of which nothing is under way.
    pub async fn give_up(&self, partition: u32) {
        let held = self.lease(partition).and_then(|mut lease| {
            lease.is_to_be_given_up = false;
            lease.held.take()
        });
        if let Some(held) = held {
            // If it fails, the lease ends by itself.
            let _ = self.bucket.delete_expect_revision(partition_key(partition), Some(held.revision)).await;
        }
    }

    /// Gives up everything.
    pub async fn leave(&self) {
        let all = (0..self.partitions.len() as u32).map(|partition| self.give_up(partition));
        futures_util::future::join_all(all).await;
        let _ends_by_itself = self.bucket.delete(self.worker_key()).await;
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
                lease.times += 1;
                lease.is_to_be_given_up = false;
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
        // It may have been given up meanwhile.
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
                tracing::warn!(partition, %error, "the lease of the partition ended, since it could not be renewed");
                self.set(partition, None);
            }
            // It is tried again in the next round.
            Err(error) => tracing::debug!(partition, %error, "a lease could not be renewed"),
        }
    }

    /// Takes what nobody has up to a fair share, or makes known what is above it.
    async fn share(&self) -> Result<(), async_nats::Error> {
        self.bucket.put(self.worker_key(), self.value()).await?;
        let keys = self.bucket.keys().await?.boxed().try_collect::<BTreeSet<String>>().await?;
        let workers = keys.iter().filter(|key| key.starts_with("worker.")).count().max(1);
        let fair = self.partitions.len().div_ceil(workers);
        let held = self.held();
        for (index, (partition, _)) in held.iter().enumerate() {
            if let Some(mut lease) = self.lease(*partition) {
                lease.is_to_be_given_up = index >= fair;
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
