//! How fast bad series are looked for.

/// As many requests that bring nothing are sent at once about parts of one batch. Each series that is bad takes two
/// of them: the one that finds it, and, on the average, one that it spoils.
pub(crate) const REQUESTS: u32 = 64;

/// A large batch has more of them, one for so many of its series: still fewer than a sender causes who sends
/// series one by one.
pub(crate) const SERIES_PER_REQUEST: u32 = 4;

/// As many come back within this time, in milliseconds, one after the other.
pub(crate) const WITHIN: u64 = 60_000;

/// The search within what is sent as one: enough to find some bad series in a hundred at once, and too slow for
/// somebody who sends nothing but bad ones to flood the receiver.
#[derive(Debug)]
pub(crate) struct Search {
    most: u32,
    left: u32,
    /// When the last of those that came back did.
    since: u64,
}

impl Search {
    /// Within so many series of so many batches of the queue.
    pub fn new(series: u32, batches: usize, now: u64) -> Self {
        let batches = u32::try_from(batches.max(1)).unwrap_or(u32::MAX);
        let most = REQUESTS.saturating_mul(batches).max(series / SERIES_PER_REQUEST);
        Search { most, left: most, since: now }
    }

    /// Takes a turn to ask about another part, or says when there is one.
    pub fn take_turn(&mut self, now: u64) -> Result<(), u64> {
        let each = (WITHIN / u64::from(self.most)).max(1);
        let back = now.saturating_sub(self.since) / each;
        self.left = self.left.saturating_add(u32::try_from(back).unwrap_or(u32::MAX)).min(self.most);
        self.since = if self.left == self.most { now } else { self.since.saturating_add(back * each) };
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Err(self.since.saturating_add(each)),
        }
        Ok(())
    }

    /// Gives back the turn of a part that was taken, and that of the one it was a half of: what brings good series
    /// to the receiver is no flood.
    pub fn give_back(&mut self) {
        self.left = self.left.saturating_add(2).min(self.most);
    }
}
