//! How much a pool may use, and how much it does.

use preamp_base::memory::Shares;
use std::time::Duration;

/// How much an exporter may use.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// The largest payload given to the component, in bytes; larger ones are refused before they
    /// are copied.
    pub payload_bytes_max: usize,
    /// The most linear memory of one instance, in bytes.
    pub memory_bytes_max: usize,
    /// The same for a payload of at most [`SMALL_PAYLOAD`](Self::SMALL_PAYLOAD) bytes.
    pub small_memory_bytes_max: usize,
    /// The most bytes that one call may return.
    pub result_bytes_max: usize,
    /// An exporter that remembers keeps at least the last payloads of so many bytes, and at most of
    /// [`kept_bytes_max`](Self::kept_bytes_max), to make its instance again if that is lost.
    pub kept_bytes_min: usize,
    /// See there.
    pub kept_bytes_max: usize,
    /// An instance with more linear memory than this after a call, in bytes, is replaced, because
    /// linear memory never shrinks.
    pub recycle_above_bytes: usize,
    /// The most linear memory of all instances that wait for a call, in bytes; more of them are replaced.
    pub idle_bytes_max: usize,
    /// A call that takes longer is logged, again and again while it lasts.
    pub slow_call: Duration,
    /// How many calls for small payloads and for delivery may compute at the same time. Large ones have a lane of their
    /// own, so that whoever sends them holds up nobody who sends small ones.
    pub parallel_calls: usize,
    /// How many calls for large payloads may compute at the same time.
    pub parallel_large_calls: usize,
    /// Whether all calls run where they are made, and not only those on small payloads and batches: then the same calls
    /// come in the same order each time, as a simulation needs it.
    pub is_in_place: bool,
}

impl Default for PoolLimits {
    fn default() -> PoolLimits {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        PoolLimits {
            payload_bytes_max: 256 << 20,
            memory_bytes_max: 1 << 30,
            small_memory_bytes_max: 1 << 30,
            result_bytes_max: 1 << 30,
            kept_bytes_min: 16 << 20,
            kept_bytes_max: usize::MAX,
            recycle_above_bytes: RECYCLE_ABOVE_MAX,
            idle_bytes_max: usize::MAX,
            slow_call: Duration::from_secs(5),
            parallel_calls: processors,
            parallel_large_calls: processors,
            is_in_place: false,
        }
    }
}

/// Bounds of [`PoolLimits::recycle_above_bytes`]. An instance that has taken nothing yet has about a MiB.
const RECYCLE_ABOVE_MIN: usize = 8 << 20;
const RECYCLE_ABOVE_MAX: usize = 64 << 20;

impl PoolLimits {
    /// The largest payload that counts as small, in bytes: more than a hundred points of an SDK.
    pub const SMALL_PAYLOAD: usize = 32 << 10;

    /// The limits of an exporter that holds to its share of the memory.
    #[must_use]
    pub fn within(shares: &Shares) -> PoolLimits {
        let bytes = |share: u64| usize::try_from(share).unwrap_or(usize::MAX);
        let defaults = PoolLimits::default();
        PoolLimits {
            payload_bytes_max: bytes(shares.requests),
            memory_bytes_max: bytes(shares.large_instance),
            small_memory_bytes_max: bytes(shares.small_instance),
            result_bytes_max: bytes(shares.result),
            kept_bytes_min: defaults.kept_bytes_min.min(bytes(shares.result)),
            kept_bytes_max: bytes(shares.result),
            idle_bytes_max: bytes(shares.idle_instances),
            recycle_above_bytes: (bytes(shares.large_instance) / 4)
                .clamp(RECYCLE_ABOVE_MIN, RECYCLE_ABOVE_MAX),
            parallel_calls: shares.parallel_calls,
            parallel_large_calls: shares.parallel_large_calls,
            ..defaults
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
