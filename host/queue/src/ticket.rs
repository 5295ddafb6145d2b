//! Following a payload to its end.

use super::{PointOutcome, Settlement};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Tells who handed a payload in when all of it has left the queue.
#[derive(Clone, Debug, Default)]
pub struct Ticket(Arc<Course>);

#[derive(Debug, Default)]
struct Course {
    /// What was not delivered of that which left the queue together with a part of the payload.
    lost: Mutex<BTreeMap<PointOutcome, u64>>,
    ended: CancellationToken,
}

impl Ticket {
    /// Waits until all of the payload has left the queue. Returns the points that were not delivered, by what became of
    /// them. They may be another payload's, which was sent in the same request.
    pub async fn ended(&self) -> BTreeMap<PointOutcome, u64> {
        self.0.ended.cancelled().await;
        self.0.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn settled(&self, settlement: &Settlement) {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, points) in &settlement.outcomes {
            if *outcome != PointOutcome::Delivered {
                *lost.entry(outcome.clone()).or_default() += points;
            }
        }
    }
}

/// Shared by the batches of one payload: the last one to go takes the payload with it.
#[derive(Debug)]
pub(super) struct Payload {
    /// By which those that came later are told.
    pub number: u64,
    ticket: Option<Ticket>,
}

impl Payload {
    pub fn new(number: u64, ticket: Option<Ticket>) -> Arc<Self> {
        Arc::new(Payload { number, ticket })
    }

    /// Some of it left the queue.
    pub fn settled(&self, settlement: &Settlement) {
        self.ticket.iter().for_each(|ticket| ticket.settled(settlement));
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.ticket.iter().for_each(|ticket| ticket.0.ended.cancel());
    }
}
