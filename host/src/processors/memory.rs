//! The processor `memory_limiter`: payloads are refused while the process uses too much memory.

use crate::config::{MemoryLimit, MemoryLimiter};
use crate::metrics::process_memory;
use crate::queue::Queue;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// Where the kernel says how much a group of processes may use, in either version.
const GROUP_LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Looks at the memory now and then.
pub(super) struct Limiter {
    /// From here on payloads are refused, in bytes.
    threshold: u64,
    used: Arc<AtomicU64>,
    _looking: AbortOnDropHandle<()>,
}

impl Limiter {
    pub(super) fn start(settings: &MemoryLimiter) -> Self {
        let threshold = threshold(settings, total_memory());
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

    pub(super) fn admit(&self, queue: &dyn Queue) -> Result<(), String> {
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
fn threshold(settings: &MemoryLimiter, total: Option<u64>) -> u64 {
    let bytes = |limit: MemoryLimit| match limit {
        MemoryLimit::Bytes(bytes) => bytes,
        MemoryLimit::Percentage(part) => total.map_or(u64::MAX, |total| total / 100 * part),
    };
    match (bytes(settings.limit), bytes(settings.margin)) {
        (u64::MAX, _) => u64::MAX,
        (limit, margin) => limit.saturating_sub(margin),
    }
}

/// The memory that the process may use: that of its control group, or of the machine.
fn total_memory() -> Option<u64> {
    let group =
        GROUP_LIMITS.iter().filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok());
    group.chain(machine_memory()).min()
}

#[cfg(target_os = "linux")]
fn machine_memory() -> Option<u64> {
    use procfs::Current as _;
    procfs::Meminfo::current().ok().map(|memory| memory.mem_total)
}

#[cfg(not(target_os = "linux"))]
fn machine_memory() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_margin_is_taken_off_the_limit() {
        let limiter = |limit, margin| MemoryLimiter { check_interval: Duration::from_secs(1), limit, margin };
        let bytes = limiter(MemoryLimit::Bytes(1000), MemoryLimit::Bytes(200));
        assert_eq!(threshold(&bytes, None), 800);
        let part = limiter(MemoryLimit::Percentage(75), MemoryLimit::Percentage(15));
        assert_eq!((threshold(&part, Some(10_000)), threshold(&part, None)), (6_000, u64::MAX));
    }

    #[test]
    fn the_machine_tells_its_memory() {
        assert!(total_memory().is_some_and(|total| total > 64 * 1024 * 1024), "{:?}", total_memory());
    }
}
