//! One payload from its bytes to the answer of its sender, for hosts without a queue: a state machine without I/O, which
//! names the next action, and to which the host reports the result.
//!
//! ```text
//!          ┌──── next ────▶ Send    the request; the answer goes to `answered`
//!  Passage ┤                Key     a signing key for a date; it goes to `give_key`
//!          │                Wait    milliseconds; or `give_up`
//!          └◀─ answered     Done    the OTLP answer, ready to be sent
//!              give_key
//! ```
//!
//! What is done about each answer of the receiver is decided by [`preamp_deliver`], as in hosts with a queue. Partitions
//! are delivered one after the other, so that one request is in flight at a time.
//!
//! The sender gets an answer of success once everything is settled. What is given up before is answered 503: the sender
//! sends the payload again, its bytes repeat, and the receiver drops what it has.

mod outcome;
mod route;

pub use outcome::Outcome;
pub use route::Route;

use crate::Exporter;
use outcome::Tally;
use preamp_answer::{Code, Failure};
use preamp_contract::{
    Acceptance, Batch, Encoding, Instant, NANOS_PER_MILLI, PossiblyDelivered, Pruned, Refusal, Request,
    Response, Sent, SignError, SigningKey,
};
use preamp_deliver::{Answer, Arrival, Delivery, End, Policy, Unsigned};
use preamp_unpack::{ContentEncoding, Unbounded, UnpackError};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

/// What a host has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send this request with this body, unchanged, and give the answer to [`Passage::answered`].
    Send {
        /// The head.
        request: Request,
        /// What has the body; `None` for an empty one.
        batch: Option<Rc<Batch>>,
    },
    /// Derive a signing key and give it to [`Passage::give_key`].
    Key(KeyRequest),
    /// Pause for this many milliseconds. A host that cannot wait calls [`Passage::give_up`].
    Wait(u64),
    /// The end. A later call says the same.
    Done(Outcome),
}

/// The signing key that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The UTC date, `YYYYMMDD`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
    /// Whether the receiver refused the credentials of the last key, so that newer ones are to be fetched.
    pub is_refused: bool,
}

/// Why nothing is taken while the receiver cannot be asked for its time.
const WHAT_TIME: &str = "all points are of another time by the local clock, and the receiver does not answer what time it \
                         is: send them again, and look at the clock of this machine";

/// A batch on its way, and the number of its attempt.
#[derive(Clone, Debug)]
struct Attempt {
    batch: Rc<Batch>,
    number: u32,
}

/// What the host was asked for.
#[derive(Debug)]
enum Asked {
    /// Nothing.
    Nothing,
    /// To send this once there is a key of this date.
    Key { attempt: Attempt, date: String },
    /// To send this, signed with that offset to the local clock.
    Answer { attempt: Attempt, signed_offset_ms: i64 },
    /// To ask the receiver for its time. By the local clock, all points of this payload are of another time.
    Time { payload: Vec<u8> },
}

/// See the module.
pub struct Passage {
    encoding: Encoding,
    /// Batches of partitions that were not begun.
    partitions: VecDeque<Vec<Rc<Batch>>>,
    delivery: Option<Delivery<Rc<Batch>>>,
    asked: Asked,
    tally: Tally,
    /// The pause that the host was last told of, in milliseconds.
    pause: Option<u64>,
    done: Option<Outcome>,
}

impl Passage {
    /// Begins the passage of a payload. `content_type` and `content_encoding` are what its head says, and `route` is what
    /// earlier passages of the exporter learnt.
    pub fn begin(
        exporter: &mut Exporter,
        route: &Route,
        payload: &[u8],
        content_type: &str,
        content_encoding: &str,
        now: Instant,
    ) -> Passage {
        let encoding = preamp_answer::payload_encoding(content_type);
        let mut passage = Passage {
            encoding: encoding.unwrap_or(Encoding::Protobuf),
            partitions: VecDeque::new(),
            delivery: None,
            asked: Asked::Nothing,
            tally: Tally::default(),
            pause: None,
            done: None,
        };
        if encoding.is_none() {
            passage.done = Some(Outcome::unsupported_media_type());
        } else {
            let unpacked = unpack(payload, content_encoding, exporter.limits().max_payload_bytes);
            let accepted = unpacked.and_then(|payload| passage.accept(exporter, route, payload, now));
            passage.done = accepted.err().map(|failure| Outcome::failure(&failure, passage.encoding));
        }
        passage
    }

