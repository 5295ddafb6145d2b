//! From payload to queue: what both receivers do with a request once it is unpacked.

mod unstoppable;

use crate::debug::DebugExporters;
use crate::losses::{Example, Fate, Words};
use crate::memory_budget::{MemoryBudget, Reservation};
use crate::metrics::Metrics;
use crate::processors::{ProcessError, Processors};
use crate::receiver_clock::ReceiverClock;
use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use preamp_answer::rejection_line;
use preamp_config::Overflow;
use preamp_contract::{Acceptance, Batch, Encoding, Refusal, Rejection};
use preamp_queue::{self, AppendError, Queue, Ticket};
use preamp_wasm::{ActiveExporter, CallError};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use unstoppable::Unstoppable;

pub use crate::metrics::{RequestOutcome, Transport};

/// What became of a payload.
#[derive(Debug)]
pub enum PayloadOutcome {
    /// All of it is queued.
    Accepted,
    /// The rest of it is queued; these points never can be.
    Partial {
        /// How many.
        rejected_points: u64,
        /// Why, and what helps.
        message: String,
    },
    /// Nothing is queued: the component refused the payload.
    Refused(Refusal),
    /// Nothing is queued: the payload is larger than the queue may ever be.
    Oversized(String),
    /// Nothing is queued, but may be if it is sent again later; why.
    Busy(String),
    /// Nothing is queued: the component failed on the payload.
    Failed(CallError),
}

/// Takes payloads, has the component translate them, and queues what comes out: all batches of a
/// payload or none.
pub struct Intake {
    exporters: Arc<ActiveExporter>,
    queue: Arc<dyn Queue>,
    clock: Arc<ReceiverClock>,
    metrics: Arc<Metrics>,
    requests: Arc<MemoryBudget>,
    processors: ArcSwap<Processors>,
    debug: ArcSwapOption<DebugExporters>,
    ack_policy: AckPolicy,
}

/// For what senders are kept waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckPolicy {
    /// What is done where there is no room in the queue for their payload.
    pub on_overflow: Overflow,
    /// Until their payload is delivered.
    pub wait_for_delivery: bool,
}

/// Why such points are not refused for good yet.
const WHAT_TIME: &str = "the points are too old, or of the future, by the clock of this machine, and the receiver has not \
                         said its time yet; it is being asked";

impl Intake {
    /// An intake that fills `queue`.
    #[must_use]
    pub fn new(
        exporters: Arc<ActiveExporter>,
        queue: Arc<dyn Queue>,
        clock: Arc<ReceiverClock>,
        metrics: Arc<Metrics>,
        processors: Processors,
        requests: Arc<MemoryBudget>,
    ) -> Intake {
        Intake {
            exporters,
            queue,
            clock,
            metrics,
            requests,
            processors: ArcSwap::from_pointee(processors),
            debug: ArcSwapOption::empty(),
            ack_policy: AckPolicy::default(),
        }
    }

    /// The same with senders that are kept waiting.
    #[must_use]
    pub fn with_ack_policy(self, ack_policy: AckPolicy) -> Intake {
        Intake { ack_policy, ..self }
    }

    /// Goes on with other processors.
    pub fn process_with(&self, processors: Processors) {
        self.processors.store(Arc::new(processors));
    }

    /// Shows payloads from now on by these, and returns those of before.
    pub fn show_by(&self, exporters: Option<DebugExporters>) -> Option<DebugExporters> {
        // A payload that is being handed over may hold on to them for a moment; dropping them ends them as well.
        self.debug.swap(exporters.map(Arc::new)).and_then(Arc::into_inner)
    }

    /// The memory that requests must fit into while they are read.
    #[must_use]
    pub fn requests(&self) -> &MemoryBudget {
        &self.requests
    }

    /// Counts a request that ended before it became a payload: it could not be read or unpacked, or
    /// there was no room for it. `why` is what its sender is told.
    pub fn ended_early(&self, transport: Transport, outcome: RequestOutcome, why: &str) {
        match outcome {
            RequestOutcome::Refused => self.refuse(Fate::Postponed, "no-room", 0, why),
            _ => self.refuse(Fate::Unusable, "unreadable", 0, why),
        }
        self.metrics.losses.tell_of_intake();
        self.metrics.receiver.request(transport, outcome, 0, 0);
    }

    /// Notes a payload that is not taken.
    fn refuse(&self, fate: Fate, reason: &str, points: u64, why: &str) {
        let detail = || Words { detail: why.to_owned(), ..Words::default() };
        self.metrics.losses.add(fate, reason, points, detail);
    }

