//! Runs a delivery by a script and writes down what it does.

use crate::{
    Answer, Arrival, BatchOutcome, Delivery, End, Interrupt, Moment, Policy, Receiver, Step, Unsigned,
};
use preamp_contract::Retry;
use preamp_contract::{Batch, Explanation, HalveCause, Halving, PossiblyDelivered, Protocol, Verdict};
use std::collections::VecDeque;

/// The receiver's time when a script begins.
pub const RECEIVER_BEGIN: i64 = 1_000_000_000;

/// What happens next to a request, or beside one.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// 2xx.
    Taken,
    /// A temporary failure that the receiver itself tells (429): wait so long.
    Busy(u64),
    /// A temporary failure after which it may have the request (time-out, 5xx): wait so long.
    Lost(u64),
    /// The exporter cannot judge the answer.
    Unjudged,
    /// 413.
    TooLarge,
    /// A receiver that rolls back refuses a series.
    BadSeries,
    /// The same, in words that mean "stored already" of a repeat.
    OutOfOrder,
    /// A refusal in words that nobody knows.
    Unknown,
    /// 2xx with a page for people.
    Page,
    /// A receiver that stores the valid part refuses a series; in words that mean "stored already", or not.
    Partly(bool),
    /// The request as a whole is refused for good; the same.
    Rejected(bool),
    /// Not remote write 2.0.
    OnlyV1,
    /// 404.
    Stop,
    /// The credentials are refused.
    BadKey,
    /// The clock is off by so much, and what was signed with.
    Clock(i64, i64),
    /// There is nothing to sign with.
    NoKey,
    /// Signing fails.
    Unsignable,
}

/// What a receiver says to a text.
pub type Says = Box<dyn FnMut(&str) -> Event>;

pub struct Script {
    pub batches: Vec<&'static str>,
    pub possibly_delivered: PossiblyDelivered,
    pub policy: Policy,
    pub receiver: Receiver,
    pub events: Vec<Event>,
    /// What is answered to a text once the events are over, if not that it is taken.
    pub receiver_says: Option<Says>,
    /// Interrupts that come as soon as so many steps were taken.
    pub interrupts: Vec<(usize, Interrupt)>,
    /// The age of all samples when the script begins, in milliseconds.
    pub age: i64,
}

impl Default for Script {
    fn default() -> Self {
        Script {
            batches: vec!["abc"],
            possibly_delivered: PossiblyDelivered::default(),
            policy: Policy { jitter: 0.0, ..Policy::default() },
            receiver: Receiver::default(),
            events: Vec::new(),
            receiver_says: None,
            interrupts: Vec::new(),
            age: 0,
        }
    }
}

pub fn batch(text: &str, first: i64) -> Batch {
    let series = text.len() as u32;
    let is_v2 = text.chars().any(char::is_uppercase);
    Batch {
        body: text.as_bytes().to_vec(),
        digest: None,
        partition: 0,
        points: series,
        series,
        samples: series,
        histograms: 0,
        exemplars: 0,
        first,
        last: first,
        uncompressed_size: 20_000 * series,
        protocol: if is_v2 { Protocol::RemoteWriteV2 } else { Protocol::RemoteWriteV1 },
    }
}

pub fn text(batch: &Batch) -> &str {
    std::str::from_utf8(&batch.body).unwrap()
}

pub fn explanation(stored_if_repeated: bool) -> Explanation {
    Explanation { reason: "a".into(), detail: String::new(), remedy: String::new(), stored_if_repeated }
}

fn answer(event: &Event) -> Answer {
    let halve = |why, repeat| Verdict::Halve(Halving { why, explanation: explanation(repeat) });
    let retry = |after| Verdict::Retry(Retry { after, reason: String::new() });
    let (verdict, arrival, signed) = match *event {
        Event::Taken => (Verdict::Delivered, Arrival::Settled, 0),
        Event::Busy(after) => (retry(after), Arrival::Settled, 0),
        Event::Lost(after) => (retry(after), Arrival::Possible, 0),
        Event::TooLarge => (halve(HalveCause::TooLarge, false), Arrival::Settled, 0),
        Event::BadSeries => (halve(HalveCause::BadSeries, false), Arrival::Settled, 0),
        Event::OutOfOrder => (halve(HalveCause::BadSeries, true), Arrival::Settled, 0),
        Event::Unknown => (halve(HalveCause::Unknown, false), Arrival::Settled, 0),
        Event::Page => (Verdict::Unconfirmed(explanation(false)), Arrival::Settled, 0),
        Event::Partly(repeat) => (Verdict::PartlyRejected(explanation(repeat)), Arrival::Settled, 0),
        Event::Rejected(repeat) => (Verdict::Rejected(explanation(repeat)), Arrival::Settled, 0),
        Event::OnlyV1 => (Verdict::Downgrade(explanation(false)), Arrival::Settled, 0),
        Event::Stop => (Verdict::Stop(explanation(false)), Arrival::Settled, 0),
        Event::BadKey => (Verdict::RefreshCredentials(explanation(false)), Arrival::Settled, 0),
        Event::Clock(offset, signed) => (Verdict::FixClock(offset), Arrival::Settled, signed),
        Event::Unjudged | Event::NoKey | Event::Unsignable => {
            return Answer { verdict: None, arrival: Arrival::Possible, signed_offset_ms: 0 };
        }
    };
    Answer { verdict: Some(verdict), arrival, signed_offset_ms: signed }
}

