//! One attempt: sign, send, judge.

use super::Driver;
use crate::delivery::Shared;
use crate::delivery::telling::remedy_of_retry;
use crate::delivery::time::date;
use crate::delivery::transport::Exchange;
use crate::metrics::Attempt;
use bytes::Bytes;
use preamp_contract::{Batch, Explanation, Halving, PossiblyDelivered, Request, Response, Sent, Verdict};
use preamp_deliver::{Answer, Delivery, Interrupt, Unsigned};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

/// How often it is checked whether a lease was renewed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A body that is sent from where the queue keeps it.
struct Body(Arc<Batch>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

impl<'a> Driver<'a> {
    /// Makes an attempt to send a batch, and tells the delivery what came of it.
    pub(super) async fn send(
        &mut self,
        delivery: &mut Delivery<Arc<Batch>>,
        batch: &Arc<Batch>,
        attempt: u32,
        sent: PossiblyDelivered,
    ) {
        let Some(permit) = self.permit().await else {
            delivery.interrupt(Interrupt::Lost);
            return;
        };
        let (head, signed_offset_ms) = match self.sign(batch).await {
            Ok(signed) => signed,
            Err(why) => {
                delivery.unsigned(why, self.moment());
                return;
            }
        };
        while let Err(error) = self.shared.context.queue.note_sent(self.partition, sent).await {
            self.shared.storage_failed(self.partition, &error).await;
        }
        let (Exchange { response, arrival }, took) = self.exchange(head, batch, attempt).await;
        let verdict = self.judge(batch, &response, attempt, took).await;
        drop(permit);
        // A process that stood still may have sent what another one has settled meanwhile, who knows what
        // became of it.
        let ownership = self.shared.context.queue.ownership();
        if ownership.is_some_and(|ownership| ownership.is_lost(self.partition)) {
            delivery.interrupt(Interrupt::Lost);
            return;
        }
        let answer = Answer { verdict, arrival, signed_offset_ms };
        delivery.answered(answer, self.moment(), fastrand::f64(), &mut self.shared.receiver());
    }

    /// Waits for its turn; `None` if another process delivers the partition. What is sent then is at its
    /// end before that may be.
    async fn permit(&self) -> Option<SemaphorePermit<'a>> {
        let shared: &'a Shared = self.shared;
        let context = &shared.context;
        let permit = shared.permits.acquire().await.ok()?;
        if let Some(ownership) = context.queue.ownership() {
            while !ownership.is_held_for(self.partition, context.client.timeout()) {
                if !ownership.is_held_for(self.partition, Duration::ZERO) {
                    return None;
                }
                // The lease is about to be renewed, or lost.
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        Some(permit)
    }

    /// Makes the request head for this moment, and says what was added to the local clock for it.
    async fn sign(&mut self, batch: &Batch) -> Result<(Request, i64), Unsigned> {
        let context = &self.shared.context;
        let (offset_ms, now) = (context.clock.signing_offset_ms(), context.clock.signing_now());
        self.key = match &context.keys {
            None => None,
            Some(keys) => match keys.key(now).await {
                Ok(key) => Some(key),
                Err(error) => {
                    self.shared.outage.fails(&format!("no credentials: {}", error.problem));
                    context.metrics.latest.not_sent(&error.to_string());
                    self.warn("credentials", &error.problem, &error.remedy, "cannot sign; data stays queued");
                    return Err(Unsigned::NoKey);
                }
            },
        };
        let signing_key = self.key.as_ref().map(|issued| &issued.key);
        let signing = context.exporters.sign(batch.digest_bytes(), batch.protocol, now, signing_key);
        let problem = match signing.await {
            Ok(Ok(head)) => return Ok((head, offset_ms)),
            Ok(Err(error)) => format!("{error:?}"),
            Err(error) => error.to_string(),
        };
        self.shared.outage.fails(&problem);
        context.metrics.latest.not_sent(&problem);
        self.warn("sign", &problem, "", "cannot sign; data stays queued");
        Err(Unsigned::Failed)
    }

    async fn exchange(&self, head: Request, batch: &Arc<Batch>, attempt: u32) -> (Exchange, Duration) {
        let context = &self.shared.context;
        let attempt =
            Attempt { content: batch.as_ref().into(), bytes: batch.body.len() as u64, number: attempt };
        let _in_flight = context.metrics.delivery.sending(attempt);
        let sent = Instant::now();
        let exchange = context.client.send(head, Bytes::from_owner(Body(Arc::clone(batch)))).await;
        let took = sent.elapsed();
        let offset_ms = date(&exchange.response).and_then(|time| context.clock.receiver_says(time));
        if let Some(offset_ms) = offset_ms {
            context.metrics.delivery.signing_offset(offset_ms);
            tracing::info!(offset_ms, "the local clock was set; signing goes by it anew");
        }
        (exchange, took)
    }

    /// What the answer means, which came `took` after the request; `None` if the component cannot say.
    async fn judge(
        &self,
        batch: &Batch,
        response: &Response,
        attempt: u32,
        took: Duration,
    ) -> Option<Verdict> {
        let context = &self.shared.context;
        match context.exporters.judge(Sent::from(batch), response, attempt, context.clock.now()).await {
            Ok(verdict) => {
                context.metrics.delivery.answered(name(&verdict), took);
                context.metrics.latest.answered(response.status, name(&verdict), words(&verdict));
                self.tell_of(&verdict, batch, response.status);
                Some(verdict)
            }
            Err(error) => {
                self.shared.outage.fails(&error.to_string());
                self.warn(
                    "judge",
                    &error,
                    "",
                    "an answer of the receiver could not be judged; sending again",
                );
                None
            }
        }
    }

    /// Tells the operator of answers that end nothing. Those that do are told when they are counted.
    fn tell_of(&self, verdict: &Verdict, batch: &Batch, status: u16) {
        match verdict {
            Verdict::Delivered | Verdict::PartlyRejected(_) => {
                self.shared.outage.works(|| self.shared.context.queue.statistics().total().points);
            }
            Verdict::Retry(retry) if self.shared.policy.retries => {
                // Each kind of trouble is told, and not only the first one.
                let kind = retry.reason.split(':').next().unwrap_or_default();
                self.shared.outage.fails(&retry.reason);
                let meaning = "the receiver does not take data now; sending again, data stays queued";
                self.warn(kind, &retry.reason, remedy_of_retry(status), meaning);
            }
            Verdict::RefreshCredentials(why) => {
                self.hold(&why.reason, why, "the receiver refused the credentials; data stays queued");
            }
            Verdict::Unconfirmed(why) => {
                let Explanation { reason, detail, remedy, .. } = why;
                if let Some(suppressed) = self.shared.log_limiter.allow(reason, 1) {
                    let (partition, points) = (self.partition, batch.points);
                    tracing::warn!(
                        partition,
                        points,
                        %reason,
                        detail,
                        remedy = &*self.in_file(remedy),
                        suppressed,
                        "a batch counts as delivered, but what answered looks like no receiver of remote write"
                    );
                }
            }
            Verdict::Stop(why) => {
                self.hold(&why.reason, why, "delivery is held until this is set right; data stays queued");
            }
            _ => {}
        }
    }

    /// Signs with newer credentials next time.
    pub(super) fn refresh_key(&self, despite_clock: bool) {
        if despite_clock {
            let problem = "the receiver refuses signatures although they bear its own time";
            self.shared.outage.fails(problem);
            let remedy = "check that the secret belongs to the access key id";
            self.warn("signature", &problem, remedy, "cannot sign; data stays queued");
        }
        let context = &self.shared.context;
        if let (Some(keys), Some(issued)) = (&context.keys, &self.key) {
            keys.refused(issued.generation, context.clock.signing_now());
        }
    }

    /// Signs with the receiver's clock from now on.
    pub(super) fn correct_clock(&self, offset_ms: i64) {
        let context = &self.shared.context;
        context.clock.correct_signing(offset_ms);
        context.metrics.delivery.signing_offset(offset_ms);
        self.warn(
            "clock",
            &format_args!("the local clock differs from the receiver's by {offset_ms} ms"),
            "set the clock of this machine (NTP)",
            "signing with the receiver's time",
        );
    }
}

/// What the receiver said, where that is not that all is well.
fn words(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Delivered | Verdict::FixClock(_) => "",
        Verdict::Retry(retry) => &retry.reason,
        Verdict::Halve(Halving { explanation: why, .. })
        | Verdict::Unconfirmed(why)
        | Verdict::RefreshCredentials(why)
        | Verdict::Downgrade(why)
        | Verdict::PartlyRejected(why)
        | Verdict::Rejected(why)
        | Verdict::Stop(why) => &why.detail,
    }
}

/// A verdict as the value of a metric label.
fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Unconfirmed(_) => "unconfirmed",
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
