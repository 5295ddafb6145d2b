//! Log lines that would otherwise come with every payload or batch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(60);

/// Lets one line for each reason pass in a minute, whatever the number of payloads and batches.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// By reason: when a line passed, and how much was held back since. Reasons are few: they come
    /// from the component's closed set.
    passed: Mutex<HashMap<String, (Instant, u64)>>,
}

impl Notices {
    /// Whether a line about `reason` may be written now, and if so how much was held back since the
    /// last one. `weight` is what this line stands for: one line, or so many points.
    pub(crate) fn admit(&self, reason: &str, weight: u64) -> Option<u64> {
        self.admit_at(reason, weight, Instant::now())
    }

    pub(crate) fn admit_at(&self, reason: &str, weight: u64, now: Instant) -> Option<u64> {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((last, held_back)) = passed.get_mut(reason) else {
            passed.insert(reason.to_owned(), (now, 0));
            return Some(0);
        };
        if now.duration_since(*last) < INTERVAL {
            *held_back += weight;
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
        assert_eq!(notices.admit_at("too-old", 1, at(0)), Some(0));
        assert_eq!(notices.admit_at("too-old", 1, at(1)), None);
        assert_eq!(notices.admit_at("too-old", 1, at(59)), None);
        assert_eq!(notices.admit_at("out-of-order", 1, at(59)), Some(0), "another reason");
        assert_eq!(notices.admit_at("too-old", 1, at(60)), Some(2));
        assert_eq!(notices.admit_at("too-old", 1, at(61)), None);
    }
}
