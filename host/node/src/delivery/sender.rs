//! One batch: sign, send, judge, and again until its end.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::pause::jittered;
use super::time::date;
use super::{Parts, Shared};
use crate::credentials::IssuedKey;
use crate::metrics::Attempt;
use preamp_contract::{Batch, Explanation, Request, Response, Sent};
use preamp_queue::Outcome;

/// The pause after the component failed to judge an answer.
const UNJUDGED_PAUSE: Duration = Duration::from_secs(5);

/// How often it is looked whether a partition is held for long enough again.
const LOOK: Duration = Duration::from_millis(50);

/// Why a batch was not brought to its end. It stays queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abandoned {
    /// The process is stopping and this partition cannot go on, or another delivery is to.
    Stopping {
        /// Whether the receiver may have some of what is left.
        may_be_repeat: bool,
    },
    /// The partition is not this process' any more.
    Lost,
    /// Some of what waits first is given up.
    GivenUp {
        /// Whether an attempt to send it may have come to its end, with what waits behind it.
        may_be_repeat: bool,
    },
}

/// How sending a batch ended.
pub(super) enum End {
    /// The outcome is known.
    Settled(Outcome),
    /// The receiver will never store it.
    Refused(Refusal),
    /// It must be halved; the refusal counts if it cannot be.
    Halve(Refusal),
    /// The receiver no longer takes samples as old as some of it.
    Aged,
    /// The receiver takes only remote write 1.0.
    Downgrade(Explanation),
    /// It is given up to make room, and the receiver has a part of what it was a part of.
    GivenUp,
}

/// Why the receiver does not take a batch.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The stable identifier of the contract.
    pub(super) reason: String,
    /// What the receiver said.
    pub(super) detail: String,
    /// Whether the receiver may have stored it at an earlier attempt.
    pub(super) may_be_repeat: bool,
}

impl Refusal {
    /// The component cannot write it in a protocol that the receiver takes.
    pub(super) fn of_protocol() -> Self {
        Refusal { reason: "unsupported-protocol".to_owned(), detail: String::new(), may_be_repeat: false }
    }

    /// Whether the receiver refuses it for the very reason that it has it already.
    pub(super) fn is_of_repeat(&self) -> bool {
        const REASONS: [&str; 3] = ["out-of-order", "duplicate-sample", "too-old"];
        self.may_be_repeat && REASONS.contains(&self.reason.as_str())
    }
}

/// What to do after an attempt.
pub(super) enum Step {
    End(End),
    /// Send again after at least this long: the receiver could not take it.
    Retry(Duration),
    /// Send again after this long: something must change first.
    Hold(Duration),
}

/// What a request was signed with, to interpret a refusal of the signature.
pub(super) struct Signed {
    pub(super) key: Option<Arc<IssuedKey>>,
    /// What was added to the local clock, in milliseconds.
    pub(super) offset_ms: i64,
}

