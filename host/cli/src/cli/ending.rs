//! The last line of the log: what became of everything that was accepted.

use preamp_host::metrics::Snapshot;
use preamp_host::service::Stopped;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Logs what is lost or left and why, and says how the process ends.
pub(super) fn conclude(stopped: &Stopped, failure: Option<String>) -> ExitCode {
    if stopped.receivers_aborted {
        tracing::warn!("requests that did not end in time were broken off; their senders will repeat them");
    }
    if let Some(reason) = &stopped.unsaved {
        tracing::error!(reason, "the totals of delta metrics could not be saved: they begin anew");
    }
    if let Some(failure) = &failure {
        tracing::error!(problem = failure, "stopped because a part of the process ended");
    }
    let left = stopped.remains.points;
    let is_left = stopped.remains.batches > 0;
    let lost_at_end = if is_left && !stopped.outlives { left } else { 0 };
    let Snapshot { accepted, delivered, partly_rejected, damaged, handed_over, queued, .. } = stopped.ledger;
    let sum = |by_reason: &std::collections::BTreeMap<String, u64>| by_reason.values().sum::<u64>();
    let [rejected, expired, quarantined] =
        [&stopped.ledger.rejected, &stopped.ledger.expired, &stopped.ledger.quarantined].map(sum);
    let mut why = reasons(&stopped.ledger);
    if lost_at_end > 0 {
        add(&mut why, "are lost with the queue in memory", stopped.remains.because.as_deref(), lost_at_end);
    } else if is_left {
        add(&mut why, "left in the queue", stopped.remains.because.as_deref(), left);
    }
    macro_rules! log {
        ($level:ident, $next:expr) => {
            tracing::$level!(
                accepted,
                delivered,
                partly_rejected,
                rejected,
                expired,
                quarantined,
                damaged,
                handed_over,
                queued,
                why = (!why.is_empty()).then_some(&*why),
                next = $next,
                "stopped"
            )
        };
    }
    let is_lost = partly_rejected + rejected + expired + quarantined + damaged + lost_at_end > 0;
    let next = match (lost_at_end > 0, is_left) {
        (true, _) => Some("allow more time with --drain-timeout, or keep the queue on disk"),
        (false, true) => Some("what is left is kept, and is delivered after the next start"),
        (false, false) => None,
    };
    match (is_lost, is_left) {
        (true, _) => log!(error, next),
        (false, true) => log!(warn, next),
        (false, false) => log!(info, next),
    }
    let is_failure = failure.is_some() || stopped.unsaved.is_some() || lost_at_end > 0;
    if is_failure { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What ended other than delivered, by state and reason.
fn reasons(ledger: &Snapshot) -> String {
    let mut text = String::new();
    for (state, by_reason) in
        [("rejected", &ledger.rejected), ("expired", &ledger.expired), ("quarantined", &ledger.quarantined)]
    {
        for (reason, points) in by_reason {
            add(&mut text, state, Some(reason), *points);
        }
    }
    for (state, points) in
        [("of requests refused in part", ledger.partly_rejected), ("damaged", ledger.damaged)]
    {
        if points > 0 {
            add(&mut text, state, None, points);
        }
    }
    text
}

fn add(text: &mut String, state: &str, reason: Option<&str>, points: u64) {
    let separator = if text.is_empty() { "" } else { "; " };
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    // Nothing fails that is written to a text.
    let _written = write!(text, "{separator}{points} data points {state}{reason}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_named_with_its_reason() {
        let by = |reason: &str, points| [(reason.to_owned(), points)].into();
        let ledger = Snapshot {
            expired: by("too-old", 5),
            quarantined: by("invalid", 30),
            partly_rejected: 7,
            ..Snapshot::default()
        };
        assert_eq!(
            reasons(&ledger),
            "5 data points expired (too-old); 30 data points quarantined (invalid); 7 data points of requests refused in part"
        );
        assert_eq!(reasons(&Snapshot::default()), "");
    }
}
