//! Series that are refused for no known reason: if the receiver takes others, they are the reason; if it takes nothing
//! at all, the address or the account is, and everything is held.

use super::Delivery;
use crate::Receiver;
use crate::fragment::{Fragment, Suspect, Tries};
use crate::step::{BatchOutcome, Moment, Step};
use preamp_contract::{Batch, Explanation};
use std::borrow::Borrow;

/// So many series are asked about one by one before everything is held.
const SUSPECTS: usize = 16;

impl<B: Borrow<Batch> + Clone> Delivery<B> {
    /// Notes a series that was refused for no known reason.
    pub(super) fn suspect(
        &mut self,
        fragment: Fragment<B>,
        explanation: Explanation,
        tries: Tries,
        moment: Moment,
        receiver: &Receiver,
    ) {
        let Some(job) = &mut self.job else { return };
        job.taken_before.get_or_insert(receiver.taken());
        job.suspects.push(Suspect { fragment, explanation });
        let is_enough = job.was_held || tries.is_last || job.suspects.len() == SUSPECTS;
        if self.takes_others(receiver) {
            self.refuse_suspects();
        } else if is_enough {
            self.hold_suspects(tries, moment);
        }
    }

    /// What becomes of the suspects of a request of which nothing else is left.
    pub(super) fn conclude(&mut self, moment: Moment, receiver: &Receiver) {
        match self.takes_others(receiver) {
            true => self.refuse_suspects(),
            false => self.hold_suspects(Tries::new(moment.now), moment),
        }
    }

    /// Whether the receiver took something since the first such refusal, in whatever partition.
    fn takes_others(&self, receiver: &Receiver) -> bool {
        let before = self.job.as_ref().and_then(|job| job.taken_before);
        before.is_some_and(|before| before != receiver.taken())
    }

    fn refuse_suspects(&mut self) {
        let suspects = self.job.as_mut().map(|job| {
            job.was_held = false;
            std::mem::take(&mut job.suspects)
        });
        for Suspect { fragment, explanation } in suspects.into_iter().flatten() {
            self.settle(fragment.batch, BatchOutcome::Refused(explanation));
        }
    }

    /// Puts all of them back, and holds the first one.
    fn hold_suspects(&mut self, tries: Tries, moment: Moment) {
        let Some(job) = &mut self.job else { return };
        job.was_held = true;
        let mut suspects = std::mem::take(&mut job.suspects).into_iter();
        let Some(Suspect { fragment: first, explanation }) = suspects.next() else { return };
        job.fragments.extend(suspects.rev().map(|suspect| suspect.fragment));
        self.outbox.push_back(Step::HeldForUnknown(explanation));
        self.hold(first, tries, self.policy.stop_pause, moment);
    }
}
