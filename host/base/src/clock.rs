//! The wall clock of this machine, or what stands in for it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Gives the local time, in nanoseconds since the Unix epoch. Clones read the same clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The clock of the system.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(|| since_epoch(SystemTime::now()))
    }

    /// A clock that asks `wall` for the nanoseconds since the Unix epoch.
    pub fn from_fn(wall: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(wall))
    }

    /// The local time: nanoseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish()
    }
}

/// A time as nanoseconds since the Unix epoch.
#[must_use]
pub fn since_epoch(time: SystemTime) -> u64 {
    nanos(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The time of the system's clock, in milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> i64 {
    i64::try_from(since_epoch(SystemTime::now()) / NANOS_PER_MILLI).unwrap_or(i64::MAX)
}

/// A duration in nanoseconds.
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