    /// Counts a request of which nothing was read, since it is of nobody who may send: why.
    pub fn denied(&self, transport: Transport, reason: &'static str) {
        self.metrics.receiver.denied(transport, reason);
        self.metrics.receiver.request(transport, RequestOutcome::Failure, 0, 0);
    }

    /// Takes one payload. When this returns [`PayloadOutcome::Accepted`] or [`PayloadOutcome::Partial`], what was
    /// accepted is as safe as the queue makes it.
    ///
    /// Once begun it goes on to its end even if the caller stops waiting, so that nothing is queued
    /// without being counted. It is only for room that it does not wait without the caller.
    ///
    /// `share` is the memory that the payload was read into; it is given back once the payload is translated.
    pub async fn submit(
        self: &Arc<Self>,
        payload: Bytes,
        share: Reservation,
        encoding: Encoding,
        transport: Transport,
    ) -> PayloadOutcome {
        let intake = self.clone();
        let leaving = CancellationToken::new();
        let left = leaving.clone();
        let _leaving = leaving.drop_guard();
        Unstoppable::new(async move {
            let (outcome, accepted) = intake.take(payload, share, encoding, &left).await;
            intake.tell_of(&outcome);
            intake.count(&outcome, accepted, transport);
            intake.metrics.losses.tell_of_intake();
            outcome
        })
        .await
    }

    /// Takes one payload, and says how many of its points could be translated.
    async fn take(
        &self,
        payload: Bytes,
        mut share: Reservation,
        encoding: Encoding,
        left: &CancellationToken,
    ) -> (PayloadOutcome, u64) {
        let processors = self.processors.load_full();
        if let Err(reason) = processors.allow(&*self.queue) {
            self.refuse(Fate::Postponed, "memory-limiter", 0, &reason);
            return (PayloadOutcome::Busy(reason), 0);
        }
        if let Some(exporters) = &*self.debug.load() {
            exporters.show(&payload, encoding);
        }
        let payload = match processors.process(payload, encoding, &mut |bytes| share.grow(bytes)) {
            Ok(payload) => payload,
            Err(ProcessError::NoRoom(full)) => {
                self.refuse(Fate::Postponed, "no-room", 0, &full.to_string());
                return (PayloadOutcome::Busy(full.to_string()), 0);
            }
            Err(error) => return (PayloadOutcome::Oversized(error.to_string()), 0),
        };
        let accepting = self.exporters.accepting().await;
        let is_unverified = self.clock.is_unverified();
        let accepted = accepting.exporters.accept(payload, encoding, self.clock.accepting_now()).await;
        // What comes out of it is counted by the queue.
        drop(share);
        let acceptance = match accepted {
            Ok(Ok(acceptance)) => acceptance,
            Ok(Err(refusal)) => return (PayloadOutcome::Refused(refusal), 0),
            Err(error) => return (PayloadOutcome::Failed(error), 0),
        };
        if is_unverified && is_of_another_time(&acceptance) {
            self.clock.request_probe();
            self.refuse(Fate::Postponed, "time-unknown", 0, WHAT_TIME);
            return (PayloadOutcome::Busy(WHAT_TIME.to_owned()), 0);
        }
        let points = acceptance.accepted_points;
        let ticket =
            (self.ack_policy.wait_for_delivery && !acceptance.batches.is_empty()).then(Ticket::default);
        if self.ack_policy.on_overflow != Overflow::Refuse {
            left.run_until_cancelled(self.wait_for_room(&acceptance.batches)).await;
        }
        let outcome = self.queue_up(acceptance, ticket.clone()).await;
        // Whoever takes the exporter's place need not wait for the receiver.
        drop(accepting);
        match ticket {
            Some(ticket) if matches!(outcome, PayloadOutcome::Accepted | PayloadOutcome::Partial { .. }) => {
                (lost(outcome, &ticket.ended().await, points), points)
            }
            _ => (outcome, points),
        }
    }

    async fn wait_for_room(&self, batches: &[Batch]) {
        if let Some(capacity) = self.queue.capacity() {
            let may_evict = self.ack_policy.on_overflow == Overflow::DropOldest;
            capacity.until_room_for(batches, may_evict).await;
        }
    }