    fn accept(
        &mut self,
        exporter: &mut Exporter,
        route: &Route,
        payload: Cow<[u8]>,
        now: Instant,
    ) -> Result<(), Failure> {
        let accepted = exporter.accept(&payload, self.encoding, route.accepting_now(now));
        let accepted = accepted.map_err(|refusal| Failure::refused(&refusal))?;
        if route.is_time_unknown() && is_of_another_time(&accepted) {
            self.asked = Asked::Time { payload: payload.into_owned() };
            return Ok(());
        }
        self.tally.begin(accepted.accepted_points, &accepted.rejections);
        let mut batches = accepted.batches;
        batches.sort_by_key(|batch| batch.partition);
        let partitions = batches.chunk_by(|one, other| one.partition == other.partition);
        self.partitions = partitions.map(|part| part.iter().cloned().map(Rc::new).collect()).collect();
        Ok(())
    }

    /// What to do next. `now` is the local time.
    pub fn next(&mut self, exporter: &mut Exporter, route: &mut Route, now: Instant) -> Step {
        loop {
            if let Some(outcome) = &self.done {
                return Step::Done(outcome.clone());
            }
            let asked = std::mem::replace(&mut self.asked, Asked::Nothing);
            match asked {
                Asked::Key { attempt, .. } => return self.send(exporter, route, attempt, now),
                // Asked again before it was answered: that request is lost.
                Asked::Answer { attempt, signed_offset_ms } => {
                    self.asked = Asked::Answer { attempt, signed_offset_ms };
                    self.answered(
                        exporter,
                        route,
                        &Response { status: 0, headers: Vec::new(), body: Vec::new() },
                        now,
                    );
                }
                Asked::Time { payload } => {
                    self.asked = Asked::Time { payload };
                    return Step::Send { request: exporter.time_request(), batch: None };
                }
                Asked::Nothing => {}
            }
            let Some(mut delivery) = self.delivery.take().or_else(|| self.next_delivery(exporter)) else {
                self.done = Some(self.tally.outcome(self.encoding));
                continue;
            };
            let step = delivery.poll(route.moment(now), &mut route.receiver);
            self.delivery = Some(delivery);
            if let Some(step) = self.perform(step, exporter, route, now) {
                return step;
            }
        }
    }

    fn next_delivery(&mut self, exporter: &Exporter) -> Option<Delivery<Rc<Batch>>> {
        let batches = self.partitions.pop_front()?;
        let policy = Policy { max_age_sent: exporter.limits().max_age_sent, ..Policy::default() };
        Some(Delivery::new(batches, PossiblyDelivered::default(), policy))
    }

    /// Does what the delivery wants, as far as the host is not needed for it.
    fn perform(
        &mut self,
        step: preamp_deliver::Step<Rc<Batch>>,
        exporter: &mut Exporter,
        route: &mut Route,
        now: Instant,
    ) -> Option<Step> {
        use preamp_deliver::Step as Wanted;
        let delivery = self.delivery.as_mut()?;
        match step {
            Wanted::Merge(batches) => {
                let copies = batches.iter().map(|batch| Batch::clone(batch)).collect();
                let merged = exporter.merge(copies).ok();
                delivery.merged(merged.map(|merged| merged.into_iter().map(Rc::new).collect()));
            }
            Wanted::Downgrade(batch) => {
                let parts = exporter.downgrade(&batch).ok();
                delivery.downgraded(parts.map(|parts| parts.into_iter().map(Rc::new).collect()));
            }
            Wanted::Halve(batch) => {
                let halves = exporter.halve(&batch).ok();
                delivery.halved(halves.map(|(first, second)| (Rc::new(first), Rc::new(second))));
            }
            Wanted::Prune { batch, oldest } => {
                let pruned = exporter.prune(Batch::clone(&batch), oldest).ok();
                let parts =
                    pruned.and_then(|Pruned { kept, expired }| Some((kept.map(Rc::new), Rc::new(expired?))));
                delivery.pruned(parts);
            }
            Wanted::Send { batch, attempt, .. } => {
                return Some(self.send(exporter, route, Attempt { batch, number: attempt }, now));
            }
            Wanted::Wait { until, .. } => {
                let pause = until.saturating_sub(route.moment(now).now);
                self.pause = Some(pause);
                return Some(Step::Wait(pause));
            }
            Wanted::RefreshKey { .. } => route.refuse_key(),
            Wanted::CorrectClock { offset_ms } => route.signing_offset_ms = offset_ms,
            Wanted::FellBack(_) | Wanted::Acknowledge { .. } => {}
            Wanted::HeldForUnknown(explanation) => self.tally.hold(explanation),
            Wanted::Settle { batch, outcome } => self.tally.settle(&batch, outcome),
            Wanted::Done(End::Delivered) => self.delivery = None,
            Wanted::Done(End::Left { .. }) => self.done = Some(self.tally.given_up(self.encoding, None)),
        }
        None
    }

