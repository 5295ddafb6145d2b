//! The largest request that the receiver takes, as far as that was found out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long it is believed. Then twice as much is tried, since limits are raised, too.
const BELIEVED: Duration = Duration::from_secs(10 * 60);

/// Less is no request that a receiver would refuse for its size; whoever does has another reason.
const LEAST: u64 = 16 * 1024;

/// What was learned from answers with status 413, in bytes before compression.
#[derive(Debug, Default)]
pub(super) struct Largest(Mutex<Option<(u64, Instant)>>);

impl Largest {
    /// A request of this size was too large.
    pub fn too_large(&self, bytes: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = known.map_or(u64::MAX, |(largest, _)| largest);
        *known = Some((now.min(bytes / 2).max(LEAST), Instant::now()));
    }

    /// The most to send at once.
    pub fn bytes(&self) -> u64 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            None => u64::MAX,
            Some((largest, since)) => {
                if since.elapsed() > BELIEVED {
                    (*largest, *since) = (largest.saturating_mul(2), Instant::now());
                }
                *largest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAST, Largest};

    #[test]
    fn each_refusal_halves_down_to_what_none_would_refuse() {
        let largest = Largest::default();
        assert_eq!(largest.bytes(), u64::MAX);
        largest.too_large(1_000_000);
        assert_eq!(largest.bytes(), 500_000);
        largest.too_large(900_000);
        assert_eq!(largest.bytes(), 450_000);
        largest.too_large(10);
        assert_eq!(largest.bytes(), LEAST);
    }
}
