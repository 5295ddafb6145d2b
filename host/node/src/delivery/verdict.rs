//! What is done about each verdict.

use std::time::Duration;

use super::sender::{End, Sender, Signed, Step};
use preamp_contract::{Explanation, Retry, Verdict};
use preamp_queue::Outcome;

/// A wrong clock is told from a wrong secret by this: when the offset asked for is nearer than this
/// to the one that was signed with, the clock is not the reason. AWS takes signatures that are off
/// by five minutes.
const SAME_OFFSET_MS: u64 = 60_000;

impl Sender<'_> {
    /// Does what a verdict says about the batch, which came `took` after the request.
    pub(super) fn act(&mut self, verdict: Verdict, signed: &Signed, took: Duration) -> Step {
        self.parts().metrics.delivery.answered(name(&verdict), took);
        match verdict {
            Verdict::Delivered => Step::End(End::Settled(Outcome::Delivered)),
            Verdict::Retry(retry) => self.retry(&retry),
            Verdict::RefreshCredentials(explanation) => {
                self.tell(&explanation, "the receiver refused the credentials; data stays queued");
                self.refresh(signed)
            }
            Verdict::FixClock(offset_ms) => self.fix_clock(offset_ms, signed),
            Verdict::Halve(explanation) => Step::End(End::Halve(self.refusal(explanation))),
            Verdict::Downgrade(explanation) => Step::End(End::Downgrade(explanation)),
            Verdict::PartlyRejected(explanation) if self.refusal(explanation.clone()).is_of_repeat() => {
                Step::End(End::Refused(self.refusal(explanation)))
            }
            Verdict::PartlyRejected(explanation) => {
                self.tell(&explanation, "the receiver refused a part of a batch for good");
                Step::End(End::Settled(Outcome::PartlyRejected))
            }
            Verdict::Rejected(explanation) => {
                self.tell(&explanation, "the receiver refused a batch for good");
                Step::End(End::Refused(self.refusal(explanation)))
            }
            Verdict::Stop(explanation) => {
                self.refusals = 0;
                self.tell(&explanation, "delivery is held until this is set right; data stays queued");
                Step::Hold(self.parts().pauses.stop)
            }
        }
    }

    fn retry(&mut self, retry: &Retry) -> Step {
        self.refusals = 0;
        if self.parts().retry.enabled {
            // Each kind of trouble is told, and not only the first one.
            let kind = retry.reason.split(':').next().unwrap_or_default();
            self.warn(kind, &retry.reason, "the receiver does not take data now; sending again");
            Step::Retry(Duration::from_millis(retry.after))
        } else {
            self.warn("retry-disabled", &retry.reason, "a batch was given up: retry_on_failure is off");
            Step::End(End::Settled(Outcome::Rejected("retry-disabled".to_owned())))
        }
    }

    /// Signs with newer credentials next time.
    fn refresh(&mut self, signed: &Signed) -> Step {
        let parts = self.parts();
        if let (Some(keys), Some(issued)) = (&parts.keys, &signed.key) {
            keys.refused(issued.generation, parts.clock.signing_now());
        }
        Step::Hold(self.refused())
    }

    /// Signs with the receiver's clock from now on. If that is what was done already, the refusal
    /// has another reason.
    fn fix_clock(&mut self, offset_ms: i64, signed: &Signed) -> Step {
        if offset_ms.abs_diff(signed.offset_ms) < SAME_OFFSET_MS {
            let problem = "the receiver refuses signatures although they bear its own time";
            self.warn("signature", &problem, "check that the secret belongs to the access key id");
            return self.refresh(signed);
        }
        self.parts().clock.correct_signing(offset_ms);
        self.parts().metrics.delivery.signing_offset(offset_ms);
        self.warn(
            "clock",
            &format_args!("the local clock differs from the receiver's by {offset_ms} ms"),
            "signing with the receiver's time; set the clock of this machine (NTP)",
        );
        Step::Hold(self.refused())
    }

    /// Explains a verdict, once a minute for each reason.
    fn tell(&self, explanation: &Explanation, meaning: &str) {
        let Explanation { reason, detail, remedy } = explanation;
        if let Some(suppressed) = self.allow(reason) {
            let (partition, points) = (self.batch().partition, self.batch().points);
            tracing::error!(partition, points, reason = &**reason, detail, remedy, suppressed, "{meaning}");
        }
    }
}

/// A verdict as the value of a metric label.
fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry(_) => "retry",
        Verdict::RefreshCredentials(_) => "refresh_credentials",
        Verdict::FixClock(_) => "fix_clock",
        Verdict::Halve(_) => "halve",
        Verdict::Downgrade(_) => "downgrade",
        Verdict::PartlyRejected(_) => "partly_rejected",
        Verdict::Rejected(_) => "rejected",
        Verdict::Stop(_) => "stop",
    }
}
