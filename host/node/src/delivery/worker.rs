//! The worker of one partition: takes what waits, gets it delivered, acknowledges it.

mod settling;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::Shared;
use super::bisection::Bisection;
use super::coalesce::{self, Parcel};
use super::sender::{Abandoned, End, Refusal, Sender};
use preamp_config::Batching;
use preamp_contract::{Batch, Pruned};
use preamp_queue::{Outcome, Settlement, StorageError, Window};

/// What is looked at when more than one batch waits. Enough to fill a request of AMP's limit of
/// 1 MB many times over in the number of batches, and about once in their bytes.
const WINDOW: Window = Window { batches: 256, bytes: 1_000_000 };

/// The reason of the contract for a request that is too large (status 413).
const TOO_LARGE: &str = "too-large";

/// A u32 of series is down to one after this many halvings.
const MAX_HALVINGS: u32 = 32;

/// A receiver that rolls back stores all of a request or nothing. Once this many series of one that this worker sent
/// and got no answer to were refused as repeats, one by one, it was stored: the others are not asked about. How an
/// earlier process cut its requests is not known, so what it may have sent is asked about to the end.
const REPEATS: u32 = 16;

/// How often it is looked whether enough waits, while more is waited for.
const LOOKS: u32 = 8;

/// The pause after what holds the queue failed.
const STORAGE_PAUSE: Duration = Duration::from_secs(1);

/// Keeps a worker running until its partition is closed and empty. Were it to panic, its partition
/// would otherwise stand still for ever while all others look well.
pub(super) async fn supervise(shared: Arc<Shared>, partition: u32) {
    let mut may_be_repeat = shared.parts.may_be_repeat;
    loop {
        let mut worker = Worker { shared: Arc::clone(&shared), partition, may_be_repeat };
        let running = AbortOnDropHandle::new(tokio::spawn(async move { worker.run().await }));
        match running.await {
            Ok(()) => return,
            Err(error) => tracing::error!(partition, %error, "a delivery worker failed and is started again"),
        }
        may_be_repeat = true;
        tokio::time::sleep(STORAGE_PAUSE).await;
    }
}

struct Worker {
    shared: Arc<Shared>,
    partition: u32,
    /// Whether another one may have sent what waits first, and did not get to record it.
    may_be_repeat: bool,
}

/// A part of what is delivered.
struct Piece {
    batch: Arc<Batch>,
    halvings: u32,
    may_be_repeat: bool,
    /// Whether this worker has sent it before, as a part of one request of which it is not known what became.
    was_sent_whole: bool,
    /// Whether there is something in the batch that the receiver will never take.
    is_suspect: bool,
}

impl Piece {
    /// Its halves, the second one first, since what was put away last is taken first.
    fn halves(&self, (first, second): (Batch, Batch)) -> [Piece; 2] {
        let halvings = self.halvings + 1;
        [second, first].map(|batch| Piece { halvings, ..self.part(Arc::new(batch)) })
    }

    /// A part of it that is treated as it is.
    fn part(&self, batch: Arc<Batch>) -> Piece {
        let Piece { halvings, may_be_repeat, was_sent_whole, is_suspect, .. } = *self;
        Piece { batch, halvings, may_be_repeat, was_sent_whole, is_suspect }
    }

    /// The same after it was refused.
    fn refused(self, refusal: &Refusal) -> Piece {
        let was_sent_whole = self.was_sent_whole || (refusal.may_be_repeat && !self.may_be_repeat);
        let is_suspect = self.is_suspect || !(refusal.reason == TOO_LARGE || refusal.is_of_repeat());
        Piece { may_be_repeat: refusal.may_be_repeat, was_sent_whole, is_suspect, ..self }
    }
}

