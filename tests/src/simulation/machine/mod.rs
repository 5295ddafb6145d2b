//! The delivery machine over the queue on disk, with the core linked natively, in a world of events: no runtime, no
//! sockets, no sleep. It runs the same plans as [`Simulator`](super::Simulator), which has the whole host in it, and
//! many times as many of them.

mod process;
mod senders;

use super::death::Death;
use super::fate::{Fate, TIMEOUT, fate};
use super::world::{End, Plan, World};
use super::{Course, check, fail_disk, lock};
use crate::queue::SimulatedDisk;
use anyhow::{Context as _, ensure};
use preamp_contract::Batch;
use preamp_core::Exporter;
use preamp_deliver::Arrival;
use process::{Configuration, Process, RequestId};
use senders::Sender;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// No simulation lasts longer, in microseconds of its own time.
const END_OF_TIME: u64 = 3 * 3_600 * 1_000_000;

/// A process that does not come to so many operations dies of old age.
const OLD_AGE: Duration = Duration::from_secs(120);

/// Between the end of a process and the start of the next one.
const RESTART: Duration = Duration::from_millis(500);

/// Runs simulations, one after the other.
#[derive(Default)]
pub struct MachineSimulator {
    exporters: HashMap<Configuration, Exporter>,
}

/// What happens at some time.
enum Event {
    /// A sender hands a payload in.
    Send(usize),
    /// A request comes to the receiver, whose answer is back after a while if it comes at all.
    Arrive { request: RequestId, batch: Arc<Batch>, answer: Option<u64> },
    /// An answer, or the sign that none will come.
    Answer { request: RequestId, status: u16, text: String, arrival: Arrival },
    /// A pause of a partition is over.
    Wake(RequestId),
    /// The receiver says what time it is.
    Tell(u64),
    /// A process of this number has lived, or has been stopping, for long enough.
    End(u64),
    /// The next process starts.
    Start,
}

/// When each event comes; those of the same time in the order they were planned.
#[derive(Default)]
struct Agenda {
    times: BinaryHeap<Reverse<(u64, u64)>>,
    events: HashMap<u64, Event>,
    planned: u64,
    now: u64,
}

impl Agenda {
    fn plan(&mut self, after: u64, event: Event) {
        self.plan_at(self.now.saturating_add(after), event);
    }

    fn plan_at(&mut self, time: u64, event: Event) {
        self.planned += 1;
        self.times.push(Reverse((time.max(self.now), self.planned)));
        self.events.insert(self.planned, event);
    }

    fn next(&mut self) -> Option<Event> {
        let Reverse((time, number)) = self.times.pop()?;
        self.now = time;
        self.events.remove(&number)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// One simulation.
struct Simulation<'s> {
    seed: u64,
    plan: &'s Plan,
    world: World,
    agenda: Agenda,
    exporters: &'s mut HashMap<Configuration, Exporter>,
    disk: SimulatedDisk,
    process: Option<Process>,
    death: Option<Death>,
    /// How many processes there have been.
    started: u64,
    is_stopping: bool,
    senders: Vec<Sender>,
}

impl MachineSimulator {
    /// Runs the simulation of a seed.
    ///
    /// # Errors
    /// When something is not as it was promised.
    pub fn run(&mut self, seed: u64) -> anyhow::Result<Course> {
        fastrand::seed(seed);
        let plan = Plan::of(&mut fastrand::Rng::with_seed(seed));
        let mut simulation = Simulation {
            seed,
            plan: &plan,
            world: World::new(seed, &plan),
            agenda: Agenda::default(),
            exporters: &mut self.exporters,
            disk: SimulatedDisk::default(),
            process: None,
            death: None,
            started: 0,
            is_stopping: false,
            senders: (0..plan.senders).map(Sender::new).collect(),
        };
        simulation.run().with_context(|| format!("seed {seed}: {plan:?}"))
    }
}

impl Simulation<'_> {
    fn run(&mut self) -> anyhow::Result<Course> {
        self.agenda.plan(0, Event::Start);
        (0..self.senders.len()).for_each(|sender| self.agenda.plan(0, Event::Send(sender)));
        while let Some(event) = self.agenda.next() {
            ensure!(self.agenda.now < END_OF_TIME, "the queue is never empty");
            self.happens(event)?;
            self.look_for_an_end()?;
        }
        check(&self.world, self.plan, &self.disk)
    }

    /// The true time as answers have it, in milliseconds since 1970: whole seconds.
    fn date(&self) -> i64 {
        self.world.ms_at(Duration::from_micros(self.agenda.now)) / 1_000 * 1_000
    }

    fn is_last(&self) -> bool {
        self.started == self.plan.ends.len() as u64 + 1
    }

    fn is_all_delivered(&self) -> bool {
        let is_empty = |process: &Process| process.is_empty();
        self.senders.iter().all(|sender| sender.is_done(self.plan))
            && self.process.as_ref().is_some_and(is_empty)
    }

