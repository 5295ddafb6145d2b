//! A process: the core, the queue on disk, and a delivery machine for each partition.

use super::{Agenda, Event, send};
use crate::queue::SimulatedDisk;
use crate::simulation::receiver::Dialect;
use crate::simulation::world::{Plan, World};
use crate::simulation::{configuration, queue_options};
use anyhow::Context as _;
use preamp_contract::{Batch, Encoding, Header, Response, Sent};
use preamp_core::Exporter;
use preamp_deliver::{
    Answer, Arrival, BatchOutcome, Delivery, End, Interrupt, Moment, Policy, Receiver, Step,
};
use preamp_queue::{
    AppendError, Capacity as _, DurableQueue, Next, Pending, QuarantinedBatch, Queue as _, Settlement, Window,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

/// A local clock that is off by more than this, in milliseconds, is not believed.
const OFF_MS: u64 = 5 * 60 * 1000;

/// The pause after what holds the queue failed, in microseconds.
const STORAGE_PAUSE: u64 = 1_000_000;

/// How many partitions there are, and what the receiver is.
pub(super) type Configuration = (u32, Dialect);

/// An exporter of the core.
pub(super) fn exporter((partitions, dialect): Configuration) -> anyhow::Result<Exporter> {
    let configuration = configuration(partitions, dialect);
    Exporter::open(&configuration).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

/// What was sent and is not answered, or the pause that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestId {
    pub process: u64,
    partition: u32,
    number: u64,
}

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is acknowledged.
    Whole,
    /// Some of it never can be.
    InPart,
    /// It has to be handed in again.
    Busy,
}

/// A process that runs.
pub(super) struct Process {
    number: u64,
    configuration: Configuration,
    exporter: Exporter,
    queue: DurableQueue,
    receiver: Receiver,
    /// What time the receiver's last answer bore, in milliseconds since 1970, and when it came.
    receiver_said: Option<(i64, u64)>,
    drops_oldest: bool,
    is_closing: bool,
    has_acknowledged: bool,
    is_dead: Arc<AtomicBool>,
    lanes: Vec<Lane>,
}

/// The delivery of a partition.
#[derive(Default)]
struct Lane {
    delivery: Option<Delivery<Arc<Batch>>>,
    settlement: Settlement,
    /// What could not be recorded yet.
    unrecorded: Option<(usize, Settlement)>,
    possibly_delivered: bool,
    /// The number of what it waits for.
    number: u64,
    sent: Option<(Arc<Batch>, u32)>,
    is_waiting: bool,
    is_done: bool,
}

