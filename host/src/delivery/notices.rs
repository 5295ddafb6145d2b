//! Log lines that would otherwise come with every batch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(60);

/// Lets one line for each reason pass in a minute, whatever the number of batches and partitions.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// By reason: when a line passed, and how many were held back since. Reasons are few: they come
    /// from the component's closed set.
    passed: Mutex<HashMap<String, (Instant, u64)>>,
}

impl Notices {
    /// Whether a line about `reason` may be written now, and if so how many were held back since the
    /// last one.
    pub(super) fn admit(&self, reason: &str) -> Option<u64> {
        self.admit_at(reason, Instant::now())
    }

    fn admit_at(&self, reason: &str, now: Instant) -> Option<u64> {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((last, held_back)) = passed.get_mut(reason) else {
            passed.insert(reason.to_owned(), (now, 0));
            return Some(0);
        };
        if now.duration_since(*last) < INTERVAL {
            *held_back += 1;
            return None;
        }
        *last = now;
        Some(std::mem::take(held_back))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Notices;

    #[test]
    fn a_reason_is_told_once_a_minute_with_the_number_held_back() {
        let notices = Notices::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(notices.admit_at("too-old", at(0)), Some(0));
        assert_eq!(notices.admit_at("too-old", at(1)), None);
        assert_eq!(notices.admit_at("too-old", at(59)), None);
        assert_eq!(notices.admit_at("out-of-order", at(59)), Some(0), "another reason");
        assert_eq!(notices.admit_at("too-old", at(60)), Some(2));
        assert_eq!(notices.admit_at("too-old", at(61)), None);
    }
}
