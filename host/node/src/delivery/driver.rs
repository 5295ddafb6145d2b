//! The loop around the delivery machine: does what it wants, and tells it what came of that.

mod exchange;
mod settling;

use super::Shared;
use super::telling::Depth;
use crate::credentials::IssuedKey;
use preamp_contract::{Batch, BatchError, Explanation, PossiblyDelivered, Pruned};
use preamp_deliver::{Delivery, End, Interrupt, Moment, Step};
use preamp_queue::Settlement;
use preamp_wasm::CallError;
use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep_until;

/// An end of a pause that the clock cannot hold is this far away.
const FAR: Duration = Duration::from_secs(365 * 86_400);

/// Drives deliveries of one partition.
pub(super) struct Driver<'a> {
    shared: &'a Shared,
    partition: u32,
    /// What was settled and is not acknowledged.
    settlement: Settlement,
    /// The key of the last request.
    key: Option<Arc<IssuedKey>>,
    told: Told,
}

/// Which interrupts a delivery knows of.
#[derive(Default)]
struct Told {
    hand_over: bool,
    close: bool,
    evict: bool,
}

impl<'a> Driver<'a> {
    pub fn new(shared: &'a Shared, partition: u32) -> Self {
        Driver { shared, partition, settlement: Settlement::default(), key: None, told: Told::default() }
    }

    /// Brings batches to their end, unless the delivery is interrupted.
    pub async fn deliver(&mut self, batches: Vec<Arc<Batch>>, possibly_delivered: PossiblyDelivered) -> End {
        let mut delivery = Delivery::new(batches, possibly_delivered, self.shared.policy.clone());
        loop {
            self.tell_of_the_end(&mut delivery);
            let step = delivery.poll(self.moment(), &mut self.shared.receiver());
            match step {
                Step::Merge(batches) => self.merge(&mut delivery, &batches).await,
                Step::Downgrade(batch) => delivery.downgraded(self.downgrade(&batch).await),
                Step::Halve(batch) => delivery.halved(self.halve(&batch).await),
                Step::Prune { batch, oldest } => delivery.pruned(self.prune(&batch, oldest).await),
                Step::Send { batch, attempt, sent } => self.send(&mut delivery, &batch, attempt, sent).await,
                Step::Wait { until, is_held } => {
                    self.note_if_unsent(&delivery).await;
                    self.wait(&mut delivery, until, is_held).await;
                }
                Step::RefreshKey { despite_clock } => self.refresh_key(despite_clock),
                Step::CorrectClock { offset_ms } => self.correct_clock(offset_ms),
                Step::FellBack(explanation) => self.fell_back(&explanation),
                Step::HeldForUnknown(explanation) => self.held_for_unknown(&explanation),
                Step::Settle { batch, outcome } => self.settle(&batch, outcome),
                Step::Acknowledge { batches } => {
                    self.acknowledge(batches).await;
                    self.tell_of_evictions(&mut delivery);
                }
                Step::Done(end) => {
                    self.note_if_unsent(&delivery).await;
                    self.abandon(end);
                    return end;
                }
            }
        }
    }

    /// Has the queue know that the receiver has nothing, if it is so: whoever goes on need not send it apart then.
    async fn note_if_unsent(&self, delivery: &Delivery<Arc<Batch>>) {
        if delivery.has_sent_nothing() {
            self.shared.context.queue.note_unsent(self.partition).await;
        }
    }

    /// Acknowledges until it is recorded: the next batch must not be sent before, or a crash would
    /// repeat more than one request.
    pub async fn acknowledge(&mut self, batches: usize) {
        self.shared.tell_before_the_end(batches).await;
        let settlement = std::mem::take(&mut self.settlement);
        let queue = &self.shared.context.queue;
        while let Err(error) = queue.acknowledge(self.partition, batches, settlement.clone()).await {
            self.shared.storage_failed(self.partition, &error).await;
        }
    }

    /// Counts once more what was settled and is left to another delivery.
    fn abandon(&mut self, end: End) {
        if matches!(end, End::Left { why: Interrupt::Lost, .. }) {
            tracing::warn!(partition = self.partition, "another process delivers the partition from now on");
        }
        let settled = std::mem::take(&mut self.settlement);
        let points = settled.outcomes.iter().map(|(_, points)| points).sum();
        self.shared.context.metrics.ledger.repeated(points);
    }

    fn moment(&self) -> Moment {
        self.shared.moment()
    }

    fn tell_of_the_end(&mut self, delivery: &mut Delivery<Arc<Batch>>) {
        if self.shared.handing_over.is_cancelled() {
            self.told.hand_over = true;
            delivery.interrupt(Interrupt::HandOver);
        }
        if self.shared.closing.is_cancelled() {
            self.told.close = true;
            delivery.interrupt(Interrupt::Close);
        }
    }

    fn tell_of_evictions(&mut self, delivery: &mut Delivery<Arc<Batch>>) {
        let capacity = self.shared.context.queue.capacity();
        if capacity.is_some_and(|capacity| capacity.is_evicting(self.partition)) {
            self.told.evict = true;
            delivery.interrupt(Interrupt::Evict);
        }
    }