impl Worker {
    async fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        let partition = self.partition;
        let peek = || shared.parts.queue.peek(partition, WINDOW);
        while let Some(peeked) = shared.handing_over.run_until_cancelled(peek()).await {
            match peeked {
                Ok(waiting) if waiting.is_empty() => return,
                Ok(waiting) if self.given_up(&waiting) > 0 => {
                    // What another one may have sent together with it waits behind it.
                    self.may_be_repeat |= shared.parts.queue.is_taken_over(partition);
                    self.give_up(&waiting[..self.given_up(&waiting)]).await;
                }
                Ok(waiting) => match self.filled(waiting).await {
                    Ok(waiting) => match self.deliver_all(waiting).await {
                        // No worker sends more at once.
                        Ok(()) => self.may_be_repeat = false,
                        Err(Abandoned::GivenUp { may_be_repeat }) => self.may_be_repeat = may_be_repeat,
                        Err(Abandoned::Lost) => {}
                        Err(Abandoned::Stopping { may_be_repeat }) => {
                            shared.is_in_doubt.fetch_or(may_be_repeat, Ordering::Relaxed);
                            return;
                        }
                    },
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
            biased;
            () = until_enough => {}
            () = tokio::time::sleep(timeout) => {}
            () = closing.cancelled() => return Ok(waiting),
            () = handing_over.cancelled() => return Ok(waiting),
        }
        parts.queue.peek(self.partition, WINDOW).await
    }

    async fn deliver_all(&self, waiting: Vec<Arc<Batch>>) -> Result<(), Abandoned> {
        let may_be_repeat = self.may_be_repeat || self.shared.parts.queue.is_taken_over(self.partition);
        // What may be there already is not sent together with what is not.
        let parcels = match may_be_repeat {
            true => coalesce::apart(waiting),
            false => self.shared.coalesce(waiting).await,
        };
        let mut settlement = Settlement::default();
        for parcel in parcels {
            let end = match self.interruption(may_be_repeat, &settlement) {
                Some(abandoned) => Err(abandoned),
                None => self.deliver(&parcel, may_be_repeat, &mut settlement).await,
            };
            if let Err(abandoned) = end {
                self.abandon(abandoned, &settlement);
                return Err(abandoned);
            }
            if parcel.covers > 0 {
                self.acknowledge(parcel.covers, std::mem::take(&mut settlement)).await;
            }
        }
        Ok(())
    }

    /// Why nothing more is begun, if so.
    fn interruption(&self, may_be_repeat: bool, settled: &Settlement) -> Option<Abandoned> {
        if self.shared.handing_over.is_cancelled() {
            return Some(Abandoned::Stopping { may_be_repeat });
        }
        let is_given_up = settled.outcomes.is_empty() && self.shared.parts.queue.given_up(self.partition) > 0;
        is_given_up.then_some(Abandoned::GivenUp { may_be_repeat })
    }

    /// Leaves a batch to another delivery, which counts what is settled of it once more.
    fn abandon(&self, abandoned: Abandoned, settled: &Settlement) {
        if abandoned == Abandoned::Lost {
            tracing::warn!(partition = self.partition, "another process delivers the partition from now on");
        }
        let points = settled.outcomes.iter().map(|(_, points)| points).sum();
        self.shared.parts.metrics.ledger.repeated(points);
    }

    /// Brings a batch to its end, in parts if need be, the first part first.
    async fn deliver(
        &self,
        Parcel { batch, covers, .. }: &Parcel,
        may_be_repeat: bool,
        settlement: &mut Settlement,
    ) -> Result<(), Abandoned> {
        let batch = Arc::clone(batch);
        let whole = Piece { batch, halvings: 0, may_be_repeat, was_sent_whole: false, is_suspect: false };
        let mut bisection = Bisection::of(*covers);
        let mut pieces = vec![whole];
        // How many series of a request that was sent whole were refused as repeats.
        let mut repeats = 0;
        // Whether the receiver has no part of the batch yet.
        let mut is_untouched = true;
        while let Some(piece) = pieces.pop() {
            if !piece.was_sent_whole {
                repeats = 0;
            }
            let Piece { batch, halvings, may_be_repeat, was_sent_whole, is_suspect } = &piece;
            if self.shared.fallback.concerns(batch) {
                match self.shared.downgrade(batch).await {
                    Some(parts) => pieces.extend(parts.into_iter().rev().map(|batch| piece.part(batch))),
                    None => settlement.extend(self.refuse(batch, Refusal::of_protocol())),
                }
                continue;
            }
            if u64::from(batch.uncompressed_size) > self.shared.largest.bytes()
                && let Some(halves) = self.halve(batch, *halvings).await
            {
                pieces.extend(piece.halves(halves));
                continue;
            }
            if *is_suspect {
                bisection.turn().await;
            }
            let can_be_left = is_untouched && settlement.outcomes.is_empty();
            let sender = Sender::new(&self.shared, self.partition, batch, can_be_left, *may_be_repeat);
            match sender.send().await? {
                End::Settled(Outcome::Expired(reason)) => settlement.extend(self.expire(batch, &reason)),
                End::Settled(outcome) => {
                    is_untouched = false;
                    settlement.extend(self.settle(outcome, batch));
                }
                End::Refused(refusal) if refusal.is_of_repeat() => {
                    is_untouched = false;
                    settlement.extend(self.presume_delivered(batch, &refusal));
                }
                End::Refused(refusal) => {
                    is_untouched = false;
                    settlement.extend(self.refuse(batch, refusal));
                }
                End::Halve(refusal) => match self.halve(batch, *halvings).await {
                    Some(halves) => {
                        if refusal.reason == TOO_LARGE {
                            self.shared.largest.too_large(batch.uncompressed_size.into());
                        }
                        pieces.extend(piece.refused(&refusal).halves(halves));
                    }
                    None if refusal.is_of_repeat() => {
                        settlement.extend(self.presume_delivered(batch, &refusal));
                        repeats += u32::from(*was_sent_whole);
                        if repeats == REPEATS {
                            for rest in pieces.extract_if(.., |rest| rest.was_sent_whole) {
                                settlement.extend(self.presume_delivered(&rest.batch, &refusal));
                            }
                        }
                    }
                    None => settlement.extend(self.refuse(batch, refusal)),
                },
                End::Downgrade(explanation) => {
                    self.shared.fall_back(&explanation);
                    pieces.push(piece);
                }
                End::GivenUp => {
                    let rest = pieces.drain(..).map(|piece| piece.batch).chain([Arc::clone(batch)]);
                    rest.for_each(|batch| settlement.extend(self.drop_oldest(&batch)));
                }
                End::Aged => {
                    let (kept, expired) = self.prune(batch).await;
                    if let Some(suppressed) = self.shared.log_limiter.allow("too-old", 1) {
                        let (partition, points) = (self.partition, expired.points);
                        tracing::error!(partition, points, suppressed, "samples became too old to be sent");
                    }
                    settlement.extend(self.expire(&expired, "too-old"));
                    pieces.extend(kept.map(|batch| piece.part(batch)));
                }
            }
        }
        Ok(())
    }

    /// How many of what waits first are given up to make room for others.
    fn given_up(&self, waiting: &[Arc<Batch>]) -> usize {
        self.shared.parts.queue.given_up(self.partition).min(waiting.len())
    }

    /// Acknowledges what is given up.
    async fn give_up(&self, batches: &[Arc<Batch>]) {
        let mut settlement = Settlement::default();
        batches.iter().for_each(|batch| settlement.extend(self.drop_oldest(batch)));
        self.acknowledge(batches.len(), settlement).await;
    }

    /// What of a batch the receiver still takes, and what it does not.
    async fn prune(&self, batch: &Arc<Batch>) -> (Option<Arc<Batch>>, Arc<Batch>) {
        let parts = &self.shared.parts;
        let oldest = self.shared.oldest_taken().unwrap_or(i64::MIN);
        let problem = match parts.exporters.prune(Batch::clone(batch), oldest).await {
            Ok(Ok(Pruned { kept, expired: Some(expired) })) => {
                return (kept.map(Arc::new), Arc::new(expired));
            }
            Ok(Ok(Pruned { expired: None, .. })) => "nothing in it is too old".to_owned(),
            Ok(Err(error)) => format!("{error:?}"),
            Err(error) => error.to_string(),
        };
        self.failed("prune", &problem, "a batch that is too old cannot be pruned");
        (None, Arc::clone(batch))
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
                self.failed("halve", &format_args!("{error:?}"), "cannot halve a batch");
                None
            }
            Err(error) => {
                self.failed("halve", &error, "cannot halve a batch");
                None
            }
        }
    }

    /// Tells that the component could not do something with a batch, once a minute.
    fn failed(&self, what: &str, problem: &dyn Display, meaning: &str) {
        if let Some(suppressed) = self.shared.log_limiter.allow(what, 1) {
            tracing::error!(partition = self.partition, %problem, suppressed, "{meaning}");
        }
    }

    /// Acknowledges until it is recorded: the next batch must not be sent before, or a crash would
    /// repeat more than one request.
    async fn acknowledge(&self, count: usize, settlement: Settlement) {
        let queue = &self.shared.parts.queue;
        while let Err(error) = queue.acknowledge(self.partition, count, settlement.clone()).await {
            self.storage_failed(&error).await;
        }
    }

    async fn storage_failed(&self, error: &StorageError) {
        if let Some(suppressed) = self.shared.log_limiter.allow("storage", 1) {
            tracing::error!(partition = self.partition, %error, suppressed, "the queue failed; trying again");
        }
        tokio::time::sleep(STORAGE_PAUSE).await;
    }
}
