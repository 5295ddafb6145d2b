//! The worker of one partition: takes what waits, gets it delivered, acknowledges it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use super::sender::{Abandoned, End, Sender};
use crate::component::Batch;
use crate::config::Batching;
use crate::queue::{Outcome, Settlement, StorageError, Window};

/// What is looked at when more than one batch waits. Enough to fill a request of AMP's limit of
/// 1 MB many times over in the number of batches, and about once in their bytes.
const WINDOW: Window = Window { batches: 256, bytes: 1_000_000 };

/// A u32 of series is down to one after this many halvings.
const MAX_HALVINGS: u32 = 32;

/// How often it is looked whether enough waits, while more is waited for.
const LOOKS: u32 = 8;

/// The pause after what holds the queue failed.
const STORAGE_PAUSE: Duration = Duration::from_secs(1);

/// Keeps a worker running until its partition is closed and empty. Were it to panic, its partition
/// would otherwise stand still for ever while all others look well.
pub(super) async fn supervise(shared: Arc<Shared>, partition: u32) {
    loop {
        let worker = Worker { shared: Arc::clone(&shared), partition };
        let running = AbortOnDropHandle::new(tokio::spawn(async move { worker.run().await }));
        match running.await {
            Ok(()) => return,
            Err(error) => tracing::error!(partition, %error, "a delivery worker failed and is started again"),
        }
        tokio::time::sleep(STORAGE_PAUSE).await;
    }
}

struct Worker {
    shared: Arc<Shared>,
    partition: u32,
}

impl Worker {
    async fn run(&self) {
        let handing_over = &self.shared.handing_over;
        let peek = || self.shared.parts.queue.peek(self.partition, WINDOW);
        while let Some(peeked) = handing_over.run_until_cancelled(peek()).await {
            match peeked {
                Ok(waiting) if waiting.is_empty() => return,
                Ok(waiting) => match self.filled(waiting).await {
                    Ok(waiting) => {
                        if self.deliver_all(waiting).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => self.storage_failed(&error).await,
                },
                Err(error) => self.storage_failed(&error).await,
            }
        }
    }

    /// What waits once it is enough for a full request, or was given time to become so. It waits in the queue.
    async fn filled(&self, waiting: Vec<Arc<Batch>>) -> Result<Vec<Arc<Batch>>, StorageError> {
        let Shared { parts, closing, handing_over, .. } = &*self.shared;
        let Some(Batching { timeout, points }) = parts.batching else { return Ok(waiting) };
        let share = points / u64::from(parts.queue.partitions().max(1));
        let until_enough = async {
            loop {
                let partitions = parts.queue.statistics().partitions;
                if partitions.get(self.partition as usize).is_none_or(|own| own.points >= share) {
                    return;
                }
                tokio::time::sleep(timeout / LOOKS).await;
            }
        };
        tokio::select! {
            () = until_enough => {}
            () = tokio::time::sleep(timeout) => {}
            () = closing.cancelled() => return Ok(waiting),
            () = handing_over.cancelled() => return Ok(waiting),
        }
        parts.queue.peek(self.partition, WINDOW).await
    }

    async fn deliver_all(&self, waiting: Vec<Arc<Batch>>) -> Result<(), Abandoned> {
        let mut settlement = Settlement::default();
        for parcel in self.shared.coalesce(waiting).await {
            if self.shared.handing_over.is_cancelled() {
                return Err(Abandoned);
            }
            self.deliver(parcel.batch, &mut settlement).await?;
            if parcel.covers > 0 {
                self.acknowledge(parcel.covers, parcel.points, std::mem::take(&mut settlement)).await;
            }
        }
        Ok(())
    }

    /// Brings a batch to its end, in parts if need be, the first part first.
    async fn deliver(&self, batch: Arc<Batch>, settlement: &mut Settlement) -> Result<(), Abandoned> {
        let mut settle = |outcome: Outcome, piece: &Batch| {
            self.settle(&outcome, piece);
            settlement.add(outcome, piece.points.into());
        };
        let mut pieces = vec![(batch, 0)];
        // Whether the receiver has no part of the batch yet.
        let mut is_untouched = true;
        while let Some((piece, halvings)) = pieces.pop() {
            if self.shared.fallback.concerns(&piece) {
                match self.shared.downgrade(&piece).await {
                    Some(parts) => pieces.extend(parts.into_iter().rev().map(|part| (part, halvings))),
                    None => settle(Outcome::Rejected("unsupported-protocol".to_owned()), &piece),
                }
                continue;
            }
            match Sender::new(&self.shared, &piece, is_untouched).send().await? {
                End::Settled(outcome) => {
                    is_untouched = false;
                    settle(outcome, &piece);
                }
                End::Halve(reason) => match self.halve(&piece, halvings).await {
                    Some((first, second)) => {
                        pieces.push((Arc::new(second), halvings + 1));
                        pieces.push((Arc::new(first), halvings + 1));
                    }
                    None => settle(Outcome::Rejected(reason), &piece),
                },
                End::Downgrade(explanation) => {
                    self.shared.fall_back(&explanation);
                    pieces.push((piece, halvings));
                }
            }
        }
        Ok(())
    }

    /// The two halves of a batch, or nothing if it cannot be halved: it is a single series, or not
    /// one the component can read.
    async fn halve(&self, batch: &Batch, halvings: u32) -> Option<(Batch, Batch)> {
        if halvings >= MAX_HALVINGS || batch.series < 2 {
            return None;
        }
        match self.shared.parts.exporters.halve(batch.clone()).await {
            Ok(Ok(halves)) => Some(halves),
            Ok(Err(error)) => {
                tracing::warn!(partition = self.partition, ?error, "cannot halve a batch");
                None
            }
            Err(error) => {
                tracing::error!(partition = self.partition, %error, "cannot halve a batch");
                None
            }
        }
    }

    fn settle(&self, outcome: &Outcome, batch: &Batch) {
        let metrics = &self.shared.parts.metrics;
        let points = u64::from(batch.points);
        metrics.delivery.settled(outcome, points, batch.into(), batch.last);
        metrics.ledger.settled(outcome, points);
    }

    /// Acknowledges until it is recorded: the next batch must not be sent before, or a crash would
    /// repeat more than one request.
    async fn acknowledge(&self, count: usize, points: u64, settlement: Settlement) {
        let parts = &self.shared.parts;
        while let Err(error) = parts.queue.acknowledge(self.partition, count, settlement.clone()).await {
            self.storage_failed(&error).await;
        }
        parts.metrics.ledger.acknowledged(points);
    }

    async fn storage_failed(&self, error: &StorageError) {
        if let Some(held_back) = self.shared.notices.admit("storage", 1) {
            tracing::error!(partition = self.partition, %error, held_back, "the queue failed; trying again");
        }
        tokio::time::sleep(STORAGE_PAUSE).await;
    }
}