    /// Waits until the end of a pause, or until something happens that the delivery does not know of.
    async fn wait(&mut self, delivery: &mut Delivery<Arc<Batch>>, until: u64, is_held: bool) {
        let Shared { context, closing, handing_over, started, .. } = self.shared;
        let end = started.checked_add(Duration::from_millis(until)).unwrap_or(*started + FAR);
        let _held = is_held.then(|| context.metrics.delivery.hold());
        let evicted = async {
            match context.queue.capacity() {
                Some(capacity) => capacity.until_evicting(self.partition).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = handing_over.cancelled(), if !self.told.hand_over => {}
            () = closing.cancelled(), if !self.told.close => {}
            () = evicted, if !self.told.evict => {
                self.told.evict = true;
                delivery.interrupt(Interrupt::Evict);
            }
            () = sleep_until(end) => {}
        }
    }

    async fn merge(&self, delivery: &mut Delivery<Arc<Batch>>, batches: &[Arc<Batch>]) {
        let copies = batches.iter().map(|batch| Batch::clone(batch)).collect();
        let merging = self.shared.context.exporters.merge(copies).await;
        let merged = self.answer("merge", "cannot merge batches; each is sent alone", merging);
        let is_known = merged.is_some();
        let is_used = delivery.merged(merged.map(|merged| merged.into_iter().map(Arc::new).collect()));
        if is_known && !is_used {
            let problem = "the component merged batches into others of different counts";
            self.failed("merge", &problem, "cannot merge batches; each is sent alone");
        }
    }

    async fn downgrade(&self, batch: &Batch) -> Option<Vec<Arc<Batch>>> {
        let downgrading = self.shared.context.exporters.downgrade(batch.clone()).await;
        let parts = self.answer("downgrade", "cannot write a batch in remote write 1.0", downgrading)?;
        Some(parts.into_iter().map(Arc::new).collect())
    }

    async fn halve(&self, batch: &Batch) -> Option<(Arc<Batch>, Arc<Batch>)> {
        let halving = self.shared.context.exporters.halve(batch.clone()).await;
        let (first, second) = self.answer("halve", "cannot halve a batch", halving)?;
        Some((Arc::new(first), Arc::new(second)))
    }

    async fn prune(&self, batch: &Batch, oldest: i64) -> Option<(Option<Arc<Batch>>, Arc<Batch>)> {
        const MEANING: &str = "a batch that is too old cannot be pruned";
        let pruning = self.shared.context.exporters.prune(batch.clone(), oldest).await;
        let Pruned { kept, expired } = self.answer("prune", MEANING, pruning)?;
        match expired {
            Some(expired) => Some((kept.map(Arc::new), Arc::new(expired))),
            None => {
                self.failed("prune", &"nothing in it is too old", MEANING);
                None
            }
        }
    }

    /// What the component made of a batch. A failure is logged once a minute.
    fn answer<T>(
        &self,
        kind: &str,
        meaning: &str,
        called: Result<Result<T, BatchError>, CallError>,
    ) -> Option<T> {
        let problem = match called {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => format!("{error:?}"),
            Err(error) => error.to_string(),
        };
        self.failed(kind, &problem, meaning);
        None
    }

    /// Tells that the component could not do something with a batch, once a minute.
    fn failed(&self, kind: &str, problem: &dyn Display, meaning: &str) {
        if let Some(suppressed) = self.shared.log_limiter.allow(kind, 1) {
            tracing::error!(partition = self.partition, %problem, suppressed, "{meaning}");
        }
    }

    /// Warns of a problem of one kind, once a minute, with what waits for it.
    fn warn(&self, kind: &str, problem: &dyn Display, remedy: &str, meaning: &str) {
        if let Some(suppressed) = self.shared.log_limiter.allow(kind, 1) {
            let Depth { points, percent, oldest, first_loss_in } = self.shared.depth();
            let remedy = self.in_file(remedy);
            tracing::warn!(
                partition = self.partition,
                %problem,
                remedy = (!remedy.is_empty()).then_some(&*remedy),
                waiting_points = points,
                queue_percent = percent,
                oldest = oldest.map(display),
                first_loss_in = first_loss_in.map(display),
                suppressed,
                "{meaning}"
            );
        }
    }

    /// Tells the operator what holds delivery up, once a minute for each reason, with what waits for it.
    fn hold(&self, kind: &str, explanation: &Explanation, meaning: &str) {
        let Explanation { reason, detail, remedy, .. } = explanation;
        let because = if detail.is_empty() { reason.to_string() } else { format!("{reason}: {detail}") };
        self.shared.outage.fails(&because);
        if let Some(suppressed) = self.shared.log_limiter.allow(kind, 1) {
            let Depth { points, percent, oldest, first_loss_in } = self.shared.depth();
            tracing::error!(
                partition = self.partition,
                %reason,
                detail,
                remedy = &*self.in_file(remedy),
                waiting_points = points,
                queue_percent = percent,
                oldest = oldest.map(display),
                first_loss_in = first_loss_in.map(display),
                suppressed,
                "{meaning}"
            );
        }
    }

    /// A remedy with the keys of the user's file.
    fn in_file<'t>(&self, remedy: &'t str) -> Cow<'t, str> {
        self.shared.context.metrics.losses.names().in_file(remedy)
    }

    /// Tells that the receiver refuses everything.
    fn held_for_unknown(&self, explanation: &Explanation) {
        const MEANING: &str = "the receiver refuses everything: check the endpoint and the account; delivery is held, data stays queued";
        self.hold("held-for-unknown", explanation, MEANING);
    }

    fn fell_back(&self, explanation: &Explanation) {
        self.shared.context.metrics.delivery.fell_back();
        let Explanation { reason, detail, remedy, .. } = explanation;
        tracing::warn!(
            %reason,
            detail,
            remedy = &*self.in_file(remedy),
            "the receiver does not take remote write 2.0: all batches are sent in 1.0 from now on"
        );
    }
}
