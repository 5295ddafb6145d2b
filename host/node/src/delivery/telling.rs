//! What the log says of deliveries that do not go on, and of points that end other than delivered.

use super::Shared;
use crate::losses::{Example, Loss};
use crate::words::Span;
use std::sync::Arc;
use std::time::Duration;

/// What waits, as a line says it that tells why.
#[derive(Debug)]
pub(super) struct Depth {
    /// OTLP points.
    pub points: u64,
    /// How much of the queue is taken, by the limit that is nearest.
    pub percent: u64,
    /// How long the oldest batch has been waiting.
    pub oldest: Option<Span>,
    /// In how long samples become too old for the receiver, if it has such an age.
    pub first_loss_in: Option<Span>,
}

impl Shared {
    /// What waits now.
    pub(super) fn depth(&self) -> Depth {
        let statistics = self.context.queue.statistics();
        let total = statistics.total();
        let percent = |taken: u64, most: u64| u128::from(taken) * 100 / u128::from(most.max(1));
        let percent = percent(total.bytes, statistics.max_bytes)
            .max(percent(statistics.payloads, statistics.max_payloads))
            .max(percent(statistics.memory, statistics.max_memory));
        let first_loss_in = self
            .policy
            .max_age_sent
            .zip(total.oldest)
            .map(|(age, oldest)| Span(Duration::from_millis(age).saturating_sub(oldest)));
        Depth {
            points: total.points,
            percent: u64::try_from(percent).unwrap_or(u64::MAX),
            oldest: total.oldest.map(Span),
            first_loss_in,
        }
    }

    /// Tells of points that end other than delivered, whenever it is time for a line.
    pub(super) async fn tell_of_losses(self: Arc<Self>) {
        loop {
            for loss in self.context.metrics.losses.due().await {
                self.tell_of(&loss).await;
            }
        }
    }

    /// Tells what was gathered, if so many batches are all that waits: nothing will be added to it.
    pub(super) async fn tell_before_the_end(&self, batches: usize) {
        let Shared { context, .. } = self;
        if context.metrics.losses.has_untold() && context.queue.statistics().total().batches <= batches as u64
        {
            for loss in context.metrics.losses.gathered() {
                self.tell_of(&loss).await;
            }
        }
    }

    /// Tells all that was not told yet.
    pub(super) async fn tell_rest(&self) {
        for loss in self.context.metrics.losses.rest() {
            self.tell_of(&loss).await;
        }
    }

    async fn tell_of(&self, loss: &Loss) {
        let explained = match &loss.words.example {
            // It takes time that nobody has a use for where nobody reads the log.
            Example::Of(batch) if tracing::enabled!(tracing::Level::ERROR) => {
                let explained = self.context.exporters.explain(batch.as_ref().clone()).await;
                explained.ok().and_then(Result::ok)
            }
            _ => None,
        };
        loss.log(self.context.metrics.losses.names(), explained.as_deref());
    }
}

/// What helps against an answer that may change by itself, by its status; 0 is none.
pub(super) fn remedy_of_retry(status: u16) -> &'static str {
    match status {
        0 => {
            "check the address, DNS, the network and the proxy on the way: `preamp check` says which step fails"
        }
        408 | 425 | 499 | 504 => "the receiver, or a proxy on the way, is slow: look at both, and at timeout",
        429 => "send less, or have the limit raised that the receiver names",
        _ => "the receiver, or what stands before it, is down or overloaded: look at its own log and status",
    }
}
