//! The delivery of the batches that are first in a partition.

mod answers;
mod requests;
mod suspects;

use crate::Receiver;
use crate::fragment::{Fragment, Job, Tries};
use crate::merge::MergedRequest;
use crate::step::{BatchOutcome, End, Interrupt, Moment, Policy, Step};
use preamp_contract::{Batch, Explanation, HalveCause, PossiblyDelivered};
use std::borrow::Borrow;
use std::collections::VecDeque;

/// Brings batches of one partition to their end, one request at a time. See the [crate] for how to drive it.
///
/// `B` is how the driver holds a batch: itself, or an `Arc` of it. It is cloned into each step.
#[derive(Debug)]
pub struct Delivery<B> {
    policy: Policy,
    /// Batches that no request was made of yet.
    waiting: VecDeque<B>,
    /// Requests of the last group that was merged.
    requests: VecDeque<MergedRequest<B>>,
    job: Option<Job<B>>,
    state: State<B>,
    /// Steps that need no answer, to be done before anything else.
    outbox: VecDeque<Step<B>>,
    /// What the receiver showed about sizes, to be learnt at the next poll.
    refused_size: Option<u64>,
    /// What earlier deliveries sent of `waiting`.
    possibly_delivered: PossiblyDelivered,
    /// The same of what `requests` were made of.
    earlier: PossiblyDelivered,
    /// Whether something was settled that is not acknowledged.
    is_settlement_open: bool,
    interrupts: Interrupts,
}

/// What happened beside the delivery so far.
#[derive(Debug, Default)]
struct Interrupts {
    hand_over: bool,
    close: bool,
    evict: bool,
    lost: bool,
}

#[derive(Debug)]
enum State<B> {
    /// To decide what is next.
    Next,
    /// To decide what is next for a fragment.
    Begin(Fragment<B>),
    /// The fragment has a size and a protocol that can be sent.
    TakeTurn(Fragment<B>),
    /// An attempt is due.
    Try(Fragment<B>, Tries),
    Wait {
        fragment: Fragment<B>,
        pause: Pause,
        until: u64,
    },
    /// Asked to merge; `copies` are what stands for the group, downgraded as far as need be.
    Merge {
        group: Vec<B>,
        copies: Vec<B>,
        downgraded: usize,
    },
    Downgrade(Fragment<B>),
    /// Asked to halve, because of a refusal if there was one.
    Halve(Fragment<B>, Option<HalvedFor>),
    Prune(Fragment<B>),
    Send(Fragment<B>, Tries),
    Done(End),
}

/// Why a fragment waits.
#[derive(Clone, Copy, Debug)]
enum Pause {
    /// For its turn in the search for bad series.
    Search,
    /// Between attempts.
    Retry(Tries),
    /// Until something has changed.
    Hold(Tries),
}

/// The refusal that a fragment is halved for.
#[derive(Debug)]
struct HalvedFor {
    cause: HalveCause,
    explanation: Explanation,
    /// Whether an attempt was not answered before that.
    is_unanswered: bool,
}

impl<B: Borrow<Batch> + Clone> Delivery<B> {
    /// A delivery of these batches, which are the first ones of a partition, in order.
    ///
    /// `possibly_delivered` says which of them the receiver may have already: an earlier delivery sent them and did
    /// not learn what became of them. They are sent apart from the others, and a refusal that means "stored already"
    /// counts as delivered.
    #[must_use]
    pub fn new(
        batches: impl IntoIterator<Item = B>,
        possibly_delivered: PossiblyDelivered,
        policy: Policy,
    ) -> Self {
        Delivery {
            policy,
            waiting: batches.into_iter().collect(),
            requests: VecDeque::new(),
            job: None,
            state: State::Next,
            outbox: VecDeque::new(),
            refused_size: None,
            possibly_delivered,
            earlier: PossiblyDelivered::default(),
            is_settlement_open: false,
            interrupts: Interrupts::default(),
        }
    }

    /// The next thing to do. A step that asks something must be answered before the next poll.
    pub fn poll(&mut self, moment: Moment, receiver: &mut Receiver) -> Step<B> {
        if let Some(bytes) = self.refused_size.take() {
            receiver.refused_size(bytes, moment.now);
        }
        loop {
            if let Some(step) = self.outbox.pop_front() {
                return step;
            }
            let state = std::mem::replace(&mut self.state, State::Next);
            if let Some(step) = self.advance(state, moment, receiver) {
                return step;
            }
        }
    }

