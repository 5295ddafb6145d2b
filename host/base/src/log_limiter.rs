//! Log lines that would otherwise come with every payload or batch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(60);

/// The most reasons that are told apart; a receiver that thinks up new ones makes no more lines than that.
const REASONS_MAX: usize = 100;

/// What all other reasons go by.
const OTHERS: &str = "others";

/// Lets one line for each reason pass in a minute, whatever the number of payloads and batches, and of reasons.
#[derive(Debug, Default)]
pub struct LogLimiter {
    /// By reason: when a line passed, and how much was held back since.
    passed: Mutex<HashMap<String, (Instant, u64)>>,
}

impl LogLimiter {
    /// Whether a line about `reason` may be written now, and if so how much was held back since the
    /// last one. `weight` is what this line stands for: one line, or so many points.
    pub fn allow(&self, reason: &str, weight: u64) -> Option<u64> {
        self.allow_at(reason, weight, Instant::now())
    }

    /// The same at a given time.
    pub fn allow_at(&self, reason: &str, weight: u64, now: Instant) -> Option<u64> {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reason = reason;
        if passed.len() >= REASONS_MAX && !passed.contains_key(reason) {
            // Those that are told again whatever was held back are as good as new.
            passed.retain(|_, (last, suppressed)| *suppressed > 0 || now.duration_since(*last) < INTERVAL);
            if passed.len() >= REASONS_MAX {
                reason = OTHERS;
            }
        }
        let Some((last, suppressed)) = passed.get_mut(reason) else {
            passed.insert(reason.to_owned(), (now, 0));
            return Some(0);
        };
        if now.duration_since(*last) < INTERVAL {
            *suppressed += weight;
            return None;
        }
        *last = now;
        Some(std::mem::take(suppressed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LogLimiter, REASONS_MAX};

    #[test]
    fn a_reason_is_told_once_a_minute_with_the_number_held_back() {
        let log_limiter = LogLimiter::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(log_limiter.allow_at("too-old", 1, at(0)), Some(0));
        assert_eq!(log_limiter.allow_at("too-old", 1, at(1)), None);
        assert_eq!(log_limiter.allow_at("too-old", 1, at(59)), None);
        assert_eq!(log_limiter.allow_at("out-of-order", 1, at(59)), Some(0), "another reason");
        assert_eq!(log_limiter.allow_at("too-old", 1, at(60)), Some(2));
        assert_eq!(log_limiter.allow_at("too-old", 1, at(61)), None);
    }

    #[test]
    fn reasons_without_end_are_few_lines_and_little_memory() {
        let log_limiter = LogLimiter::default();
        let start = Instant::now();
        let told = |seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            (0..10_000).filter(|n| log_limiter.allow_at(&format!("{seconds}-{n}"), 1, now).is_some()).count()
        };
        assert_eq!((told(0), told(30)), (REASONS_MAX + 1, 0));
        assert_eq!(log_limiter.passed.lock().unwrap().len(), REASONS_MAX + 1);
        // After a minute they are forgotten, but for those that stand for more.
        assert_eq!(told(60), REASONS_MAX);
        assert_eq!(log_limiter.allow_at("another", 1, start + Duration::from_secs(60)), None);
    }
}
