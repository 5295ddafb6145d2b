//! What becomes of batches that leave a queue.

use preamp_contract::Batch;
use std::sync::Arc;

/// How the delivery of points ended. Each point ends in exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointOutcome {
    /// The receiver stored them.
    Delivered,
    /// The receiver stored a part of the request they were in and will never store the rest. It does
    /// not say how many, so all points of the request are here and none of them is in another state.
    PartlyRejected,
    /// The receiver will never store them, for this reason.
    Rejected(String),
    /// They were given up because of their age, for this reason.
    Expired(String),
    /// The receiver will never store them, for this reason; they are kept in quarantine.
    Quarantined(String),
    /// The disk did not keep what was written to it, so that they can no longer be read.
    Damaged,
}

impl PointOutcome {
    /// All states.
    pub const STATES: [&str; 6] =
        ["delivered", "partly_rejected", "rejected", "expired", "quarantined", "damaged"];

    /// The state of the ledger that it is counted as, and the reason if there can be several.
    #[must_use]
    pub fn state(&self) -> (&'static str, &str) {
        match self {
            Self::Delivered => ("delivered", ""),
            Self::PartlyRejected => ("partly_rejected", ""),
            Self::Rejected(reason) => ("rejected", reason),
            Self::Expired(reason) => ("expired", reason),
            Self::Quarantined(reason) => ("quarantined", reason),
            Self::Damaged => ("damaged", ""),
        }
    }
}

/// What became of the points of batches that are acknowledged together.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// Points by outcome. Their sum is that of the batches.
    pub outcomes: Vec<(PointOutcome, u64)>,
    /// The batches that go into the quarantine, for a person to look at.
    pub quarantined: Vec<QuarantinedBatch>,
}

/// A batch that is not delivered unless a person replays it.
#[derive(Clone, Debug)]
pub struct QuarantinedBatch {
    /// The batch, which may be a part of one that was queued.
    pub batch: Arc<Batch>,
    /// `quarantined` or `expired`, as in the ledger.
    pub state: &'static str,
    /// Why, as in the ledger.
    pub reason: String,
    /// What the receiver said.
    pub detail: String,
}

impl Settlement {
    /// Adds points.
    pub fn add(&mut self, outcome: PointOutcome, points: u64) {
        match self.outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, sum)) => *sum += points,
            None => self.outcomes.push((outcome, points)),
        }
    }

    /// Quarantines nothing after all.
    pub fn keep_nothing(&mut self) {
        self.quarantined.clear();
        for (outcome, _) in &mut self.outcomes {
            if let PointOutcome::Quarantined(reason) = outcome {
                *outcome = PointOutcome::Rejected(std::mem::take(reason));
            }
        }
    }

    /// Takes over what another one says.
    pub fn extend(&mut self, other: Settlement) {
        other.outcomes.into_iter().for_each(|(outcome, points)| self.add(outcome, points));
        self.quarantined.extend(other.quarantined);
    }
}
