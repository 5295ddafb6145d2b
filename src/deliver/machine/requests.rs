//! Which requests are made of the waiting batches, and of a batch that cannot be sent as it is.

use super::{Delivery, HalvedFor, State};
use crate::Receiver;
use crate::fragment::{Fragment, Job};
use crate::merge::{assign_acks, next_group, unmerged};
use crate::step::{BatchOutcome, Step};
use preamp_contract::{Batch, Explanation, HalveCause, PossiblyDelivered};
use std::borrow::Borrow;

/// A receiver that rolls back stores all of a request or nothing. Once this many series in a row of a request that was not
/// answered were refused as repeats, one by one, it was stored: the others are not asked about. A part that is taken in
/// between begins the count anew: a few bad series are no repeats. Series that were sent again in a smaller request
/// say nothing of the others: they may be repeats of that.
const REPEATS: u32 = 16;

/// So many batches at most are sent in one request where it is not known which of them the receiver has. If it refuses
/// that, their series are asked about to the end; and from a receiver that stores the rest, one refusal as a repeat is
/// all there is about them.
const UNKNOWN_BATCHES: usize = 16;

impl<B: Borrow<Batch> + Clone> Delivery<B> {
    /// Makes requests of the next batches. What was possibly delivered is not sent together with what was not. It is
    /// sent as the same request if it was one, and else a few batches at a time.
    pub(super) fn next_requests(&mut self, size_limit: u64) {
        let (most, size_limit) = match self.possibly_delivered {
            PossiblyDelivered { batches: 0, .. } => (usize::MAX, size_limit),
            PossiblyDelivered { in_parts: PossiblyDelivered::IN_PARTS, batches } => {
                (batches.min(UNKNOWN_BATCHES), size_limit)
            }
            PossiblyDelivered { batches, .. } => (batches, size_limit),
        };
        let group = next_group(&mut self.waiting, most, size_limit);
        self.earlier = self.possibly_delivered.among(group.len());
        self.possibly_delivered = self.possibly_delivered.behind(group.len());
        if group.len() < 2 {
            self.requests = unmerged(group);
        } else {
            let copies = Vec::with_capacity(group.len());
            self.state = State::Merge { group, copies, downgraded: 0 };
        }
    }

    /// Has a group downgraded as far as need be, then merged. The other way round it would be too large and
    /// be cut again.
    pub(super) fn merge(
        &mut self,
        group: Vec<B>,
        mut copies: Vec<B>,
        mut downgraded: usize,
        receiver: &Receiver,
    ) -> Step<B> {
        let step = loop {
            match group.get(downgraded) {
                Some(batch) if receiver.needs_downgrade(batch.borrow()) => {
                    break Step::Downgrade(batch.clone());
                }
                Some(batch) => copies.push(batch.clone()),
                None => break Step::Merge(copies.clone()),
            }
            downgraded += 1;
        };
        self.state = State::Merge { group, copies, downgraded };
        step
    }

    /// The answer to [`Step::Merge`]; `None` if the batches could not be merged. Each is then sent alone.
    /// Returns whether what was merged is used: it must count the same as what it was made of.
    pub fn merged(&mut self, merged: Option<Vec<B>>) -> bool {
        let State::Merge { group, .. } = std::mem::replace(&mut self.state, State::Next) else {
            return false;
        };
        let requests = merged.and_then(|merged| assign_acks(&group, merged));
        let is_used = requests.is_some();
        self.requests = requests.unwrap_or_else(|| unmerged(group));
        is_used
    }

    pub(super) fn ask_to_downgrade(&mut self, fragment: Fragment<B>) -> Step<B> {
        let batch = fragment.batch.clone();
        self.state = State::Downgrade(fragment);
        Step::Downgrade(batch)
    }

