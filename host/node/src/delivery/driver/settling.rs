//! What became of batches, as it is counted, told, and recorded.

use super::Driver;
use preamp_contract::{Batch, Explanation};
use preamp_deliver::Outcome;
use preamp_queue::{Outcome as Settled, SetAside};
use std::sync::Arc;

/// The reason of what makes room for others.
const DROP_OLDEST: &str = "drop-oldest";

/// The reason of what is not tried again.
const RETRY_DISABLED: &str = "retry-disabled";

/// The reason of what was tried for long enough.
const MAX_ELAPSED_TIME: &str = "max-elapsed-time";

/// The reason of what is older than the receiver takes.
const TOO_OLD: &str = "too-old";

/// The reason of what cannot be written for the receiver.
const UNSUPPORTED_PROTOCOL: &str = "unsupported-protocol";

impl Driver<'_> {
    /// Notes what became of a batch.
    pub fn settle(&mut self, batch: &Arc<Batch>, outcome: Outcome) {
        let points = batch.points;
        match outcome {
            Outcome::Delivered => self.count(Settled::Delivered, batch),
            Outcome::PresumedDelivered(why) => {
                self.tell_of_repeat(&why, points);
                self.shared.context.metrics.delivery.presumed_delivered(points.into());
                self.count(Settled::Delivered, batch);
            }
            Outcome::PartlyRejected(why) => {
                self.tell(&why, points, "the receiver refused a part of a batch for good");
                self.count(Settled::PartlyRejected, batch);
            }
            Outcome::Refused(why) => {
                self.tell(&why, points, "the receiver refused a batch for good");
                self.refuse(batch, &why.reason, why.detail);
            }
            Outcome::Unwritable => self.refuse(batch, UNSUPPORTED_PROTOCOL, String::new()),
            Outcome::RetryDisabled => {
                self.give_up(RETRY_DISABLED, points, "a batch was given up: retry_on_failure is off");
                self.count(Settled::Rejected(RETRY_DISABLED.to_owned()), batch);
            }
            Outcome::MaxElapsedTime => {
                let meaning = "a batch was given up: retry_on_failure.max_elapsed_time is over";
                self.give_up(MAX_ELAPSED_TIME, points, meaning);
                self.expire(batch, MAX_ELAPSED_TIME);
            }
            Outcome::TooOld => {
                self.give_up(TOO_OLD, points, "samples became too old to be sent");
                self.expire(batch, TOO_OLD);
            }
            Outcome::Evicted => {
                let meaning = "the queue is full: the oldest batches are dropped (drop_oldest_on_overflow)";
                self.give_up(DROP_OLDEST, points, meaning);
                self.count(Settled::Expired(DROP_OLDEST.to_owned()), batch);
            }
        }
    }

    /// Counts what the receiver does not take; it goes to quarantine if the queue keeps one.
    fn refuse(&mut self, batch: &Arc<Batch>, reason: &str, detail: String) {
        if !self.shared.context.queue.keeps_set_aside() {
            self.count(Settled::Rejected(reason.to_owned()), batch);
            return;
        }
        self.count(Settled::Quarantined(reason.to_owned()), batch);
        self.quarantine("quarantined", batch, reason, detail);
    }

    /// Counts what was given up because of its age.
    fn expire(&mut self, batch: &Arc<Batch>, reason: &str) {
        self.count(Settled::Expired(reason.to_owned()), batch);
        if self.shared.context.queue.keeps_set_aside() {
            self.quarantine("expired", batch, reason, String::new());
        }
    }

    fn quarantine(&mut self, state: &'static str, batch: &Arc<Batch>, reason: &str, detail: String) {
        let (batch, reason) = (Arc::clone(batch), reason.to_owned());
        self.settlement.set_aside.push(SetAside { batch, state, reason, detail });
    }

    fn count(&mut self, outcome: Settled, batch: &Batch) {
        let metrics = &self.shared.context.metrics;
        let points = u64::from(batch.points);
        metrics.delivery.settled(&outcome, points, batch.into(), batch.last);
        metrics.ledger.settled(&outcome, points);
        self.settlement.add(outcome, points);
    }

    fn give_up(&self, reason: &str, points: u32, meaning: &str) {
        if let Some(suppressed) = self.shared.log_limiter.allow(reason, 1) {
            tracing::error!(partition = self.partition, points, suppressed, "{meaning}");
        }
    }

    fn tell_of_repeat(&self, Explanation { reason, .. }: &Explanation, points: u32) {
        if let Some(suppressed) = self.shared.log_limiter.allow("presumed-delivered", 1) {
            let partition = self.partition;
            tracing::info!(
                partition,
                points,
                %reason,
                suppressed,
                "the receiver has it already, from an attempt whose answer did not come"
            );
        }
    }
}
