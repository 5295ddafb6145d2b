//! How fast bad series are looked for.

/// As many requests about parts of one batch are sent in [`WITHIN`]: enough to find a few bad series among
/// thousands at once, and too few for somebody who sends nothing but bad ones to flood the receiver.
pub(crate) const REQUESTS: u32 = 64;

/// In milliseconds.
pub(crate) const WITHIN: u64 = 60_000;

/// The search within what is sent as one.
#[derive(Debug)]
pub(crate) struct Search {
    max: u32,
    since: u64,
    requests: u32,
}

impl Search {
    /// Within so many batches of the queue.
    pub fn new(batches: usize, now: u64) -> Self {
        let batches = u32::try_from(batches.max(1)).unwrap_or(u32::MAX);
        Search { max: REQUESTS.saturating_mul(batches), since: now, requests: 0 }
    }

    /// Takes a turn to ask about another part, or says when there is one.
    pub fn take_turn(&mut self, now: u64) -> Result<(), u64> {
        if self.requests == self.max {
            let next = self.since.saturating_add(WITHIN);
            if now < next {
                return Err(next);
            }
            (self.since, self.requests) = (now, 0);
        }
        self.requests += 1;
        Ok(())
    }
}
