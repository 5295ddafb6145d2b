//! How fast bad series are looked for.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// As many requests about parts of one batch are sent in this time: enough to find a few bad series among thousands at
/// once, and too few for somebody who sends nothing but bad ones to flood the receiver.
const REQUESTS: u32 = 64;
const WITHIN: Duration = Duration::from_secs(60);

/// The search within what is sent as one.
pub(super) struct Bisection {
    most: u32,
    since: Instant,
    requests: u32,
}

impl Bisection {
    /// Within so many batches of the queue.
    pub fn of(batches: usize) -> Self {
        let batches = u32::try_from(batches.max(1)).unwrap_or(u32::MAX);
        Bisection { most: REQUESTS.saturating_mul(batches), since: Instant::now(), requests: 0 }
    }

    /// Waits until another part may be asked about.
    pub async fn turn(&mut self) {
        if self.requests == self.most {
            sleep_until(self.since + WITHIN).await;
            (self.since, self.requests) = (Instant::now(), 0);
        }
        self.requests += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{Bisection, REQUESTS};
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn so_many_are_asked_about_at_once_and_no_more() {
        for batches in [1, 3] {
            let mut bisection = Bisection::of(batches as usize);
            for _ in 0..batches * REQUESTS {
                assert!(timeout(Duration::from_secs(5), bisection.turn()).await.is_ok());
            }
            assert!(timeout(Duration::from_millis(50), bisection.turn()).await.is_err());
        }
    }
}