/// What a call in place comes to; it never waits for anything but batches to come.
fn at_once<T>(mut call: Pending<'_, T>) -> Option<T> {
    match call.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl Process {
    pub fn start(
        number: u64,
        disk: &SimulatedDisk,
        configuration: Configuration,
        plan: &Plan,
        exporter: Exporter,
        is_dead: Arc<AtomicBool>,
    ) -> anyhow::Result<Process> {
        let options = queue_options(configuration.0, plan);
        let (queue, _) = DurableQueue::open_in_place(Arc::new(disk.clone()), &options)?;
        let lanes = (0..queue.readers()).map(|_| Lane::default()).collect();
        Ok(Process {
            number,
            configuration,
            exporter,
            queue,
            receiver: Receiver::default(),
            receiver_said: None,
            drops_oldest: plan.drops_oldest_of.is_some(),
            is_closing: false,
            has_acknowledged: false,
            is_dead,
            lanes,
        })
    }

    /// Takes a payload.
    pub fn take(&mut self, payload: &[u8], agenda: &mut Agenda, world: &World) -> anyhow::Result<Taken> {
        let local_ms = world.local_nanos_at(Duration::from_micros(agenda.now)) / 1_000_000;
        let receiver_ms = self.receiver_now(agenda.now).and_then(|now| u64::try_from(now).ok());
        let now = receiver_ms.filter(|receiver| receiver.abs_diff(local_ms) > OFF_MS).unwrap_or(local_ms);
        let accepted = self.exporter.accept(payload, Encoding::Protobuf, now * 1_000_000);
        let acceptance = accepted.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let is_of_time = acceptance.rejections.iter().any(|rejection| rejection.because_of_time);
        if acceptance.accepted_points == 0 && is_of_time && receiver_ms.is_none() {
            agenda.plan(STORAGE_PAUSE, Event::Tell(self.number));
            return Ok(Taken::Busy);
        }
        if self.drops_oldest
            && let Err(AppendError::Full { .. }) = self.queue.has_room_for(&acceptance.batches)
        {
            self.queue.evict_oldest();
            self.lanes.iter_mut().filter_map(|lane| lane.delivery.as_mut()).for_each(|delivery| {
                delivery.interrupt(Interrupt::Evict);
            });
            self.wake_all(agenda, world)?;
        }
        let appended = at_once(self.queue.append(acceptance.batches)).context("an append waits")?;
        self.pump_all(agenda, world)?;
        // One that died does not answer.
        if self.is_dead.load(Ordering::Relaxed) || appended.is_err() {
            return Ok(Taken::Busy);
        }
        Ok(if acceptance.rejections.is_empty() { Taken::Whole } else { Taken::InPart })
    }

    /// The answer to what a partition has sent.
    pub fn answered(
        &mut self,
        request: RequestId,
        (status, text, arrival): (u16, String, Arrival),
        date: i64,
        agenda: &mut Agenda,
        world: &World,
    ) -> anyhow::Result<()> {
        let headers = match status {
            0 => Vec::new(),
            _ => {
                self.receiver_says(date, agenda.now);
                vec![Header {
                    name: "date".to_owned(),
                    value: world.http_date_at(Duration::from_micros(agenda.now)),
                }]
            }
        };
        let Some(lane) = self.lanes.get_mut(request.partition as usize) else { return Ok(()) };
        let (Some(delivery), Some((batch, attempt))) =
            (lane.delivery.as_mut().filter(|_| lane.number == request.number), lane.sent.take())
        else {
            return Ok(());
        };
        let response = Response { status, headers, body: text.into_bytes() };
        let sent = Sent::from(&*batch);
        let now = world.local_nanos_at(Duration::from_micros(agenda.now));
        let verdict = self.exporter.judge(&sent, &response, attempt, now);
        let answer = Answer { verdict: Some(verdict), arrival, signed_offset_ms: 0 };
        let moment = moment(self.receiver_said, agenda.now);
        delivery.answered(answer, moment, fastrand::f64(), &mut self.receiver);
        lane.is_waiting = false;
        self.pump_all(agenda, world)
    }

    /// A pause is over.
    pub fn wake(&mut self, request: RequestId, agenda: &mut Agenda, world: &World) -> anyhow::Result<()> {
        match self.lanes.get_mut(request.partition as usize) {
            Some(lane) if lane.number == request.number && lane.sent.is_none() => lane.is_waiting = false,
            _ => return Ok(()),
        }
        self.pump_all(agenda, world)
    }

    /// Takes no more payloads, and delivers what waits without being held.
    pub fn close(&mut self, agenda: &mut Agenda, world: &World) -> anyhow::Result<()> {
        self.is_closing = true;
        self.queue.close();
        for delivery in self.lanes.iter_mut().filter_map(|lane| lane.delivery.as_mut()) {
            delivery.interrupt(Interrupt::Close);
        }
        self.wake_all(agenda, world)
    }

    pub fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| lane.is_done)
    }

    pub fn is_empty(&self) -> bool {
        self.queue.statistics().total().batches == 0
    }

    /// The end, after the queue was shut down if it `stops` and is not dead.
    pub fn end(self, stops: bool) -> anyhow::Result<(Configuration, Exporter)> {
        if stops && !self.is_dead.load(Ordering::Relaxed) {
            let possibly_delivered = !self.is_done() || self.lanes.iter().any(|lane| lane.possibly_delivered);
            // A disk that fails makes it an end like a crash.
            let _ended = at_once(self.queue.shutdown(possibly_delivered)).context("the end waits")?;
        }
        Ok((self.configuration, self.exporter))
    }

    /// The receiver said what time it is, in milliseconds since 1970.
    pub fn receiver_says(&mut self, date: i64, now: u64) {
        self.receiver_said = Some((date, now));
    }

    fn receiver_now(&self, now: u64) -> Option<i64> {
        moment(self.receiver_said, now).receiver_now
    }

    /// Has pauses end, since something happened.
    fn wake_all(&mut self, agenda: &mut Agenda, world: &World) -> anyhow::Result<()> {
        let waiting = self.lanes.iter_mut().filter(|lane| lane.sent.is_none() && lane.unrecorded.is_none());
        waiting.for_each(|lane| lane.is_waiting = false);
        self.pump_all(agenda, world)
    }

    /// Goes on with each partition that waits for nothing.
    pub fn pump_all(&mut self, agenda: &mut Agenda, world: &World) -> anyhow::Result<()> {
        loop {
            self.has_acknowledged = false;
            (0..self.lanes.len() as u32).try_for_each(|partition| self.pump(partition, agenda, world))?;
            // The last one of a layout lets the partitions of the next one be read.
            if !self.has_acknowledged {
                return Ok(());
            }
        }
    }

    fn pump(&mut self, partition: u32, agenda: &mut Agenda, world: &World) -> anyhow::Result<()> {
        while let Some(lane) = self.lanes.get_mut(partition as usize)
            && !lane.is_waiting
            && !lane.is_done
            && !self.is_dead.load(Ordering::Relaxed)
        {
            if let Some((count, settlement)) = lane.unrecorded.take() {
                self.acknowledge(partition, count, settlement, agenda)?;
            } else if lane.delivery.is_some() {
                self.step(partition, agenda, world)?;
            } else if !self.begin(partition, agenda)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Begins to deliver what is first in a partition, if anything is.
    fn begin(&mut self, partition: u32, agenda: &mut Agenda) -> anyhow::Result<bool> {
        let Some(next) = at_once(self.queue.next(partition, Window::REQUEST)) else { return Ok(false) };
        let Some(lane) = self.lanes.get_mut(partition as usize) else { return Ok(false) };
        match next {
            Ok(Next::Send { batches, possibly_delivered }) => {
                let mut delivery = Delivery::new(batches, possibly_delivered, Policy::default());
                if self.is_closing {
                    delivery.interrupt(Interrupt::Close);
                }
                lane.delivery = Some(delivery);
            }
            Ok(Next::Evict { batches }) => {
                let mut settlement = Settlement::default();
                batches.iter().for_each(|batch| settle(&mut settlement, batch, BatchOutcome::Evicted));
                self.acknowledge(partition, batches.len(), settlement, agenda)?;
            }
            Ok(Next::Closed) => lane.is_done = true,
            Err(_) => self.wait(partition, STORAGE_PAUSE, agenda),
        }
        Ok(true)
    }

    /// Does what the machine wants.
    fn step(&mut self, partition: u32, agenda: &mut Agenda, world: &World) -> anyhow::Result<()> {
        let moment = moment(self.receiver_said, agenda.now);
        let Some(lane) = self.lanes.get_mut(partition as usize) else { return Ok(()) };
        let Some(delivery) = &mut lane.delivery else { return Ok(()) };
        let own = |batch: &Arc<Batch>| Batch::clone(batch);
        match delivery.poll(moment, &mut self.receiver) {
            Step::Merge(batches) => {
                let merged = self.exporter.merge(batches.iter().map(own).collect()).ok();
                let is_used =
                    delivery.merged(merged.map(|merged| merged.into_iter().map(Arc::new).collect()));
                anyhow::ensure!(is_used, "what was merged counts otherwise");
            }
            Step::Downgrade(batch) => {
                let parts = self.exporter.downgrade(&batch).ok();
                delivery.downgraded(parts.map(|parts| parts.into_iter().map(Arc::new).collect()));
            }
            Step::Halve(batch) => {
                let halves = self.exporter.halve(&batch).ok();
                delivery.halved(halves.map(|(first, second)| (Arc::new(first), Arc::new(second))));
            }
            Step::Prune { batch, oldest } => {
                let pruned = self.exporter.prune(own(&batch), oldest).ok();
                let parts =
                    pruned.and_then(|pruned| Some((pruned.kept.map(Arc::new), Arc::new(pruned.expired?))));
                delivery.pruned(parts);
            }
            Step::Send { batch, attempt, sent } => {
                if at_once(self.queue.note_sent(partition, sent)).context("a note waits")?.is_err() {
                    self.wait(partition, STORAGE_PAUSE, agenda);
                    return Ok(());
                }
                if self.is_dead.load(Ordering::Relaxed) {
                    return Ok(());
                }
                lane.number += 1;
                lane.is_waiting = true;
                lane.sent = Some((batch.clone(), attempt));
                let request = RequestId { process: self.number, partition, number: lane.number };
                send(request, batch, agenda, world);
            }
            Step::Wait { until, .. } => {
                if delivery.has_sent_nothing() {
                    at_once(self.queue.note_unsent(partition)).context("a note waits")?;
                }
                self.wait(partition, (until * 1_000).saturating_sub(agenda.now), agenda);
            }
            Step::RefreshKey { .. }
            | Step::CorrectClock { .. }
            | Step::FellBack(_)
            | Step::HeldForUnknown(_) => {}
            Step::Settle { batch, outcome } => settle(&mut lane.settlement, &batch, outcome),
            Step::Acknowledge { batches } => {
                let settlement = std::mem::take(&mut lane.settlement);
                self.acknowledge(partition, batches, settlement, agenda)?;
            }
            Step::Done(end) => {
                if delivery.has_sent_nothing() {
                    at_once(self.queue.note_unsent(partition)).context("a note waits")?;
                }
                lane.delivery = None;
                lane.settlement = Settlement::default();
                lane.possibly_delivered = match end {
                    End::Delivered => false,
                    End::Left { possibly_delivered, .. } => possibly_delivered,
                };
                lane.is_done = matches!(end, End::Left { why: Interrupt::Close, .. });
            }
        }
        Ok(())
    }

    /// Records what became of the first batches, or tries it again later.
    fn acknowledge(
        &mut self,
        partition: u32,
        count: usize,
        settlement: Settlement,
        agenda: &mut Agenda,
    ) -> anyhow::Result<()> {
        self.has_acknowledged = true;
        let recorded = at_once(self.queue.acknowledge(partition, count, settlement.clone()));
        if recorded.context("an acknowledgement waits")?.is_err()
            && let Some(lane) = self.lanes.get_mut(partition as usize)
        {
            lane.unrecorded = Some((count, settlement));
            self.wait(partition, STORAGE_PAUSE, agenda);
        }
        Ok(())
    }

    fn wait(&mut self, partition: u32, pause: u64, agenda: &mut Agenda) {
        let Some(lane) = self.lanes.get_mut(partition as usize) else { return };
        lane.number += 1;
        lane.is_waiting = true;
        let request = RequestId { process: self.number, partition, number: lane.number };
        agenda.plan(pause, Event::Wake(request));
    }
}

fn moment(receiver_said: Option<(i64, u64)>, now: u64) -> Moment {
    let receiver_now = receiver_said.map(|(date, at)| date + ((now - at) / 1_000) as i64);
    Moment { now: now / 1_000, receiver_now }
}

/// Notes what became of a batch, as the host does.
fn settle(settlement: &mut Settlement, batch: &Arc<Batch>, outcome: BatchOutcome) {
    use preamp_queue::PointOutcome;
    let mut quarantined = |state, reason: &str, detail: String| {
        let (batch, reason) = (batch.clone(), reason.to_owned());
        settlement.quarantined.push(QuarantinedBatch { batch, state, reason, detail });
    };
    let settled = match outcome {
        BatchOutcome::Delivered | BatchOutcome::PresumedDelivered(_) => PointOutcome::Delivered,
        BatchOutcome::PartlyRejected(_) => PointOutcome::PartlyRejected,
        BatchOutcome::Refused(why) => {
            quarantined("quarantined", &why.reason, why.detail);
            PointOutcome::Quarantined(why.reason.into())
        }
        BatchOutcome::Unwritable => PointOutcome::Rejected("unsupported-protocol".to_owned()),
        BatchOutcome::RetryDisabled => PointOutcome::Rejected("retry-disabled".to_owned()),
        BatchOutcome::MaxElapsedTime => PointOutcome::Expired("max-elapsed-time".to_owned()),
        BatchOutcome::TooOld => PointOutcome::Expired("too-old".to_owned()),
        BatchOutcome::Evicted => PointOutcome::Expired("drop-oldest".to_owned()),
    };
    settlement.add(settled, batch.points.into());
}
