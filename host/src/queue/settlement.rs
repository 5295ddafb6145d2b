//! What becomes of batches that leave a queue.

/// How the delivery of points ended. Each point ends in exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The receiver stored them.
    Delivered,
    /// The receiver stored a part of the request they were in and will never store the rest. It does
    /// not say how many, so all points of the request are here and none of them is in another state.
    PartlyRejected,
    /// The receiver will never store them, for this reason.
    Rejected(String),
    /// They were given up because of their age, for this reason.
    Expired(String),
    /// The disk did not keep what was written to it, so that they can no longer be read.
    Damaged,
}

impl Outcome {
    /// The state of the ledger that it is counted as, and the reason if there can be several.
    #[must_use]
    pub fn state(&self) -> (&'static str, &str) {
        match self {
            Self::Delivered => ("delivered", ""),
            Self::PartlyRejected => ("partly_rejected", ""),
            Self::Rejected(reason) => ("rejected", reason),
            Self::Expired(reason) => ("expired", reason),
            Self::Damaged => ("damaged", ""),
        }
    }
}

/// What became of the points of batches that are acknowledged together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Points by outcome. Their sum is that of the batches.
    pub outcomes: Vec<(Outcome, u64)>,
}

impl Settlement {
    /// Adds points.
    pub fn add(&mut self, outcome: Outcome, points: u64) {
        match self.outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, sum)) => *sum += points,
            None => self.outcomes.push((outcome, points)),
        }
    }
}
