//! How much a pool may use, and how much it does.

use std::time::Duration;

/// How much an exporter may use.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// The largest payload given to the component, in bytes; larger ones are refused before they
    /// are copied.
    pub payload_bytes_max: usize,
    /// The most linear memory of one instance, in bytes.
    pub memory_bytes_max: usize,
    /// An instance with more linear memory than this after a call, in bytes, is replaced, because
    /// linear memory never shrinks.
    pub recycle_above_bytes: usize,
    /// A call that takes longer is logged, again and again while it lasts.
    pub slow_call: Duration,
    /// How many calls may compute at the same time.
    pub parallel_calls: usize,
    /// Whether calls run where they are made, and not on threads for blocking work: then the same calls come in the
    /// same order each time, as a simulation needs it.
    pub is_in_place: bool,
}

impl Default for PoolLimits {
    fn default() -> PoolLimits {
        PoolLimits {
            payload_bytes_max: 256 << 20,
            memory_bytes_max: 1 << 30,
            recycle_above_bytes: 64 << 20,
            slow_call: Duration::from_secs(5),
            parallel_calls: std::thread::available_parallelism().map_or(1, usize::from),
            is_in_place: false,
        }
    }
}

/// What a pool has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Instances that exist now.
    pub instances: u64,
    /// Instances made so far.
    pub created: u64,
    /// Calls made so far.
    pub calls: u64,
    /// Calls that ended in a trap, running out of memory included.
    pub traps: u64,
    /// Instances replaced because their memory had grown.
    pub recycled: u64,
}