    /// The answer to [`Step::Downgrade`]; `None` if the batch could not be read.
    pub fn downgraded(&mut self, parts: Option<Vec<B>>) {
        match std::mem::replace(&mut self.state, State::Next) {
            State::Merge { group, mut copies, downgraded } => {
                match parts {
                    Some(parts) => copies.extend(parts),
                    None => copies.extend(group.get(downgraded).cloned()),
                }
                self.state = State::Merge { group, copies, downgraded: downgraded + 1 };
            }
            State::Downgrade(fragment) => match parts {
                Some(parts) => self.push(parts.into_iter().rev().map(|part| fragment.part(part))),
                None => self.settle(fragment.batch, BatchOutcome::Unwritable),
            },
            state => self.state = state,
        }
    }

    pub(super) fn ask_to_halve(&mut self, fragment: Fragment<B>, refusal: Option<HalvedFor>) -> Step<B> {
        let batch = fragment.batch.clone();
        self.state = State::Halve(fragment, refusal);
        Step::Halve(batch)
    }

    /// The answer to [`Step::Halve`]; `None` if the batch could not be read.
    pub fn halved(&mut self, halves: Option<(B, B)>) {
        let (fragment, refusal) = match std::mem::replace(&mut self.state, State::Next) {
            State::Halve(fragment, refusal) => (fragment, refusal),
            state => {
                self.state = state;
                return;
            }
        };
        match (halves, refusal) {
            (Some(halves), None) => self.push(fragment.halves(halves, fragment.is_surely_refused)),
            (Some(halves), Some(HalvedFor { cause, explanation, is_unanswered })) => {
                if cause == HalveCause::TooLarge {
                    self.refused_size = Some(fragment.batch.borrow().uncompressed_size.into());
                }
                let number = self.job.as_mut().filter(|_| is_unanswered).map(Job::number_unanswered);
                let fragment = fragment.refused(cause, &explanation, number);
                self.push(fragment.halves(halves, cause != HalveCause::TooLarge));
            }
            (None, None) => self.state = State::TakeTurn(fragment),
            (None, Some(refusal)) => self.refuse_whole(fragment, refusal),
        }
    }

    /// Settles what was to be halved and cannot be.
    pub(super) fn refuse_whole(&mut self, fragment: Fragment<B>, refusal: HalvedFor) {
        let HalvedFor { explanation, is_unanswered, .. } = refusal;
        if !(fragment.possibly_delivered && explanation.stored_if_repeated) {
            self.settle(fragment.batch, BatchOutcome::Refused(explanation));
            return;
        }
        // If it was not answered itself, it may be a repeat of that.
        let counted = fragment.unanswered.filter(|_| fragment.shows_repeat() && !is_unanswered);
        self.settle(fragment.batch, BatchOutcome::PresumedDelivered(explanation.clone()));
        if let Some(request) = counted {
            self.count_repeat(request, &explanation);
        }
    }

    /// Counts a series of an unanswered request that was refused as a repeat.
    fn count_repeat(&mut self, request: u32, explanation: &Explanation) {
        let Some(job) = &mut self.job else { return };
        let repeats = job.repeats.entry(request).or_default();
        *repeats += 1;
        if *repeats == REPEATS {
            let is_of_it = |rest: &mut Fragment<B>| rest.unanswered == Some(request);
            let rest: Vec<_> = job.fragments.extract_if(.., is_of_it).collect();
            for fragment in rest.into_iter().rev() {
                self.settle(fragment.batch, BatchOutcome::PresumedDelivered(explanation.clone()));
            }
        }
    }

    /// The answer to [`Step::Prune`]: what is young enough, and what is too old; `None` if the batch could
    /// not be read. It is too old as a whole then.
    pub fn pruned(&mut self, pruned: Option<(Option<B>, B)>) {
        let fragment = match std::mem::replace(&mut self.state, State::Next) {
            State::Prune(fragment) => fragment,
            state => {
                self.state = state;
                return;
            }
        };
        let (kept, expired) = match pruned {
            Some((kept, expired)) => (kept.map(|batch| fragment.part(batch)), expired),
            None => (None, fragment.batch),
        };
        self.settle(expired, BatchOutcome::TooOld);
        self.push(kept);
    }

    /// Puts fragments on the stack, the one to be sent first last.
    pub(super) fn push(&mut self, fragments: impl IntoIterator<Item = Fragment<B>>) {
        if let Some(job) = &mut self.job {
            job.fragments.extend(fragments);
        }
    }
}
