//! How long to wait before the next attempt.

use std::time::Duration;

/// How long a partition is held when repeating alone cannot help: for lack of credentials, or
/// because the configuration is wrong. Data stays queued meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The first pause for lack of credentials; each one after it is twice as long.
    pub credentials_first: Duration,
    /// The longest pause for lack of credentials.
    pub credentials_longest: Duration,
    /// The pause when the receiver says that the configuration is wrong: long enough not to be a
    /// nuisance, short enough to notice that someone has set it right on the other side.
    pub stop: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            credentials_first: Duration::from_secs(1),
            credentials_longest: Duration::from_secs(60),
            stop: Duration::from_secs(60),
        }
    }
}

impl Pauses {
    /// The pause for lack of credentials after `failures` of them in a row, at least one.
    pub(super) fn credentials(&self, failures: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        self.credentials_first.saturating_mul(doubled).min(self.credentials_longest)
    }
}

/// Stretches `least` by a random part of itself, up to `factor` of it, so that partitions and
/// processes that failed together do not come back together.
pub(super) fn jittered(least: Duration, factor: f64) -> Duration {
    let stretch = 1.0 + factor.clamp(0.0, 1.0) * fastrand::f64();
    Duration::try_from_secs_f64(least.as_secs_f64() * stretch).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Pauses, jittered};

    #[test]
    fn jitter_only_adds_and_stays_within_the_factor() {
        let least = Duration::from_millis(1_000);
        let pauses: Vec<_> = (0..1_000).map(|_| jittered(least, 0.5)).collect();
        assert!(pauses.iter().all(|pause| (least..=least.mul_f64(1.5)).contains(pause)));
        assert!(pauses.iter().max() > pauses.iter().min(), "no jitter at all");
        assert_eq!(jittered(least, 0.0), least);
        assert_eq!(jittered(Duration::MAX, 1.0), Duration::MAX);
    }

    #[test]
    fn pauses_for_credentials_double_up_to_the_longest() {
        let pauses = Pauses::default();
        let seconds: Vec<_> =
            [1, 2, 3, 7, 8, u32::MAX].map(|failures| pauses.credentials(failures).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 60, 60, 60]);
    }
}