    fn happens(&mut self, event: Event) -> anyhow::Result<()> {
        let now = self.agenda.now;
        match event {
            Event::Start => self.start()?,
            Event::Send(sender) => self.hand_in(sender)?,
            Event::Arrive { request, batch, answer } => {
                let (status, text) = lock(&self.world.receiver).write(&batch.body);
                if let Some(after) = answer {
                    let arrival = Arrival::of_status(status);
                    self.agenda.plan(after, Event::Answer { request, status, text, arrival });
                }
            }
            Event::Answer { request, status, text, arrival } => {
                let date = self.date();
                self.with_process(request.process, |process, agenda, world| {
                    process.answered(request, (status, text, arrival), date, agenda, world)
                })?;
            }
            Event::Wake(request) => {
                self.with_process(request.process, |process, agenda, world| {
                    process.wake(request, agenda, world)
                })?;
            }
            Event::Tell(number) => {
                let date = self.date();
                self.with_process(number, |process, _, _| {
                    process.receiver_says(date, now);
                    Ok(())
                })?;
            }
            Event::End(number) if number == self.started && self.process.is_some() => {
                match self.is_stopping {
                    true => self.end()?,
                    false => self.die()?,
                }
            }
            Event::End(_) => {}
        }
        Ok(())
    }

    /// Does something with a process, if it is the one that runs.
    fn with_process(
        &mut self,
        number: u64,
        act: impl FnOnce(&mut Process, &mut Agenda, &World) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match &mut self.process {
            Some(process) if number == self.started => act(process, &mut self.agenda, &self.world),
            _ => Ok(()),
        }
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let number = self.started;
        self.started += 1;
        self.is_stopping = false;
        let partitions = self.plan.partitions[number as usize % self.plan.partitions.len()];
        if let Some(&(operations, end)) = self.plan.ends.get(number as usize) {
            fail_disk(&self.disk, self.plan, self.seed ^ number);
            self.death = Some(Death::plan(&self.disk, operations, end, self.seed ^ operations));
            self.agenda.plan(micros(OLD_AGE), Event::End(self.started));
        } else {
            self.world.is_calm.store(true, Ordering::Relaxed);
            self.death = None;
        }
        let configuration = (partitions, self.plan.dialect);
        let exporter = match self.exporters.remove(&configuration) {
            Some(exporter) => exporter,
            None => process::exporter(configuration)?,
        };
        let is_dead = self.death.as_ref().map(|death| death.has_died.clone()).unwrap_or_default();
        match Process::start(self.started, &self.disk, configuration, self.plan, exporter, is_dead) {
            Ok(mut process) => {
                process.pump_all(&mut self.agenda, &self.world)?;
                self.process = Some(process);
                Ok(())
            }
            Err(error) if self.is_last() => Err(error),
            // A disk that fails, or the end while it starts.
            Err(_) => self.end(),
        }
    }

    /// A process ends when its last operation has come, when it has stopped, and the last one when all is delivered.
    fn look_for_an_end(&mut self) -> anyhow::Result<()> {
        if self.is_stopping {
            if self.process.as_ref().is_some_and(Process::is_done) {
                self.end()?;
            }
        } else if self.death.as_ref().is_some_and(|death| death.has_come.load(Ordering::Relaxed)) {
            self.die()?;
        } else if self.is_last() && self.is_all_delivered() {
            self.stop(Duration::from_secs(10))?;
        }
        Ok(())
    }

    /// The end of a process begins as it was planned.
    fn die(&mut self) -> anyhow::Result<()> {
        let jump = self.plan.clock_jump_ms * ((self.started as i64 - 1) % 2);
        self.world.clock_off_ms.store(jump, Ordering::Relaxed);
        match self.death.as_ref().map(|death| death.end) {
            Some(End::Stopped { within }) => self.stop(within),
            _ => self.end(),
        }
    }

    /// Asks the process to stop within some time.
    fn stop(&mut self, within: Duration) -> anyhow::Result<()> {
        self.is_stopping = true;
        self.agenda.plan(micros(within), Event::End(self.started));
        match &mut self.process {
            Some(process) => process.close(&mut self.agenda, &self.world),
            None => Ok(()),
        }
    }

    /// The process is no more.
    fn end(&mut self) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            let (configuration, exporter) = process.end(self.is_stopping)?;
            self.exporters.insert(configuration, exporter);
        }
        if let Some(death) = self.death.take() {
            self.disk = death.left(&self.disk);
        }
        if !self.is_last() {
            self.agenda.plan(micros(RESTART), Event::Start);
        }
        Ok(())
    }
}

/// How long requests take, and what becomes of them.
fn send(request: RequestId, batch: Arc<Batch>, agenda: &mut Agenda, world: &World) {
    let (fate, trip) = fate(world);
    let trip = micros(trip);
    let timeout = micros(TIMEOUT);
    let no_answer = |arrival| Event::Answer { request, status: 0, text: "no answer".to_owned(), arrival };
    let answer = |status, text: &str| Event::Answer {
        request,
        status,
        text: text.to_owned(),
        arrival: Arrival::of_status(status),
    };
    match fate {
        Fate::Arrives => agenda.plan(trip, Event::Arrive { request, batch, answer: Some(trip) }),
        Fate::IsLost => agenda.plan(timeout, no_answer(Arrival::Possible)),
        Fate::AnswerIsLost => {
            agenda.plan(trip, Event::Arrive { request, batch, answer: None });
            agenda.plan(timeout, no_answer(Arrival::Possible));
        }
        Fate::BreaksOffAfterwards => {
            agenda.plan(trip, Event::Arrive { request, batch, answer: None });
            agenda.plan(trip, no_answer(Arrival::Possible));
        }
        Fate::IsLate => {
            agenda.plan(timeout + trip * 10, Event::Arrive { request, batch, answer: None });
            agenda.plan(timeout, no_answer(Arrival::Possible));
        }
        Fate::IsRefused => agenda.plan(trip, no_answer(Arrival::Settled)),
        Fate::Unavailable => agenda.plan(trip, answer(503, "")),
        Fate::RateExceeded => agenda.plan(trip, answer(429, r#"{"message":"Rate exceeded"}"#)),
    }
}
