//! What a pool and its instances count.

use std::sync::atomic::AtomicU64;

/// Counts of one pool.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) live: AtomicU64,
    pub(super) created: AtomicU64,
    pub(super) calls: AtomicU64,
    pub(super) traps: AtomicU64,
    pub(super) recycled: AtomicU64,
}