    async fn queue_up(&self, acceptance: Acceptance, ticket: Option<Ticket>) -> PayloadOutcome {
        let Acceptance { batches, accepted_points, rejections } = acceptance;
        let newest = batches.iter().map(|batch| batch.last).max();
        let series = batches.iter().map(|batch| u64::from(batch.series)).sum();
        if let Err(error) = self.queue.append_followed(batches, ticket).await {
            return self.not_queued(&error, accepted_points);
        }
        self.metrics.ledger.accepted(accepted_points);
        if let Some(newest) = newest {
            self.metrics.delivery.enqueued(series, newest);
        }
        if !rejections.is_empty() {
            self.metrics.delivery.failed_translation();
        }
        for rejection in &rejections {
            self.metrics.receiver.untranslated(&rejection.reason, rejection.points);
            let Rejection { reason, points, example, remedy, .. } = rejection;
            self.metrics.losses.add(Fate::Untranslatable, reason, *points, || Words {
                remedy: remedy.to_string(),
                example: Example::Text(example.clone()),
                ..Words::default()
            });
        }
        outcome(&rejections)
    }

    fn not_queued(&self, error: &AppendError, points: u64) -> PayloadOutcome {
        self.metrics.delivery.enqueue_failed(error.limit(), points);
        self.metrics.losses.add(
            if error.limit().is_some() { Fate::QueueFull } else { Fate::Postponed },
            error.limit().unwrap_or("queue"),
            points,
            || Words {
                detail: error.to_string(),
                remedy: error
                    .limit()
                    .map(|limit| self.metrics.losses.remedy_of_limit(limit))
                    .unwrap_or_default(),
                ..Words::default()
            },
        );
        match error {
            AppendError::TooLarge { .. } | AppendError::BatchTooLarge { .. } => {
                PayloadOutcome::Oversized(error.to_string())
            }
            AppendError::UnknownPartition { .. } => {
                PayloadOutcome::Failed(CallError::Trapped(error.to_string()))
            }
            AppendError::Full { .. }
            | AppendError::DiskIsLow { .. }
            | AppendError::DiskIsFull { .. }
            | AppendError::Closed
            | AppendError::Storage(_) => PayloadOutcome::Busy(error.to_string()),
        }
    }

    /// Notes a payload that is refused for good, which nothing else is told about.
    fn tell_of(&self, outcome: &PayloadOutcome) {
        let (reason, why) = match outcome {
            PayloadOutcome::Refused(refusal) => (refusal.reason(), refusal.to_string()),
            PayloadOutcome::Oversized(why) => ("larger-than-queue", why.clone()),
            PayloadOutcome::Failed(error) => ("failed", error.to_string()),
            PayloadOutcome::Accepted | PayloadOutcome::Partial { .. } | PayloadOutcome::Busy(_) => return,
        };
        self.refuse(Fate::Unusable, reason, 0, &why);
    }

    fn count(&self, outcome: &PayloadOutcome, accepted: u64, transport: Transport) {
        let (request, taken, lost) = match outcome {
            PayloadOutcome::Accepted => (RequestOutcome::Success, accepted, 0),
            PayloadOutcome::Partial { rejected_points, .. } => {
                (RequestOutcome::Success, accepted, *rejected_points)
            }
            PayloadOutcome::Busy(_) => (RequestOutcome::Refused, 0, accepted),
            PayloadOutcome::Refused(_) | PayloadOutcome::Oversized(_) | PayloadOutcome::Failed(_) => {
                (RequestOutcome::Failure, 0, accepted)
            }
        };
        self.metrics.receiver.request(transport, request, taken, lost);
    }
}

/// Whether nothing of a payload was taken, and that for its time.
fn is_of_another_time(acceptance: &Acceptance) -> bool {
    let rejections = &acceptance.rejections;
    acceptance.accepted_points == 0 && rejections.iter().any(|rejection| rejection.because_of_time)
}

/// What to tell a sender who waited for the end of a payload of so many points.
fn lost(
    outcome: PayloadOutcome,
    lost: &BTreeMap<preamp_queue::PointOutcome, u64>,
    points: u64,
) -> PayloadOutcome {
    if lost.is_empty() {
        return outcome;
    }
    let (before, mut lines) = match outcome {
        PayloadOutcome::Partial { rejected_points, message } => (rejected_points, vec![message]),
        _ => (0, Vec::new()),
    };
    lines.extend(lost.iter().map(|(outcome, points)| {
        let (state, reason) = outcome.state();
        format!("{state} {reason}: {points} points of the requests that it was sent in")
    }));
    let in_requests = lost.values().sum::<u64>().min(points);
    PayloadOutcome::Partial { rejected_points: before + in_requests, message: lines.join("\n") }
}

/// What to tell the sender about points that were rejected.
fn outcome(rejections: &[Rejection]) -> PayloadOutcome {
    if rejections.is_empty() {
        return PayloadOutcome::Accepted;
    }
    let rejected_points = rejections.iter().map(|rejection| rejection.points).sum();
    let lines: Vec<_> = rejections.iter().map(rejection_line).collect();
    PayloadOutcome::Partial { rejected_points, message: lines.join("\n") }
}