    /// Signs and sends, or asks for the key to sign with.
    fn send(&mut self, exporter: &mut Exporter, route: &mut Route, attempt: Attempt, now: Instant) -> Step {
        let signed_offset_ms = route.signing_offset_ms;
        let signing_now = now.saturating_add_signed(signed_offset_ms.saturating_mul(NANOS_PER_MILLI as i64));
        let batch = &attempt.batch;
        let digest = batch.digest.unwrap_or_else(|| Sha256::digest(&batch.body).into());
        match exporter.sign(&digest, batch.protocol, signing_now, route.key.as_ref()) {
            Ok(request) => {
                let batch = Some(Rc::clone(batch));
                self.pause = None;
                self.asked = Asked::Answer { attempt, signed_offset_ms };
                Step::Send { request, batch }
            }
            Err(SignError::KeyRequired | SignError::WrongDate(_)) => {
                let wanted = route.key_request(exporter, signing_now);
                self.asked = Asked::Key { attempt, date: wanted.date.clone() };
                Step::Key(wanted)
            }
            Err(SignError::WrongScope(_) | SignError::Invalid(_)) => {
                // The key is another one than was asked for.
                route.refuse_key();
                self.unsigned(route, Unsigned::Failed, now);
                self.next(exporter, route, now)
            }
        }
    }

    /// The key that was asked for; `None` if there are no credentials now. One of another date counts as none.
    pub fn give_key(&mut self, route: &mut Route, key: Option<SigningKey>, now: Instant) {
        let Asked::Key { attempt, date } = std::mem::replace(&mut self.asked, Asked::Nothing) else { return };
        match key.filter(|key| key.date == date) {
            Some(key) => {
                route.take_key(key);
                self.asked = Asked::Key { attempt, date };
            }
            None => self.unsigned(route, Unsigned::NoKey, now),
        }
    }

    fn unsigned(&mut self, route: &Route, why: Unsigned, now: Instant) {
        if let Some(delivery) = &mut self.delivery {
            delivery.unsigned(why, route.moment(now));
        }
    }

    /// The answer to the request. Its status is 0 if there was none.
    pub fn answered(
        &mut self,
        exporter: &mut Exporter,
        route: &mut Route,
        response: &Response,
        now: Instant,
    ) {
        route.heard(response, now);
        let (attempt, signed_offset_ms) = match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Answer { attempt, signed_offset_ms } => (attempt, signed_offset_ms),
            Asked::Time { payload } => return self.accept_again(exporter, route, payload, response, now),
            Asked::Nothing | Asked::Key { .. } => return,
        };
        let Attempt { batch, number } = attempt;
        let verdict = exporter.judge(&Sent::from(&*batch), response, number, now);
        self.tally.note(&verdict);
        let arrival = Arrival::of_status(response.status);
        let answer = Answer { verdict: Some(verdict), arrival, signed_offset_ms };
        let moment = route.moment(now);
        if let Some(delivery) = &mut self.delivery {
            delivery.answered(answer, moment, route::jitter(now), &mut route.receiver);
        }
    }

    /// Accepts the payload by the time of the receiver, if that is known now.
    fn accept_again(
        &mut self,
        exporter: &mut Exporter,
        route: &Route,
        payload: Vec<u8>,
        response: &Response,
        now: Instant,
    ) {
        let accepted = match response.status {
            0 => Err(Failure::busy(WHAT_TIME.to_owned())),
            _ => self.accept(exporter, route, payload.into(), now),
        };
        self.done = accepted.err().map(|failure| Outcome::failure(&failure, self.encoding));
    }

    /// Ends the passage. What is not settled by now is for the sender to send again.
    pub fn give_up(&mut self) -> Outcome {
        let Passage { tally, encoding, pause, .. } = self;
        self.done.get_or_insert_with(|| tally.given_up(*encoding, *pause)).clone()
    }
}

/// Whether nothing of a payload was taken, and that for its time.
fn is_of_another_time(acceptance: &Acceptance) -> bool {
    let rejections = &acceptance.rejections;
    acceptance.accepted_points == 0 && rejections.iter().any(|rejection| rejection.because_of_time)
}

fn unpack<'p>(payload: &'p [u8], content_encoding: &str, limit: u64) -> Result<Cow<'p, [u8]>, Failure> {
    let wrong = |message| Failure::new(Code::InvalidArgument, message);
    let packed = ContentEncoding::parse(content_encoding)
        .map_err(|unknown| wrong(format!("Content-Encoding {unknown}")))?;
    let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
    packed.unpack(payload, limit_bytes, &mut Unbounded).map_err(|error| match error {
        UnpackError::TooLarge => Failure::refused(&Refusal::TooLarge(limit)),
        UnpackError::Malformed(error) => {
            wrong(format!("the body is not what Content-Encoding says, or cut off: {error}"))
        }
    })
}

#[cfg(test)]
mod tests;
