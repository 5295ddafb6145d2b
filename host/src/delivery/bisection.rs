//! How fast bad series are looked for.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// As many requests about parts of one batch are sent in this time: enough to find a few bad series among thousands at
/// once, and too few for somebody who sends nothing but bad ones to flood the receiver.
const REQUESTS: u32 = 64;
const WITHIN: Duration = Duration::from_secs(60);

/// The search within one batch.
pub(super) struct Bisection {
    since: Instant,
    requests: u32,
}

impl Bisection {
    pub fn new() -> Self {
        Bisection { since: Instant::now(), requests: 0 }
    }

    /// Waits until another part may be asked about.
    pub async fn turn(&mut self) {
        if self.requests == REQUESTS {
            sleep_until(self.since + WITHIN).await;
            *self = Self::new();
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
        let mut bisection = Bisection::new();
        for _ in 0..REQUESTS {
            assert!(timeout(Duration::from_secs(5), bisection.turn()).await.is_ok());
        }
        assert!(timeout(Duration::from_millis(50), bisection.turn()).await.is_err());
    }
}
