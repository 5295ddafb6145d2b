//! What became of batches, as it is counted, told, and recorded.

use super::Driver;
use crate::losses::{Example, Fate, LossLog, Words};
use preamp_contract::{Batch, Explanation};
use preamp_deliver::BatchOutcome;
use preamp_queue::{PointOutcome, QuarantinedBatch};
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
    pub fn settle(&mut self, batch: &Arc<Batch>, outcome: BatchOutcome) {
        let points = batch.points;
        match outcome {
            BatchOutcome::Delivered => self.count(PointOutcome::Delivered, batch),
            BatchOutcome::PresumedDelivered(why) => {
                self.tell_of_repeat(&why, points);
                self.shared.context.metrics.delivery.presumed_delivered(points.into());
                self.count(PointOutcome::Delivered, batch);
            }
            BatchOutcome::PartlyRejected(Explanation { reason, detail, remedy, .. }) => {
                let words = || Words { state: None, detail, remedy, example: Example::Of(Arc::clone(batch)) };
                self.losses().add(Fate::PartlyRefused, &reason, points.into(), words);
                self.count(PointOutcome::PartlyRejected, batch);
            }
            BatchOutcome::Refused(Explanation { reason, detail, remedy, .. }) => {
                self.refuse(batch, Fate::Refused, &reason, detail, remedy);
            }
            BatchOutcome::Unwritable => {
                let remedy = "report this as a fault of this exporter".to_owned();
                self.refuse(batch, Fate::Unwritable, UNSUPPORTED_PROTOCOL, String::new(), remedy);
            }
            BatchOutcome::RetryDisabled => {
                let remedy = "set retry_on_failure.enabled to true, or leave it out";
                self.give_up(batch, Fate::NotRetried, RETRY_DISABLED, remedy);
                self.count(PointOutcome::Rejected(RETRY_DISABLED.to_owned()), batch);
            }
            BatchOutcome::MaxElapsedTime => {
                let remedy = "raise retry_on_failure.max_elapsed_time, or set it to 0 to never give up";
                self.give_up(batch, Fate::MaxElapsedTime, MAX_ELAPSED_TIME, remedy);
                self.expire(batch, MAX_ELAPSED_TIME);
            }
            BatchOutcome::TooOld => {
                let remedy = "look for what kept the receiver from answering, or senders from sending, for so long; raise \
                              max_sample_age if the receiver takes older samples";
                self.give_up(batch, Fate::TooOld, TOO_OLD, remedy);
                self.expire(batch, TOO_OLD);
            }
            BatchOutcome::Evicted => {
                let remedy = "look why the receiver is slow or away; to hold more, raise max_queue_bytes";
                self.give_up(batch, Fate::Evicted, DROP_OLDEST, remedy);
                self.count(PointOutcome::Expired(DROP_OLDEST.to_owned()), batch);
            }
        }
    }

    fn losses(&self) -> &LossLog {
        &self.shared.context.metrics.losses
    }

    /// Counts what the receiver does not take; it goes to quarantine if the queue keeps one.
    fn refuse(&mut self, batch: &Arc<Batch>, fate: Fate, reason: &str, detail: String, remedy: String) {
        let is_kept = self.shared.context.queue.has_quarantine();
        let state = Some(if is_kept { "quarantined" } else { "rejected" });
        let words =
            || Words { state, detail: detail.clone(), remedy, example: Example::Of(Arc::clone(batch)) };
        self.losses().add(fate, reason, batch.points.into(), words);
        if !is_kept {
            self.count(PointOutcome::Rejected(reason.to_owned()), batch);
            return;
        }
        self.count(PointOutcome::Quarantined(reason.to_owned()), batch);
        self.quarantine("quarantined", batch, reason, detail);
    }

    /// Notes what is not tried again, with what went wrong last.
    fn give_up(&self, batch: &Arc<Batch>, fate: Fate, reason: &str, remedy: &str) {
        let words = || Words {
            state: Some(if fate == Fate::NotRetried { "rejected" } else { "expired" }),
            detail: self.shared.outage.because().unwrap_or_default(),
            remedy: remedy.to_owned(),
            example: Example::Of(Arc::clone(batch)),
        };
        self.losses().add(fate, reason, batch.points.into(), words);
    }

    /// Counts what was given up because of its age.
    fn expire(&mut self, batch: &Arc<Batch>, reason: &str) {
        self.count(PointOutcome::Expired(reason.to_owned()), batch);
        if self.shared.context.queue.has_quarantine() {
            self.quarantine("expired", batch, reason, String::new());
        }
    }

    fn quarantine(&mut self, state: &'static str, batch: &Arc<Batch>, reason: &str, detail: String) {
        let (batch, reason) = (Arc::clone(batch), reason.to_owned());
        self.settlement.quarantined.push(QuarantinedBatch { batch, state, reason, detail });
    }

    fn count(&mut self, outcome: PointOutcome, batch: &Batch) {
        let metrics = &self.shared.context.metrics;
        let points = u64::from(batch.points);
        metrics.delivery.settled(&outcome, points, batch.into(), batch.last);
        metrics.ledger.settled(&outcome, points);
        self.settlement.add(outcome, points);
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
