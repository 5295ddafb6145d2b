//! What is done about each verdict.

use super::{Delivery, HalvedFor, Pause, State};
use crate::fragment::{Fragment, Tries};
use crate::step::{Answer, BatchOutcome, Interrupt, Moment, Step, Unsigned};
use crate::{Arrival, Receiver};
use preamp_contract::{Batch, Explanation, HalveCause, Halving, Verdict};
use std::borrow::Borrow;

/// A wrong clock is told from a wrong secret by this: when the offset asked for is nearer than this to the
/// one that was signed with, the clock is not the reason. AWS takes signatures that are off by five minutes.
const SAME_OFFSET_MS: u64 = 60_000;

/// The pause after the exporter failed to judge an answer, in milliseconds.
const UNJUDGED_PAUSE: u64 = 5_000;

/// What is next for a fragment after an attempt.
enum Next {
    /// Its end.
    Settle(BatchOutcome),
    /// Another attempt after at least so many milliseconds: the receiver could not take it.
    Retry(u64),
    /// Another attempt after so many milliseconds: something must change first.
    Hold(u64),
    Halve(Halving),
    Downgrade(Explanation),
}

impl<B: Borrow<Batch> + Clone> Delivery<B> {
    /// The answer to [`Step::Send`]. `jitter` is a random number from 0 to 1.
    pub fn answered(&mut self, answer: Answer, moment: Moment, jitter: f64, receiver: &mut Receiver) {
        let Some((mut fragment, mut tries)) = self.take_sent() else { return };
        tries.answers = tries.answers.saturating_add(1);
        let Answer { verdict, arrival, signed_offset_ms } = answer;
        if verdict.as_ref().is_some_and(shows_a_receiver) {
            receiver.has_taken();
        }
        if !fragment.is_whole
            && (arrival == Arrival::Possible || verdict.as_ref().is_none_or(has_stored_some))
            && let Some(job) = &mut self.job
        {
            job.in_parts = job.in_parts.max(fragment.end());
        }
        let next = match verdict {
            Some(verdict) => self.judged(verdict, &fragment, &mut tries, signed_offset_ms),
            None => Next::Retry(UNJUDGED_PAUSE),
        };
        match next {
            Next::Settle(outcome) => {
                if outcome == BatchOutcome::Delivered
                    && let Some(job) = &mut self.job
                {
                    job.repeats.clear();
                    if fragment.contains_rejected_series {
                        job.search.give_back();
                    }
                    if fragment.precedes_other_half
                        && let Some(other_half) = job.fragments.last_mut()
                    {
                        other_half.is_surely_refused = true;
                    }
                }
                self.settle(fragment.batch, outcome);
            }
            Next::Halve(Halving { why: HalveCause::Unknown, explanation }) if !fragment.can_be_halved() => {
                self.suspect(fragment, explanation, tries, moment, receiver);
            }
            Next::Halve(Halving { why: cause, explanation }) => {
                if cause == HalveCause::Unknown
                    && let Some(job) = &mut self.job
                {
                    job.taken_before.get_or_insert(receiver.taken());
                }
                let refusal = HalvedFor { cause, explanation, is_unanswered: tries.is_unanswered };
                match fragment.can_be_halved() {
                    true => self.state = State::Halve(fragment, Some(refusal)),
                    false => self.refuse_whole(fragment, refusal),
                }
            }
            Next::Downgrade(explanation) => {
                if receiver.fall_back() {
                    self.outbox.push_back(Step::FellBack(explanation));
                }
                self.push([fragment]);
            }
            Next::Retry(pause) => {
                note_arrival(&mut fragment, &mut tries, arrival);
                self.retry(fragment, tries, stretched(pause, self.policy.jitter, jitter), moment);
            }
            Next::Hold(pause) => {
                note_arrival(&mut fragment, &mut tries, arrival);
                self.hold(fragment, tries, pause, moment);
            }
        }
    }

    /// The answer to [`Step::Send`] if there is no signature, so that nothing was sent.
    pub fn unsigned(&mut self, why: Unsigned, moment: Moment) {
        let Some((fragment, mut tries)) = self.take_sent() else { return };
        let pause = match why {
            Unsigned::NoKey => self.key_pause(&mut tries),
            Unsigned::Failed => self.policy.stop_pause,
        };
        self.hold(fragment, tries, pause, moment);
    }

    fn take_sent(&mut self) -> Option<(Fragment<B>, Tries)> {
        match std::mem::replace(&mut self.state, State::Next) {
            State::Send(fragment, tries) => Some((fragment, tries)),
            state => {
                self.state = state;
                None
            }
        }
    }

