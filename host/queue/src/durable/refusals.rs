//! Payloads that are refused because of the disk: counted, and told of once a minute.

use super::disk::Disk;
use crate::AppendError;
use preamp_base::LogLimiter;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether a write failed because the disk, or what this user may have of it, is full.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// What is refused, by reason.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    full: Refused,
    low: Refused,
    failed: Refused,
}

/// Payloads and points since the last line about them.
#[derive(Debug, Default)]
struct Refused {
    payloads: AtomicU64,
    points: AtomicU64,
    limiter: LogLimiter,
}

impl Refused {
    /// Adds some. Once a minute, how many payloads and points were refused since the last time.
    fn add(&self, payloads: u64, points: u64) -> Option<(u64, u64)> {
        self.payloads.fetch_add(payloads, Ordering::Relaxed);
        self.points.fetch_add(points, Ordering::Relaxed);
        self.limiter.allow("", 1)?;
        Some((self.payloads.swap(0, Ordering::Relaxed), self.points.swap(0, Ordering::Relaxed)))
    }
}

impl Refusals {
    /// Payloads are refused since they could not be written. Returns what their senders are told.
    pub fn not_written(&self, disk: &dyn Disk, error: &io::Error, payloads: u64, points: u64) -> AppendError {
        let directory = disk.place();
        if is_full(error) {
            let free_bytes = disk.free().unwrap_or_default();
            if let Some((payloads, points)) = self.full.add(payloads, points) {
                tracing::error!(
                    directory,
                    %error,
                    free_bytes,
                    payloads,
                    points,
                    remedy = "free space on the disk of this directory, make the disk larger, or lower max_queue_bytes \
                              so that the queue is full before the disk is",
                    "payloads are refused, since the disk of the queue is full; what is queued is safe, senders are \
                     asked to retry"
                );
            }
            return AppendError::DiskIsFull { directory, free: free_bytes };
        }
        if let Some((payloads, points)) = self.failed.add(payloads, points) {
            tracing::error!(
                directory,
                %error,
                payloads,
                points,
                remedy = "look at the disk of this directory and at the log of the kernel",
                "payloads are refused, since the queue cannot be written; senders are asked to retry"
            );
        }
        AppendError::Storage(format!("{directory}: {error}"))
    }

    /// A payload is refused since as much has to stay free.
    pub fn low(&self, disk: &dyn Disk, free: u64, least: u64, points: u64) {
        if let Some((payloads, points)) = self.low.add(1, points) {
            tracing::warn!(
                directory = disk.place(),
                free_bytes = free,
                min_free_disk_bytes = least,
                payloads,
                points,
                remedy = "free space on the disk of this directory, or lower min_free_disk_bytes",
                "payloads are refused, since the disk of the queue is nearly full; what is queued is safe, senders are \
                 asked to retry"
            );
        }
    }
}