    /// Tells what happened beside the delivery. It counts from the next poll on.
    pub fn interrupt(&mut self, interrupt: Interrupt) {
        match interrupt {
            Interrupt::HandOver => self.interrupts.hand_over = true,
            Interrupt::Close => self.interrupts.close = true,
            Interrupt::Evict => self.interrupts.evict = true,
            Interrupt::Lost => self.interrupts.lost = true,
        }
    }

    /// One transition; `None` if another one follows.
    fn advance(&mut self, state: State<B>, moment: Moment, receiver: &mut Receiver) -> Option<Step<B>> {
        if self.interrupts.lost && !matches!(state, State::Done(_)) {
            self.leave(Interrupt::Lost, self.has_more_in_doubt());
            return None;
        }
        match state {
            State::Next => self.next(moment, receiver),
            State::Begin(fragment) => self.begin(fragment, moment, receiver),
            State::TakeTurn(fragment) => self.take_turn(fragment, moment),
            State::Try(fragment, tries) => Some(self.attempt(fragment, tries, moment)),
            State::Wait { fragment, pause, until } => self.wait(fragment, pause, until, moment),
            State::Merge { group, copies, downgraded } => {
                Some(self.merge(group, copies, downgraded, receiver))
            }
            State::Done(end) => {
                self.state = State::Done(end);
                Some(Step::Done(end))
            }
            // A question that was not answered is asked again.
            State::Downgrade(fragment) => Some(self.ask_to_downgrade(fragment)),
            State::Halve(fragment, refusal) => Some(self.ask_to_halve(fragment, refusal)),
            State::Prune(fragment) | State::Send(fragment, _) => {
                self.state = State::Begin(fragment);
                None
            }
        }
    }

    /// Goes on with the request, the next request, or the next group.
    fn next(&mut self, moment: Moment, receiver: &mut Receiver) -> Option<Step<B>> {
        if let Some(job) = &mut self.job {
            match job.fragments.pop() {
                Some(fragment) => self.state = State::Begin(fragment),
                None if !job.suspects.is_empty() => self.conclude(moment, receiver),
                None => {
                    let acks = job.acks;
                    self.job = None;
                    if acks > 0 {
                        self.is_settlement_open = false;
                        return Some(Step::Acknowledge { batches: acks });
                    }
                }
            }
            return None;
        }
        let can_be_left = !self.is_settlement_open;
        if self.requests.is_empty() && self.waiting.is_empty() {
            self.state = State::Done(End::Delivered);
        } else if self.interrupts.hand_over && can_be_left {
            self.leave(Interrupt::HandOver, self.has_more_in_doubt());
        } else if self.interrupts.evict && can_be_left {
            self.leave(Interrupt::Evict, self.has_more_in_doubt());
        } else if let Some(request) = self.requests.pop_front() {
            let is_part = request.acks == 0 || self.is_settlement_open;
            let earlier = self.earlier;
            self.job = Some(Job::new(request, earlier, is_part, moment.now));
        } else {
            self.next_requests(receiver.size_limit(moment.now));
        }
        None
    }

    /// Cuts a fragment to what the receiver takes before it is sent.
    fn begin(
        &mut self,
        mut fragment: Fragment<B>,
        moment: Moment,
        receiver: &mut Receiver,
    ) -> Option<Step<B>> {
        if fragment.unanswered.is_none()
            && let Some(job) = &mut self.job
        {
            job.repeats.clear();
        }
        fragment.is_probe |= self.job.as_ref().is_some_and(|job| job.is_repeating(&fragment));
        if receiver.needs_downgrade(fragment.batch.borrow()) {
            return Some(self.ask_to_downgrade(fragment));
        }
        let size = u64::from(fragment.batch.borrow().uncompressed_size);
        let would_be_refused = size > receiver.size_limit(moment.now) || fragment.is_surely_refused;
        if (would_be_refused || fragment.is_probe) && fragment.can_be_halved() {
            return Some(self.ask_to_halve(fragment, None));
        }
        self.state = State::TakeTurn(fragment);
        None
    }

    fn take_turn(&mut self, fragment: Fragment<B>, moment: Moment) -> Option<Step<B>> {
        if fragment.contains_rejected_series
            && let Some(job) = &mut self.job
            && let Err(until) = job.search.take_turn(moment.now)
        {
            self.state = State::Wait { fragment, pause: Pause::Search, until };
            return None;
        }
        self.state = State::Try(fragment, Tries::new(moment.now));
        None
    }

