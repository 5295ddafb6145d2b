//! What time it is for a receiver, and how far the local clock is off.

use preamp_base::Clock;
use preamp_base::clock::{nanos, since_epoch};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::time::Instant;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// A local clock that is off by more than this is not believed.
const OFF: Duration = Duration::from_secs(5 * 60);

/// The clock of one receiver, beside the local one. Each exporter has its own.
///
/// All partitions of the exporter share it: a receiver that shows one of them that the local clock is wrong spares the
/// others the same failure.
pub struct ReceiverClock {
    local: Clock,
    signing_offset_ms: AtomicI64,
    /// What time the receiver's last answer bore, and when it came.
    receiver: Mutex<Option<(SystemTime, Instant)>>,
    /// Whether the receiver answers without saying its time.
    is_silent: AtomicBool,
    probe: Notify,
}

impl ReceiverClock {
    /// The clock of a receiver that has not answered yet.
    #[must_use]
    pub fn new(local: Clock) -> Self {
        Self {
            local,
            signing_offset_ms: AtomicI64::new(0),
            receiver: Mutex::new(None),
            is_silent: AtomicBool::new(false),
            probe: Notify::new(),
        }
    }

    /// The local time, uncorrected: nanoseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.local.now()
    }

    /// The time at which payloads are taken, in nanoseconds since the Unix epoch: the local one, or the receiver's if
    /// that is far from it. Points are too old, or of the future, by it.
    #[must_use]
    pub fn accepting_now(&self) -> u64 {
        let local = self.now();
        let receiver = self.receiver_now().and_then(|millis| u64::try_from(millis).ok());
        let receiver = receiver.map(|millis| millis.saturating_mul(NANOS_PER_MILLI.unsigned_abs()));
        receiver.filter(|receiver| receiver.abs_diff(local) > nanos(OFF)).unwrap_or(local)
    }

    /// The time to sign for, which is the receiver's as far as it is known: nanoseconds since the
    /// Unix epoch.
    #[must_use]
    pub fn signing_now(&self) -> u64 {
        let offset = self.signing_offset_ms().saturating_mul(NANOS_PER_MILLI);
        self.now().saturating_add_signed(offset)
    }

    /// What is added to the local time when signing, in milliseconds.
    #[must_use]
    pub fn signing_offset_ms(&self) -> i64 {
        self.signing_offset_ms.load(Ordering::Relaxed)
    }

    /// Sets what is added to the local time when signing, in milliseconds. An offset is measured
    /// against the local clock, so a new one replaces the old one.
    pub fn correct_signing(&self, offset_ms: i64) {
        self.signing_offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// Notes the time that an answer of the receiver bears (its field `date`). Returns what is added to the local time
    /// when signing from now on, if the local clock was set since that was measured.
    pub fn receiver_says(&self, time: SystemTime) -> Option<i64> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        *receiver = Some((time, Instant::now()));
        let offset_ms = self.signing_offset_ms();
        let off_ms = i64::try_from(OFF.as_millis()).unwrap_or(i64::MAX) / 2;
        let measured = (i128::from(since_epoch(time)) - i128::from(self.now())) / i128::from(NANOS_PER_MILLI);
        let measured = i64::try_from(measured).ok()?;
        let is_outdated = offset_ms != 0 && measured.abs_diff(offset_ms) > off_ms.unsigned_abs();
        is_outdated.then(|| {
            let offset_ms = if measured.abs() > off_ms { measured } else { 0 };
            self.correct_signing(offset_ms);
            offset_ms
        })
    }

    /// The receiver answers, and does not say its time.
    pub fn receiver_says_nothing(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// Whether the receiver has not confirmed the local clock yet.
    #[must_use]
    pub fn is_unverified(&self) -> bool {
        self.receiver_now().is_none() && !self.is_silent.load(Ordering::Relaxed)
    }

    /// Requests a probe of the receiver for its time.
    pub fn request_probe(&self) {
        self.probe.notify_one();
    }

    /// Waits until a probe is requested.
    pub async fn probe_requested(&self) {
        self.probe.notified().await;
    }

    /// What time it is for the receiver, in milliseconds since the Unix epoch; `None` until it has answered. It is
    /// what the age of samples goes by, and no change of the local clock moves it.
    #[must_use]
    pub fn receiver_now(&self) -> Option<i64> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, since) = (*receiver)?;
        let now = time.checked_add(since.elapsed())?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(now.as_millis()).ok()
    }
}

impl fmt::Debug for ReceiverClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverClock")
            .field("now", &self.now())
            .field("signing_offset_ms", &self.signing_offset_ms())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, ReceiverClock};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_correction_moves_signing_only_and_replaces_the_last_one() {
        let clock = ReceiverClock::new(Clock::from_fn(|| 10_000_000_000));
        clock.correct_signing(-4_000);
        clock.correct_signing(1_500);
        assert_eq!(clock.now(), 10_000_000_000);
        assert_eq!(clock.signing_now(), 11_500_000_000);
    }

    #[test]
    fn a_correction_ends_when_the_local_clock_is_set_right() {
        let local = Arc::new(AtomicU64::new(10_000));
        let wall = local.clone();
        let clock = ReceiverClock::new(Clock::from_fn(move || wall.load(Ordering::Relaxed) * 1_000_000_000));
        let says = |seconds| clock.receiver_says(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        // Nobody asked for a correction, so none is made.
        assert_eq!((says(13_600), clock.signing_offset_ms()), (None, 0));
        clock.correct_signing(3_600_000);
        assert_eq!((says(13_605), clock.signing_offset_ms()), (None, 3_600_000));
        local.store(13_610, Ordering::Relaxed);
        assert_eq!((says(13_611), clock.signing_offset_ms()), (Some(0), 0));
        clock.correct_signing(3_600_000);
        local.store(1_000, Ordering::Relaxed);
        assert_eq!((says(13_620), clock.signing_offset_ms()), (Some(12_620_000), 12_620_000));
    }

    #[test]
    fn the_receivers_time_goes_on_by_itself() {
        let clock = ReceiverClock::new(Clock::from_fn(|| 0));
        assert_eq!(clock.receiver_now(), None);
        clock.receiver_says(SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        let now = clock.receiver_now().unwrap_or_default();
        assert!((7_000..17_000).contains(&now), "{now}");
    }

    #[test]
    fn a_local_clock_that_is_far_off_is_not_believed_once_the_receiver_has_answered() {
        let clock = ReceiverClock::new(Clock::from_fn(|| 1_000_000_000_000));
        assert_eq!(clock.accepting_now(), 1_000_000_000_000);
        clock.receiver_says(SystemTime::UNIX_EPOCH + Duration::from_secs(1_100));
        assert_eq!(clock.accepting_now(), 1_000_000_000_000, "not far off");
        clock.receiver_says(SystemTime::UNIX_EPOCH + Duration::from_secs(9_000));
        assert!(clock.accepting_now() >= 9_000_000_000_000);
    }

    #[test]
    fn a_correction_beyond_the_epoch_stops_there() {
        let clock = ReceiverClock::new(Clock::from_fn(|| 1));
        clock.correct_signing(i64::MIN);
        assert_eq!(clock.signing_now(), 0);
    }
}
