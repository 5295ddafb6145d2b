//! Who sends payloads, each until it is answered for good.

use super::process::Taken;
use super::{Event, Simulation};
use crate::payloads;
use crate::simulation::lock;
use crate::simulation::world::Plan;
use std::time::Duration;

/// Before a payload that was not taken is handed in again, in microseconds.
const AGAIN: u64 = 100_000;

/// A sender.
pub(super) struct Sender {
    number: usize,
    /// How many payloads were answered for good.
    answered: u32,
    time: i64,
    payload: Option<Vec<u8>>,
}

impl Sender {
    pub fn new(number: usize) -> Self {
        Sender { number, answered: 0, time: 0, payload: None }
    }

    pub fn is_done(&self, plan: &Plan) -> bool {
        self.answered == plan.payloads
    }
}

impl Simulation<'_> {
    /// A sender hands in its payload, or the next one.
    pub(super) fn hand_in(&mut self, number: usize) -> anyhow::Result<()> {
        let (plan, world) = (self.plan, &self.world);
        let Some(sender) = self.senders.get_mut(number).filter(|sender| !sender.is_done(plan)) else {
            return Ok(());
        };
        let value = i64::from(sender.answered) + 1;
        let payload = match sender.payload.take() {
            Some(payload) => payload,
            None => {
                sender.time = world.ms_at(Duration::from_micros(self.agenda.now)).max(sender.time + 1);
                lock(&world.sent).entry(sender.number).or_default().push((sender.time, value));
                payloads::of_sender(sender.number, plan.series, sender.time, value)
            }
        };
        let taken = match &mut self.process {
            Some(process) if !self.is_stopping => process.take(&payload, &mut self.agenda, world)?,
            _ => Taken::Busy,
        };
        if taken == Taken::Busy {
            sender.payload = Some(payload);
            self.agenda.plan(AGAIN, Event::Send(number));
            return Ok(());
        }
        if taken == Taken::Whole {
            lock(&world.acknowledged).entry(sender.number).or_default().push((sender.time, value));
        }
        sender.answered += 1;
        let pause = lock(&world.random).u64(1..400);
        self.agenda.plan(pause * 1_000, Event::Send(number));
        Ok(())
    }
}
