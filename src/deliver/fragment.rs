//! A request, the parts it is cut into, and the attempts to send one of them.

use crate::merge::MergedRequest;
use crate::search::Search;
use preamp_contract::{Batch, Explanation, HalveCause, PossiblyDelivered};
use std::borrow::Borrow;

/// A u32 of series is down to one after this many halvings.
const HALVINGS_MAX: u32 = 32;

/// A part of a request.
#[derive(Clone, Debug)]
pub(crate) struct Fragment<B> {
    pub batch: B,
    halvings: u32,
    /// Whether it is all of its request, as it was made of batches of the queue.
    pub is_whole: bool,
    pub possibly_delivered: bool,
    /// Whether it was sent before, by this delivery or an earlier one, as a part of one request whose answer did not
    /// come.
    pub was_sent_whole: bool,
    /// Whether there is something in it that the receiver will never take.
    pub contains_rejected_series: bool,
    /// Whether the other half of what was refused comes next: if this one is taken, the reason is in that one.
    pub precedes_other_half: bool,
    /// Whether the receiver would refuse it, since it took the other half of what it refused: it need not be asked.
    pub is_surely_refused: bool,
}

impl<B: Borrow<Batch>> Fragment<B> {
    /// All of a request. An earlier delivery may have sent what is in it, and all of it in one request if it
    /// `was_sent_whole`.
    pub fn whole(batch: B, possibly_delivered: bool, was_sent_whole: bool) -> Self {
        Fragment {
            batch,
            halvings: 0,
            is_whole: true,
            possibly_delivered,
            was_sent_whole,
            contains_rejected_series: false,
            precedes_other_half: false,
            is_surely_refused: false,
        }
    }

    /// A part of it that is treated as it is.
    pub fn part<C>(&self, batch: C) -> Fragment<C> {
        Fragment {
            batch,
            halvings: self.halvings,
            is_whole: false,
            possibly_delivered: self.possibly_delivered,
            was_sent_whole: self.was_sent_whole,
            contains_rejected_series: self.contains_rejected_series,
            precedes_other_half: false,
            is_surely_refused: false,
        }
    }

    /// Its halves in reverse, since fragments are a stack. `is_search` says that they are looked through for what is
    /// refused.
    pub fn halves(&self, (first, second): (B, B), is_search: bool) -> [Fragment<B>; 2] {
        let half = |half| Fragment { halvings: self.halvings + 1, ..self.part(half) };
        [half(second), Fragment { precedes_other_half: is_search, ..half(first) }]
    }

    /// The same, after the receiver refused it and wants it halved. `became_possible` says whether an
    /// attempt of this delivery was possibly delivered.
    pub fn refused(self, cause: HalveCause, explanation: &Explanation, became_possible: bool) -> Self {
        let is_repeat = self.possibly_delivered && explanation.stored_if_repeated;
        Fragment {
            was_sent_whole: self.was_sent_whole || became_possible,
            contains_rejected_series: self.contains_rejected_series
                || (cause != HalveCause::TooLarge && !is_repeat),
            ..self
        }
    }

    pub fn can_be_halved(&self) -> bool {
        self.halvings < HALVINGS_MAX && self.batch.borrow().series > 1
    }
}

/// A series that the receiver refused for no known reason.
#[derive(Debug)]
pub(crate) struct Suspect<B> {
    pub fragment: Fragment<B>,
    pub explanation: Explanation,
}

/// A request that is being brought to its end, in fragments if need be.
#[derive(Debug)]
pub(crate) struct Job<B> {
    /// What is to be sent, the next one last.
    pub fragments: Vec<Fragment<B>>,
    pub search: Search,
    /// Series that were refused for no known reason. They are settled once it is clear whether the receiver
    /// takes anything.
    pub suspects: Vec<Suspect<B>>,
    /// How much the receiver had taken when the first of them, or the request as a whole, was refused so.
    pub taken_before: Option<u64>,
    /// Whether it was held since then, so that one more such refusal is enough to hold it again.
    pub was_held: bool,
    /// How many series in a row of a request that was sent whole were refused as repeats, one by one.
    pub repeats: u32,
    /// How many batches of the queue are done with it.
    pub acks: usize,
}

impl<B: Borrow<Batch>> Job<B> {
    /// `earlier` is what earlier deliveries sent of it.
    pub fn new(request: MergedRequest<B>, earlier: PossiblyDelivered, now: u64) -> Self {
        let MergedRequest { batch, acks } = request;
        let search = Search::new(batch.borrow().series, acks, now);
        let fragments = vec![Fragment::whole(batch, earlier.batches > 0, earlier.in_one_request)];
        let (suspects, taken_before, was_held) = (Vec::new(), None, false);
        Job { fragments, search, suspects, taken_before, was_held, repeats: 0, acks }
    }
}

/// The attempts to send a fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tries {
    /// Since when the receiver is tried without a hold.
    pub since: u64,
    /// Answers so far.
    pub answers: u32,
    /// How many times in a row credentials were missing or refused.
    pub key_failures: u32,
    /// Whether this is the one more try that a held batch gets when the process is stopping.
    pub is_last: bool,
    /// Whether an attempt was possibly delivered that did not begin so.
    pub became_possible: bool,
}

impl Tries {
    pub fn new(now: u64) -> Self {
        Tries { since: now, answers: 0, key_failures: 0, is_last: false, became_possible: false }
    }
}