    fn attempt(&mut self, fragment: Fragment<B>, tries: Tries, moment: Moment) -> Step<B> {
        let batch = fragment.batch.clone();
        if let Some(oldest) = self.oldest_taken(moment)
            && batch.borrow().first < oldest
        {
            self.state = State::Prune(fragment);
            return Step::Prune { batch, oldest };
        }
        let sent = self.sent_with(&fragment);
        self.state = State::Send(fragment, tries);
        Step::Send { batch, attempt: tries.answers.saturating_add(1), sent }
    }

    /// What the receiver may have of the batches that are first in the partition, once a fragment of the request is
    /// sent.
    fn sent_with(&self, fragment: &Fragment<B>) -> PossiblyDelivered {
        let own = self.job.as_ref().map_or(0, |job| job.acks);
        // A request that ends inside a batch has a part of those that the next one completes.
        let acks = std::iter::once(own).chain(self.requests.iter().map(|request| request.acks));
        let batches = acks.into_iter().find(|acks| *acks > 0).unwrap_or_default();
        let before = self.job.as_ref().map_or(PossiblyDelivered::IN_PARTS, |job| job.in_parts);
        let in_parts = if fragment.is_whole { before } else { fragment.end().max(before) };
        PossiblyDelivered { batches, in_parts }
    }

    /// Whether the receiver may have some of what no request is being made of.
    fn has_more_in_doubt(&self) -> bool {
        let requests = if self.requests.is_empty() { 0 } else { self.earlier.batches };
        requests + self.possibly_delivered.batches > 0
    }

    /// Whether the receiver has nothing of what is not acknowledged: it has refused all that was sent, or was not
    /// reached. `false` where that is open.
    #[must_use]
    pub fn has_sent_nothing(&self) -> bool {
        let is_refused = match &self.state {
            State::Wait { fragment, .. } => fragment.is_whole && !fragment.possibly_delivered,
            State::Done(End::Left { possibly_delivered, .. }) => !possibly_delivered,
            _ => false,
        };
        is_refused && !self.is_settlement_open && !self.has_more_in_doubt()
    }

    /// The oldest sample that the receiver takes now, as far as it is known.
    fn oldest_taken(&self, moment: Moment) -> Option<i64> {
        let age = i64::try_from(self.policy.max_age_sent?).ok()?;
        Some(moment.receiver_now?.saturating_sub(age))
    }

    fn wait(&mut self, fragment: Fragment<B>, pause: Pause, until: u64, moment: Moment) -> Option<Step<B>> {
        let can_be_left = !self.is_settlement_open;
        if self.interrupts.hand_over && can_be_left {
            self.leave(Interrupt::HandOver, fragment.possibly_delivered);
            return None;
        }
        if self.interrupts.evict {
            match can_be_left {
                true => self.leave(Interrupt::Evict, fragment.possibly_delivered),
                false => self.evict(fragment),
            }
            return None;
        }
        let is_over = moment.now >= until;
        match pause {
            Pause::Search if is_over => self.state = State::TakeTurn(fragment),
            Pause::Retry(tries) if is_over => self.state = State::Try(fragment, tries),
            Pause::Hold(tries) if is_over || self.interrupts.close => {
                let tries = Tries { since: moment.now, is_last: tries.is_last || !is_over, ..tries };
                self.state = State::Try(fragment, tries);
            }
            pause => {
                let is_held = matches!(pause, Pause::Hold(_));
                self.state = State::Wait { fragment, pause, until };
                return Some(Step::Wait { until, is_held });
            }
        }
        None
    }

    /// Gives up what is left of the request, of which the receiver has a part.
    fn evict(&mut self, fragment: Fragment<B>) {
        let mut rest = Vec::new();
        if let Some(job) = &mut self.job {
            rest.append(&mut job.fragments);
            rest.extend(job.suspects.drain(..).map(|suspect| suspect.fragment));
        }
        for fragment in rest.into_iter().chain([fragment]) {
            self.settle(fragment.batch, BatchOutcome::Evicted);
        }
    }

    fn leave(&mut self, why: Interrupt, possibly_delivered: bool) {
        self.state = State::Done(End::Left { why, possibly_delivered });
    }

    /// Notes the outcome of a batch; what is next is decided anew.
    fn settle(&mut self, batch: B, outcome: BatchOutcome) {
        self.is_settlement_open = true;
        self.outbox.push_back(Step::Settle { batch, outcome });
    }
}