/// A body that is sent from where the queue keeps it.
struct Body(Arc<Batch>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

/// Sends one batch until its end.
pub(super) struct Sender<'a> {
    shared: &'a Shared,
    /// The partition that it is read from, which may be one of an earlier layout.
    partition: u32,
    batch: &'a Arc<Batch>,
    body: Bytes,
    /// Since when the receiver is tried without a hold.
    trying_since: Instant,
    /// Answers so far.
    answers: u32,
    /// How many times in a row credentials were missing or refused.
    pub(super) refusals: u32,
    /// Whether the batch can be left as it is, for another delivery to begin with.
    can_be_left: bool,
    /// Whether this is the one more try that a held batch gets when the process is stopping.
    last_try: bool,
    /// Whether an attempt before may have come to its end at the receiver.
    may_be_repeat: bool,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        partition: u32,
        batch: &'a Arc<Batch>,
        can_be_left: bool,
        may_be_repeat: bool,
    ) -> Self {
        let body = Bytes::from_owner(Body(Arc::clone(batch)));
        Self {
            shared,
            partition,
            batch,
            body,
            trying_since: Instant::now(),
            answers: 0,
            refusals: 0,
            can_be_left,
            last_try: false,
            may_be_repeat,
        }
    }

    /// Tries until there is an end.
    pub(super) async fn send(mut self) -> Result<End, Abandoned> {
        loop {
            let permit = self.permit().await?;
            let step = self.attempt().await;
            drop(permit);
            // A process that stood still may have sent what another one has settled meanwhile, who knows what became of it.
            if self.parts().queue.is_lost(self.partition) {
                return Err(Abandoned::Lost);
            }
            match step {
                Step::End(end) => return Ok(end),
                Step::Retry(least) => {
                    let pause = jittered(least, self.parts().retry.randomization_factor);
                    if self.is_given_up_before(pause) {
                        return Ok(End::Settled(Outcome::Expired("max-elapsed-time".to_owned())));
                    }
                    if self.pause(pause).await?.is_break() {
                        return Ok(End::GivenUp);
                    }
                }
                Step::Hold(pause) => {
                    if self.hold(pause).await?.is_break() {
                        return Ok(End::GivenUp);
                    }
                }
            }
        }
    }

    pub(super) fn parts(&self) -> &'a Parts {
        &self.shared.parts
    }

    /// Waits for its turn. What is sent then is at its end before another process may deliver the partition.
    async fn permit(&self) -> Result<SemaphorePermit<'a>, Abandoned> {
        let parts = self.parts();
        let permit = self.shared.permits.acquire().await.map_err(|_| self.stopping())?;
        while !parts.queue.is_held_for(self.partition, parts.client.timeout()) {
            if !parts.queue.is_held_for(self.partition, Duration::ZERO) {
                return Err(Abandoned::Lost);
            }
            // It is about to be renewed, or lost.
            tokio::time::sleep(LOOK).await;
        }
        Ok(permit)
    }

    async fn attempt(&mut self) -> Step {
        if self.shared.oldest_taken().is_some_and(|oldest| self.batch.first < oldest) {
            return Step::End(End::Aged);
        }
        let (head, signed) = match self.sign().await {
            Ok(ready) => ready,
            Err(step) => return step,
        };
        let (response, took) = self.exchange(head).await;
        self.answers = self.answers.saturating_add(1);
        let parts = self.parts();
        let Batch { protocol, samples, histograms, .. } = **self.batch;
        let sent = Sent { protocol, samples, histograms };
        match parts.exporters.judge(sent, &response, self.answers, parts.clock.now()).await {
            Ok(verdict) => {
                let step = self.act(verdict, &signed, took);
                // Without an answer of the receiver itself it is not known what it did.
                self.may_be_repeat |= !(200..500).contains(&response.status);
                step
            }
            Err(error) => {
                self.warn("judge", &error, "an answer of the receiver could not be judged; sending again");
                Step::Retry(UNJUDGED_PAUSE)
            }
        }
    }

    /// Makes the request head for this moment. Without credentials the batch is held: they may come.
    async fn sign(&mut self) -> Result<(Request, Signed), Step> {
        let parts = self.parts();
        let (offset_ms, now) = (parts.clock.signing_offset_ms(), parts.clock.signing_now());
        let key = match &parts.keys {
            None => None,
            Some(keys) => match keys.key(now).await {
                Ok(key) => Some(key),
                Err(error) => {
                    self.warn("credentials", &error, "cannot sign; data stays queued");
                    return Err(Step::Hold(self.refused()));
                }
            },
        };
        let signing_key = key.as_ref().map(|issued| &issued.key);
        let signing = parts.exporters.sign(self.batch.digest_bytes(), self.batch.protocol, now, signing_key);
        let problem = match signing.await {
            Ok(Ok(head)) => return Ok((head, Signed { key, offset_ms })),
            Ok(Err(error)) => format!("{error:?}"),
            Err(error) => error.to_string(),
        };
        self.warn("sign", &problem, "cannot sign; data stays queued");
        Err(Step::Hold(parts.pauses.stop))
    }

    async fn exchange(&self, head: Request) -> (Response, Duration) {
        let attempt = Attempt {
            content: self.batch.as_ref().into(),
            bytes: self.body.len() as u64,
            number: self.answers.saturating_add(1),
        };
        let _in_flight = self.parts().metrics.delivery.sending(attempt);
        let sent = Instant::now();
        let response = self.parts().client.send(head, self.body.clone()).await;
        let took = sent.elapsed();
        let offset_ms = date(&response).and_then(|time| self.parts().clock.receiver_says(time));
        if let Some(offset_ms) = offset_ms {
            self.parts().metrics.delivery.signing_offset(offset_ms);
            tracing::info!(offset_ms, "the local clock was set; signing goes by it anew");
        }
        (response, took)
    }

    /// Whether the operator's limit of time ends before another try after `pause`. Time on hold does
    /// not count: the receiver was not asked then.
    fn is_given_up_before(&self, pause: Duration) -> bool {
        let limit = self.parts().retry.max_elapsed_time;
        let given_up = limit.is_some_and(|limit| self.trying_since.elapsed().saturating_add(pause) > limit);
        if given_up {
            self.warn(
                "max-elapsed-time",
                &"retry_on_failure.max_elapsed_time is over",
                "a batch was given up",
            );
        }
        given_up
    }

    /// The refusal that an explanation of the component comes to.
    pub(super) fn refusal(&self, explanation: Explanation) -> Refusal {
        let Explanation { reason, detail, .. } = explanation;
        Refusal { reason: reason.into_owned(), detail, may_be_repeat: self.may_be_repeat }
    }

    /// Waits, unless another delivery is to go on. It breaks where the batch is given up meanwhile.
    async fn pause(&self, pause: Duration) -> Result<ControlFlow<()>, Abandoned> {
        tokio::select! {
            biased;
            () = self.shared.handing_over.cancelled(), if self.can_be_left => Err(self.stopping()),
            () = self.parts().queue.until_given_up(self.partition) => match self.can_be_left {
                true => Err(Abandoned::GivenUp { may_be_repeat: self.may_be_repeat }),
                false => Ok(ControlFlow::Break(())),
            },
            () = tokio::time::sleep(pause) => Ok(ControlFlow::Continue(())),
        }
    }

    fn stopping(&self) -> Abandoned {
        Abandoned::Stopping { may_be_repeat: self.may_be_repeat || !self.can_be_left }
    }

    /// Waits until something may have changed, but not beyond the wish to stop.
    async fn hold(&mut self, pause: Duration) -> Result<ControlFlow<()>, Abandoned> {
        if pause.is_zero() {
            return Ok(ControlFlow::Continue(()));
        }
        if self.last_try {
            return Err(self.stopping());
        }
        let _held = self.parts().metrics.delivery.hold();
        let waited = tokio::select! {
            biased;
            waited = self.pause(pause) => waited?,
            () = self.shared.closing.cancelled() => {
                self.last_try = true;
                ControlFlow::Continue(())
            }
        };
        self.trying_since = Instant::now();
        Ok(waited)
    }

    /// Counts that credentials are missing or were refused, and says how long to hold for it: not at
    /// all the first time, for newer ones may be there already.
    pub(super) fn refused(&mut self) -> Duration {
        let pause = match self.refusals {
            0 => Duration::ZERO,
            failures => self.parts().pauses.credentials(failures),
        };
        self.refusals = self.refusals.saturating_add(1);
        pause
    }

    /// Warns of a problem of one kind, once a minute.
    pub(super) fn warn(&self, kind: &str, problem: &dyn Display, meaning: &str) {
        if let Some(suppressed) = self.shared.log_limiter.allow(kind, 1) {
            tracing::warn!(partition = self.batch.partition, %problem, suppressed, "{meaning}");
        }
    }

    /// Whether a line about this reason may be written now: see `LogLimiter::allow`.
    pub(super) fn allow(&self, reason: &str) -> Option<u64> {
        self.shared.log_limiter.allow(reason, 1)
    }

    /// The batch being sent.
    pub(super) fn batch(&self) -> &Batch {
        self.batch
    }
}