    fn judged(
        &mut self,
        verdict: Verdict,
        fragment: &Fragment<B>,
        tries: &mut Tries,
        signed_offset_ms: i64,
    ) -> Next {
        let is_repeat = |why: &Explanation| fragment.possibly_delivered && why.stored_if_repeated;
        match verdict {
            Verdict::Delivered | Verdict::Unconfirmed(_) => Next::Settle(BatchOutcome::Delivered),
            Verdict::PartlyRejected(why) | Verdict::Rejected(why) if is_repeat(&why) => {
                Next::Settle(BatchOutcome::PresumedDelivered(why))
            }
            Verdict::PartlyRejected(why) => Next::Settle(BatchOutcome::PartlyRejected(why)),
            Verdict::Rejected(why) => Next::Settle(BatchOutcome::Refused(why)),
            Verdict::Halve(halving) => Next::Halve(halving),
            Verdict::Downgrade(why) => Next::Downgrade(why),
            Verdict::Retry(retry) => {
                tries.key_failures = 0;
                match self.policy.retries {
                    true => Next::Retry(retry.after),
                    false => Next::Settle(BatchOutcome::RetryDisabled),
                }
            }
            Verdict::Stop(_) => {
                tries.key_failures = 0;
                Next::Hold(self.policy.stop_pause)
            }
            Verdict::RefreshCredentials(_) => self.refresh_key(tries, false),
            // That is what was done already, so the refusal has another reason.
            Verdict::FixClock(offset_ms) if offset_ms.abs_diff(signed_offset_ms) < SAME_OFFSET_MS => {
                self.refresh_key(tries, true)
            }
            Verdict::FixClock(offset_ms) => {
                self.outbox.push_back(Step::CorrectClock { offset_ms });
                Next::Hold(self.key_pause(tries))
            }
        }
    }

    fn refresh_key(&mut self, tries: &mut Tries, despite_clock: bool) -> Next {
        self.outbox.push_back(Step::RefreshKey { despite_clock });
        Next::Hold(self.key_pause(tries))
    }

    /// Counts that credentials are missing or were refused, and says how long to hold for it: not at all the
    /// first time, for newer ones may be there already.
    fn key_pause(&self, tries: &mut Tries) -> u64 {
        let failures = tries.key_failures;
        tries.key_failures = failures.saturating_add(1);
        if failures == 0 {
            return 0;
        }
        let doubled = 2u64.saturating_pow(failures - 1);
        self.policy.key_pause.saturating_mul(doubled).min(self.policy.key_pause_max)
    }

    fn retry(&mut self, fragment: Fragment<B>, tries: Tries, pause: u64, moment: Moment) {
        let elapsed = moment.now.saturating_sub(tries.since).saturating_add(pause);
        if self.policy.max_elapsed.is_some_and(|max| elapsed > max) {
            self.settle(fragment.batch, BatchOutcome::MaxElapsedTime);
            return;
        }
        let until = moment.now.saturating_add(pause);
        self.state = State::Wait { fragment, pause: Pause::Retry(tries), until };
    }

    /// Holds a fragment until something may have changed, but not beyond the wish to stop.
    pub(super) fn hold(&mut self, fragment: Fragment<B>, tries: Tries, pause: u64, moment: Moment) {
        if pause == 0 {
            self.state = State::Try(fragment, tries);
        } else if tries.is_last {
            self.leave(Interrupt::Close, fragment.possibly_delivered || self.is_settlement_open);
        } else {
            let until = moment.now.saturating_add(pause);
            self.state = State::Wait { fragment, pause: Pause::Hold(tries), until };
        }
    }
}

/// Whether a receiver that answers so has stored some of the request.
fn has_stored_some(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Delivered | Verdict::Unconfirmed(_) | Verdict::PartlyRejected(_))
}

/// Whether only a receiver answers so, to whom address and account are right.
fn shows_a_receiver(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Delivered | Verdict::PartlyRejected(_) => true,
        Verdict::Halve(halving) => halving.why == HalveCause::BadSeries,
        _ => false,
    }
}

/// Without an answer of the receiver itself it is not known what it did.
fn note_arrival<B>(fragment: &mut Fragment<B>, tries: &mut Tries, arrival: Arrival) {
    if arrival == Arrival::Possible {
        fragment.possibly_delivered = true;
        tries.is_unanswered = true;
    }
}

/// A pause with up to `factor` of it added, as the random number says.
fn stretched(pause: u64, factor: f64, random: f64) -> u64 {
    let more = pause as f64 * factor.clamp(0.0, 1.0) * random.clamp(0.0, 1.0);
    pause.saturating_add(more as u64)
}
