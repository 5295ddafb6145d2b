//! Logs rejected points without letting a wrong sender fill the log.

use preamp_base::LogLimiter;
use preamp_contract::Rejection;
use std::time::Instant;

/// Logs each reason once a minute, with the number of points since the last time.
#[derive(Debug, Default)]
pub(super) struct RejectionLog {
    log_limiter: LogLimiter,
}

impl RejectionLog {
    /// Logs points that were rejected for one reason, or counts them for the next line.
    pub(super) fn log(&self, rejection: &Rejection) {
        if let Some(points) = self.due(&rejection.reason, rejection.points, Instant::now()) {
            tracing::warn!(
                reason = &*rejection.reason,
                points,
                example = rejection.example,
                remedy = &*rejection.remedy,
                "data points cannot be translated (each reason is logged once a minute)"
            );
        }
    }

    /// The points to log now, if it is time for that.
    fn due(&self, reason: &str, points: u64, now: Instant) -> Option<u64> {
        self.log_limiter.allow_at(reason, points, now).map(|suppressed| suppressed + points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_reason_is_logged_at_once_and_then_once_a_minute_with_all_points_since() {
        let log = RejectionLog::default();
        let start = Instant::now();
        assert_eq!(log.due("too-old", 3, start), Some(3));
        assert_eq!(log.due("too-old", 4, start + Duration::from_secs(1)), None);
        assert_eq!(log.due("no-data", 1, start + Duration::from_secs(2)), Some(1));
        assert_eq!(log.due("too-old", 5, start + Duration::from_secs(59)), None);
        assert_eq!(log.due("too-old", 6, start + Duration::from_secs(60)), Some(15));
        assert_eq!(log.due("too-old", 7, start + Duration::from_secs(61)), None);
    }
}