fn outcome(outcome: &BatchOutcome) -> &'static str {
    match outcome {
        BatchOutcome::Delivered => "delivered",
        BatchOutcome::PresumedDelivered(_) => "presumed",
        BatchOutcome::PartlyRejected(_) => "partly",
        BatchOutcome::Refused(_) => "refused",
        BatchOutcome::Unwritable => "unwritable",
        BatchOutcome::RetryDisabled => "not-retried",
        BatchOutcome::MaxElapsedTime => "elapsed",
        BatchOutcome::TooOld => "too-old",
        BatchOutcome::Evicted => "evicted",
    }
}

/// Letters before `n` are older than the others: `prune` parts there.
fn prune(batch: &Batch, first: i64) -> (Option<Batch>, Batch) {
    let (old, young): (Vec<char>, Vec<char>) = text(batch).chars().partition(|letter| *letter < 'n');
    let make = |letters: Vec<char>, first| self::batch(&letters.into_iter().collect::<String>(), first);
    let kept = (!young.is_empty()).then(|| make(young, first + 60_000));
    (kept, make(old, first))
}

impl Script {
    /// What is done, one word after the other, waiting as `~MILLISECONDS`.
    pub fn run(self) -> String {
        let first = RECEIVER_BEGIN - self.age;
        let batches = self.batches.iter().map(|text| batch(text, first));
        let mut delivery = Delivery::new(batches, self.possibly_delivered, self.policy);
        let mut receiver = self.receiver;
        let mut events = VecDeque::from(self.events);
        let mut receiver_says = self.receiver_says;
        let mut said: Vec<String> = Vec::new();
        let mut now = 0;
        for number in 0..300 {
            for (at, interrupt) in &self.interrupts {
                if *at == number {
                    delivery.interrupt(*interrupt);
                }
            }
            let moment = Moment { now, receiver_now: Some(RECEIVER_BEGIN + now as i64) };
            match delivery.poll(moment, &mut receiver) {
                Step::Merge(batches) => {
                    let texts: Vec<_> = batches.iter().map(text).collect();
                    said.push(format!("merge:{}", texts.join("+")));
                    assert!(delivery.merged(Some(vec![batch(&texts.concat(), first)])));
                }
                Step::Downgrade(one) => {
                    said.push(format!("downgrade:{}", text(&one)));
                    let written = text(&one).to_lowercase();
                    let parts = written.chars().map(|letter| batch(&letter.to_string(), first));
                    delivery.downgraded(if written.contains('x') { None } else { Some(parts.collect()) });
                }
                Step::Halve(one) => {
                    let (left, right) = text(&one).split_at(one.series.div_ceil(2) as usize);
                    delivery.halved(Some((batch(left, one.first), batch(right, one.first))));
                }
                Step::Prune { batch, oldest } => {
                    assert!(batch.first < oldest);
                    delivery.pruned(Some(prune(&batch, batch.first)));
                }
                Step::Send { batch, attempt, .. } => {
                    let number = if attempt > 1 { attempt.to_string() } else { String::new() };
                    said.push(format!("{}{number}", text(&batch)));
                    let mut says = || receiver_says.as_mut().map_or(Event::Taken, |says| says(text(&batch)));
                    match events.pop_front().unwrap_or_else(&mut says) {
                        Event::NoKey => delivery.unsigned(Unsigned::NoKey, moment),
                        Event::Unsignable => delivery.unsigned(Unsigned::Failed, moment),
                        event => delivery.answered(answer(&event), moment, 1.0, &mut receiver),
                    }
                }
                Step::Wait { until, is_held } => {
                    said.push(format!("~{}{}", until - now, if is_held { "held" } else { "" }));
                    // Interrupts come while it waits.
                    if !self.interrupts.iter().any(|(at, _)| *at == number + 1) {
                        now = until;
                    }
                }
                Step::RefreshKey { despite_clock } => {
                    said.push(if despite_clock { "refresh!" } else { "refresh" }.to_owned());
                }
                Step::CorrectClock { offset_ms } => said.push(format!("clock:{offset_ms}")),
                Step::FellBack(_) => said.push("fell-back".to_owned()),
                Step::HeldForUnknown(_) => said.push("unknown!".to_owned()),
                Step::Settle { batch, outcome: became } => {
                    said.push(format!("{}={}", text(&batch), outcome(&became)));
                }
                Step::Acknowledge { batches } => said.push(format!("ack{batches}")),
                Step::Done(End::Delivered) => return said.join(" "),
                Step::Done(End::Left { why, possibly_delivered }) => {
                    said.push(format!("left:{why:?}{}", if possibly_delivered { "?" } else { "" }));
                    return said.join(" ");
                }
            }
        }
        panic!("no end: {}", said.join(" "));
    }
}
