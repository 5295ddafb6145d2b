//! What becomes of batches, as it is counted, told, and recorded.

use super::Worker;
use crate::delivery::sender::Refusal;
use preamp_contract::Batch;
use preamp_queue::{Outcome, SetAside, Settlement};
use std::sync::Arc;

/// The reason of what is given up to make room.
const DROP_OLDEST: &str = "drop-oldest";

impl Worker {
    /// Settles what the receiver refuses because it has stored it at an attempt that was broken off.
    pub(super) fn presume_delivered(&self, batch: &Batch, refusal: &Refusal) -> Settlement {
        if let Some(suppressed) = self.shared.log_limiter.allow("presumed-delivered", 1) {
            let (partition, points, reason) = (self.partition, batch.points, &refusal.reason);
            tracing::info!(
                partition,
                points,
                reason,
                suppressed,
                "the receiver has it already, from an attempt that was broken off"
            );
        }
        self.shared.parts.metrics.delivery.presumed_delivered(batch.points.into());
        self.settle(Outcome::Delivered, batch)
    }

    /// Settles what the receiver does not take; it is set aside if the queue keeps such things.
    pub(super) fn refuse(&self, batch: &Arc<Batch>, refusal: Refusal) -> Settlement {
        let Refusal { reason, detail, .. } = refusal;
        if !self.shared.parts.queue.keeps_set_aside() {
            return self.settle(Outcome::Rejected(reason), batch);
        }
        let mut settlement = self.settle(Outcome::Quarantined(reason.clone()), batch);
        settlement.set_aside.push(SetAside {
            batch: Arc::clone(batch),
            state: "quarantined",
            reason,
            detail,
        });
        settlement
    }

    /// Settles what was given up because of its age.
    pub(super) fn expire(&self, batch: &Arc<Batch>, reason: &str) -> Settlement {
        let mut settlement = self.settle(Outcome::Expired(reason.to_owned()), batch);
        if self.shared.parts.queue.keeps_set_aside() {
            let (reason, detail) = (reason.to_owned(), String::new());
            settlement.set_aside.push(SetAside {
                batch: Arc::clone(batch),
                state: "expired",
                reason,
                detail,
            });
        }
        settlement
    }

    pub(super) fn settle(&self, outcome: Outcome, batch: &Batch) -> Settlement {
        let metrics = &self.shared.parts.metrics;
        let points = u64::from(batch.points);
        metrics.delivery.settled(&outcome, points, batch.into(), batch.last);
        metrics.ledger.settled(&outcome, points);
        Settlement { outcomes: vec![(outcome, points)], set_aside: Vec::new() }
    }

    /// Settles what the operator wants to be given up where the queue is full.
    pub(super) fn drop_oldest(&self, batch: &Batch) -> Settlement {
        if let Some(suppressed) = self.shared.log_limiter.allow(DROP_OLDEST, 1) {
            let (partition, points) = (self.partition, batch.points);
            tracing::error!(
                partition,
                points,
                suppressed,
                "the queue is full: the oldest of it is given up (drop_oldest_on_overflow)"
            );
        }
        self.settle(Outcome::Expired(DROP_OLDEST.to_owned()), batch)
    }
}
