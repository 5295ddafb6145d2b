//! The processor `memory_limiter`: payloads are refused while the process uses too much memory.

use crate::metrics::process_memory;
use preamp_base::memory::MemoryLimit;
use preamp_config::MemoryLimiter;
use preamp_queue::Queue;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// Looks at the memory now and then.
pub(super) struct Limiter {
    /// From here on payloads are refused, in bytes.
    threshold: u64,
    used: Arc<AtomicU64>,
    _looking: AbortOnDropHandle<()>,
}

impl Limiter {
    pub(super) fn start(settings: &MemoryLimiter) -> Self {
        let threshold = threshold(settings, MemoryLimit::of_this_system().bytes);
        let used = Arc::new(AtomicU64::new(0));
        let mut ticks = interval(settings.check_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = used.clone();
        let looking = tokio::spawn(async move {
            loop {
                ticks.tick().await;
                // Where the system does not tell, there is no limit.
                seen.store(process_memory().unwrap_or_default(), Ordering::Relaxed);
            }
        });
        Limiter { threshold, used, _looking: AbortOnDropHandle::new(looking) }
    }

    pub(super) fn allow(&self, queue: &dyn Queue) -> Result<(), String> {
        let used = self.used.load(Ordering::Relaxed);
        // Once nothing waits, refusing more would free no memory, and might go on for ever.
        if used < self.threshold || queue.statistics().payloads == 0 {
            return Ok(());
        }
        Err(format!(
            "memory_limiter: the process uses {used} bytes, and from {} on senders are asked to retry",
            self.threshold
        ))
    }
}

/// The limit without its margin, in bytes.
fn threshold(settings: &MemoryLimiter, total: u64) -> u64 {
    settings.limit.of(total).saturating_sub(settings.margin.of(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use preamp_config::MemoryLimit;
    use std::time::Duration;

    #[test]
    fn the_margin_is_taken_off_the_limit() {
        let limiter = |limit, margin| MemoryLimiter { check_interval: Duration::from_secs(1), limit, margin };
        let bytes = limiter(MemoryLimit::Bytes(1000), MemoryLimit::Bytes(200));
        assert_eq!(threshold(&bytes, 5_000), 800);
        let part = limiter(MemoryLimit::Percentage(75), MemoryLimit::Percentage(15));
        assert_eq!(threshold(&part, 10_000), 6_000);
    }
}
