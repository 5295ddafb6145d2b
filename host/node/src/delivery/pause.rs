//! How long to wait before the next attempt.

use super::DeliveryContext;
use preamp_deliver::Policy;
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

/// How failed attempts are repeated, as the delivery machine wants it.
pub(super) fn policy(context: &DeliveryContext) -> Policy {
    let DeliveryContext { retry, pauses, exporters, .. } = context;
    Policy {
        retries: retry.enabled,
        jitter: retry.randomization_factor,
        max_elapsed: retry.max_elapsed_time.map(millis),
        max_age_sent: exporters.limits().max_age_sent,
        key_pause: millis(pauses.credentials_first),
        key_pause_max: millis(pauses.credentials_longest),
        stop_pause: millis(pauses.stop),
    }
}

/// A duration in whole milliseconds, or as many as there can be.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
