//! A request, the parts it is cut into, and the attempts to send one of them.

use crate::merge::MergedRequest;
use crate::search::Search;
use preamp_contract::{Batch, Explanation, HalveCause, PossiblyDelivered};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// A u32 of series is down to one after this many halvings.
const HALVINGS_MAX: u32 = 32;

/// A part of a request.
#[derive(Clone, Debug)]
pub(crate) struct Fragment<B> {
    pub batch: B,
    halvings: u32,
    /// Whether it is all of its request, as it was made of batches of the queue.
    pub is_whole: bool,
    /// How many series of the request stand before it, if that is known.
    place: Option<u32>,
    /// How many series of the request, from the front, an earlier delivery may have sent in parts.
    in_parts: u32,
    pub possibly_delivered: bool,
    /// The smallest request that held all of it and whose answer did not come, of this delivery or an earlier one, by its
    /// number in the job: a receiver that rolls back has all of that or nothing.
    pub unanswered: Option<u32>,
    /// Whether its series are to be asked about one by one, from the first on, to see whether they were stored.
    pub is_probe: bool,
    /// Whether there is something in it that the receiver will never take.
    pub contains_rejected_series: bool,
    /// Whether the other half of what was refused comes next: if this one is taken, the reason is in that one.
    pub precedes_other_half: bool,
    /// Whether the receiver would refuse it, since it took the other half of what it refused: it need not be asked.
    pub is_surely_refused: bool,
}

impl<B: Borrow<Batch>> Fragment<B> {
    /// All of a request; `earlier` is what an earlier delivery may have sent of it.
    pub fn whole(batch: B, earlier: PossiblyDelivered) -> Self {
        let possibly_delivered = earlier.batches > 0;
        let in_parts = if possibly_delivered { earlier.in_parts } else { 0 };
        let was_sent_whole = possibly_delivered && in_parts < PossiblyDelivered::IN_PARTS;
        Fragment {
            batch,
            halvings: 0,
            is_whole: true,
            place: Some(0),
            in_parts,
            possibly_delivered,
            unanswered: was_sent_whole.then_some(0),
            is_probe: false,
            contains_rejected_series: false,
            precedes_other_half: false,
            is_surely_refused: false,
        }
    }

    /// Whether the receiver can have it only from the unanswered request, as far as earlier deliveries are concerned.
    pub fn shows_repeat(&self) -> bool {
        let was_sent_apart = self.place.map_or(self.in_parts > 0, |place| place < self.in_parts);
        self.unanswered.is_some() && !was_sent_apart
    }

    /// How many series of the request stand before its end; all, if that is not known.
    pub fn end(&self) -> u32 {
        let own = self.batch.borrow().series;
        self.place.map_or(PossiblyDelivered::IN_PARTS, |place| place.saturating_add(own))
    }

    /// A part of it that is treated as it is.
    pub fn part<C>(&self, batch: C) -> Fragment<C> {
        Fragment {
            batch,
            halvings: self.halvings,
            is_whole: false,
            place: None,
            in_parts: self.in_parts,
            possibly_delivered: self.possibly_delivered,
            unanswered: self.unanswered,
            is_probe: false,
            contains_rejected_series: self.contains_rejected_series,
            precedes_other_half: false,
            is_surely_refused: false,
        }
    }

    /// Its halves in reverse, since fragments are a stack. `is_search` says that they are looked through for what is
    /// refused.
    pub fn halves(&self, (first, second): (B, B), is_search: bool) -> [Fragment<B>; 2] {
        let middle = self.place.map(|place| place.saturating_add(first.borrow().series));
        let half =
            |half, place: Option<u32>| Fragment { halvings: self.halvings + 1, place, ..self.part(half) };
        let second = half(second, middle);
        let first = half(first, self.place);
        [second, Fragment { precedes_other_half: is_search, is_probe: self.is_probe, ..first }]
    }

    /// The same, after the receiver refused it and wants it halved. `unanswered` is the number of an attempt of this
    /// delivery whose answer did not come.
    pub fn refused(self, cause: HalveCause, explanation: &Explanation, unanswered: Option<u32>) -> Self {
        let is_repeat = self.possibly_delivered && explanation.stored_if_repeated;
        let unanswered = unanswered.or(self.unanswered);
        Fragment {
            unanswered,
            is_probe: is_repeat && unanswered.is_some(),
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
    /// How many series in a row of an unanswered request were refused as repeats, one by one.
    pub repeats: BTreeMap<u32, u32>,
    /// How many requests are unanswered.
    unanswered: u32,
    /// How many of its series, from the front, the receiver may have from parts of it.
    pub in_parts: u32,
    /// How many batches of the queue are done with it.
    pub acks: usize,
}

impl<B: Borrow<Batch>> Job<B> {
    /// `earlier` is what earlier deliveries sent of it. If it `is_part`, it and another request are of one batch.
    pub fn new(request: MergedRequest<B>, earlier: PossiblyDelivered, is_part: bool, now: u64) -> Self {
        let MergedRequest { batch, acks } = request;
        let search = Search::new(batch.borrow().series, acks, now);
        let fragments = vec![Fragment::whole(batch, earlier)];
        let in_parts = match is_part {
            true => PossiblyDelivered::IN_PARTS,
            false if earlier.batches > 0 => earlier.in_parts,
            false => 0,
        };
        let (suspects, taken_before, was_held) = (Vec::new(), None, false);
        // The first is of an earlier delivery.
        let (repeats, unanswered) = (BTreeMap::new(), 1);
        Job { fragments, search, suspects, taken_before, was_held, repeats, unanswered, in_parts, acks }
    }

    /// The number of one more unanswered request.
    pub fn number_unanswered(&mut self) -> u32 {
        self.unanswered += 1;
        self.unanswered
    }

    /// Whether the last series of the request that a fragment was in was refused as a repeat.
    pub fn is_repeating(&self, fragment: &Fragment<B>) -> bool {
        fragment.shows_repeat()
            && fragment.unanswered.is_some_and(|number| self.repeats.contains_key(&number))
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
    /// Whether an attempt was possibly delivered.
    pub is_unanswered: bool,
}

impl Tries {
    pub fn new(now: u64) -> Self {
        Tries { since: now, answers: 0, key_failures: 0, is_last: false, is_unanswered: false }
    }
}
