//! Passages in the same world as [`MachineSimulator`](super::MachineSimulator): the same senders, receivers and networks,
//! and hosts without a queue. Each host has an exporter of its own; they share nothing, as instances of an edge runtime.

use super::fate::{Fate, TIMEOUT, fate};
use super::world::{Plan, World};
use super::{Course, check_stored, configuration, lock};
use crate::payloads;
use anyhow::{Context as _, ensure};
use preamp_contract::{Batch, Header, Response};
use preamp_core::Exporter;
use preamp_core::passage::{Outcome, Passage, Route, Step};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::rc::Rc;
use std::time::Duration;

/// No simulation lasts longer, in microseconds of its own time.
const END_OF_TIME: u64 = 3 * 3_600 * 1_000_000;

/// After this time nothing fails any more.
const CALM: u64 = 60 * 1_000_000;

/// How many hosts there are at most.
const HOSTS: usize = 3;

/// Runs simulations, one after the other.
#[derive(Default)]
pub struct PassageSimulator;

/// A host without a queue.
struct Host {
    exporter: Exporter,
    route: Route,
}

/// A sender, and the passage of its payload. It sends a payload until it is answered with success, to one host or another.
#[derive(Default)]
struct Sender {
    answered: u32,
    time: i64,
    payload: Vec<u8>,
    host: usize,
    passage: Option<Passage>,
    /// How many requests and pauses there were: what comes for an earlier one is too late.
    turn: u64,
}

enum Event {
    /// A sender hands in its payload, or the next one.
    HandIn(usize),
    /// A request comes to the receiver; its answer is back after a while, if it comes at all.
    Arrive { sender: usize, turn: u64, batch: Option<Rc<Batch>>, answer: Option<u64> },
    /// An answer, or the sign that none will come.
    Answer { sender: usize, turn: u64, status: u16, text: String },
    /// A pause is over.
    Wake { sender: usize, turn: u64 },
}

struct Simulation<'p> {
    plan: &'p Plan,
    world: World,
    hosts: Vec<Host>,
    senders: Vec<Sender>,
    times: BinaryHeap<Reverse<(u64, u64)>>,
    events: HashMap<u64, Event>,
    planned: u64,
    now: u64,
    settled: BTreeMap<(String, String), u64>,
}

impl PassageSimulator {
    /// Runs the simulation of a seed.
    ///
    /// # Errors
    /// When something is not as it was promised.
    pub fn run(&mut self, seed: u64) -> anyhow::Result<Course> {
        let mut random = fastrand::Rng::with_seed(seed);
        let plan = Plan::of(&mut random);
        let partitions = plan.partitions.first().copied().unwrap_or(1);
        let host = |_| {
            let opened = Exporter::open(&configuration(partitions, plan.dialect));
            let exporter = opened.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
            Ok(Host { exporter, route: Route::default() })
        };
        let hosts = (0..random.usize(1..=HOSTS)).map(host).collect::<anyhow::Result<_>>()?;
        let world = World::new(seed, &plan);
        world.clock_off_ms.store(plan.clock_jump_ms, std::sync::atomic::Ordering::Relaxed);
        let simulation = Simulation {
            plan: &plan,
            world,
            hosts,
            senders: (0..plan.senders).map(|_| Sender::default()).collect(),
            times: BinaryHeap::new(),
            events: HashMap::new(),
            planned: 0,
            now: 0,
            settled: BTreeMap::new(),
        };
        simulation.run().with_context(|| format!("seed {seed}: {plan:?}"))
    }
}

impl Simulation<'_> {
    fn run(mut self) -> anyhow::Result<Course> {
        (0..self.senders.len()).for_each(|sender| self.plan(0, Event::HandIn(sender)));
        while let Some(Reverse((time, number))) = self.times.pop() {
            self.now = time;
            ensure!(time < END_OF_TIME, "the senders are never done");
            self.world.is_calm.store(time > CALM, std::sync::atomic::Ordering::Relaxed);
            if let Some(event) = self.events.remove(&number) {
                self.happens(event)?;
            }
        }
        check_stored(&self.world, self.plan, 0)?;
        let receiver = lock(&self.world.receiver);
        let payloads = lock(&self.world.acknowledged).values().map(|payloads| payloads.len() as u64).sum();
        Ok(Course {
            payloads,
            ends: 0,
            requests: receiver.requests,
            trace: receiver.trace,
            settled: self.settled,
        })
    }

    fn plan(&mut self, after: u64, event: Event) {
        self.planned += 1;
        self.times.push(Reverse((self.now + after, self.planned)));
        self.events.insert(self.planned, event);
    }

    fn age(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    fn happens(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::HandIn(sender) => self.hand_in(sender),
            Event::Arrive { sender, turn, batch, answer } => {
                let (status, text) = match batch {
                    Some(batch) => lock(&self.world.receiver).write(&batch.body),
                    // A request for the time.
                    None => (405, String::new()),
                };
                if let Some(after) = answer {
                    self.plan(after, Event::Answer { sender, turn, status, text });
                }
                Ok(())
            }
            Event::Answer { sender, turn, .. } | Event::Wake { sender, turn }
                if self.senders[sender].turn != turn =>
            {
                Ok(())
            }
            Event::Answer { sender, status, text, .. } => {
                let date = self.world.http_date_at(self.age());
                let headers = match status {
                    0 => Vec::new(),
                    _ => vec![Header { name: "date".to_owned(), value: date }],
                };
                let response = Response { status, headers, body: text.into() };
                let now = self.world.local_nanos_at(self.age());
                let (Host { exporter, route }, passage) = self.passage(sender)?;
                passage.answered(exporter, route, &response, now);
                self.go_on(sender)
            }
            Event::Wake { sender, .. } => self.go_on(sender),
        }
    }

    fn passage(&mut self, sender: usize) -> anyhow::Result<(&mut Host, &mut Passage)> {
        let Sender { host, passage, .. } = &mut self.senders[sender];
        Ok((&mut self.hosts[*host], passage.as_mut().context("no payload is under way")?))
    }

    fn hand_in(&mut self, number: usize) -> anyhow::Result<()> {
        let now = self.world.local_nanos_at(self.age());
        let true_ms = self.world.ms_at(self.age());
        let sender = &mut self.senders[number];
        if sender.answered == self.plan.payloads {
            return Ok(());
        }
        if sender.payload.is_empty() {
            let value = i64::from(sender.answered) + 1;
            sender.time = true_ms.max(sender.time + 1);
            lock(&self.world.sent).entry(number).or_default().push((sender.time, value));
            sender.payload = payloads::of_sender(number, self.plan.series, sender.time, value);
        }
        sender.host = lock(&self.world.random).usize(..self.hosts.len());
        let Host { exporter, route } = &mut self.hosts[sender.host];
        let passage = Passage::begin(exporter, route, &sender.payload, "application/x-protobuf", "", now);
        sender.passage = Some(passage);
        self.go_on(number)
    }

    /// Does what a passage wants next.
    fn go_on(&mut self, number: usize) -> anyhow::Result<()> {
        let now = self.world.local_nanos_at(self.age());
        self.senders[number].turn += 1;
        let turn = self.senders[number].turn;
        let (Host { exporter, route }, passage) = self.passage(number)?;
        match passage.next(exporter, route, now) {
            Step::Send { batch, .. } => self.send(number, turn, batch),
            Step::Wait(pause) => {
                // Some hosts have patience, others have none.
                if pause > lock(&self.world.random).u64(..10_000) {
                    let (_, passage) = self.passage(number)?;
                    let outcome = passage.give_up();
                    return self.answer(number, &outcome);
                }
                self.plan(pause * 1_000, Event::Wake { sender: number, turn });
            }
            Step::Done(outcome) => return self.answer(number, &outcome),
            Step::Key(_) => anyhow::bail!("nothing is signed here"),
        }
        Ok(())
    }

    fn send(&mut self, sender: usize, turn: u64, batch: Option<Rc<Batch>>) {
        let (fate, trip) = fate(&self.world);
        let trip = trip.as_micros() as u64;
        let timeout = TIMEOUT.as_micros() as u64;
        let unanswered = |text: &str| Event::Answer { sender, turn, status: 0, text: text.to_owned() };
        let arrive = |batch, answer| Event::Arrive { sender, turn, batch, answer };
        match fate {
            Fate::Arrives => self.plan(trip, arrive(batch, Some(trip))),
            Fate::IsLost => self.plan(timeout, unanswered("no answer")),
            Fate::AnswerIsLost => {
                self.plan(trip, arrive(batch, None));
                self.plan(timeout, unanswered("no answer"));
            }
            Fate::BreaksOffAfterwards => {
                self.plan(trip, arrive(batch, None));
                self.plan(trip, unanswered("connection reset"));
            }
            Fate::IsLate => {
                self.plan(timeout + 10 * trip, arrive(batch, None));
                self.plan(timeout, unanswered("no answer"));
            }
            Fate::IsRefused => self.plan(trip, unanswered("connection refused")),
            Fate::Unavailable => {
                self.plan(trip, Event::Answer { sender, turn, status: 503, text: String::new() });
            }
            Fate::RateExceeded => {
                let text = r#"{"message":"Rate exceeded"}"#.to_owned();
                self.plan(trip, Event::Answer { sender, turn, status: 429, text });
            }
        }
    }

    /// Answers a sender, who sends the payload again if it is asked to.
    fn answer(&mut self, number: usize, outcome: &Outcome) -> anyhow::Result<()> {
        let points = self.plan.series as u64;
        let Outcome { status, delivered, partly_rejected, rejected, unsettled, .. } = outcome;
        let said = String::from_utf8_lossy(&outcome.body);
        let sender = &mut self.senders[number];
        sender.passage = None;
        if *status == 503 {
            let after = outcome.headers.iter().find(|header| header.name == "retry-after");
            let after: u64 = after.context("no Retry-After")?.value.parse()?;
            let jitter = lock(&self.world.random).u64(..1_000_000);
            self.plan(after.min(2) * 1_000_000 + jitter, Event::HandIn(number));
            return Ok(());
        }
        ensure!(*status == 200, "sender {number} was answered {status}: {said}");
        ensure!(*unsettled == 0 && delivered + partly_rejected + rejected == points, "{outcome:?}");
        let bad = u64::from(self.plan.has_bad);
        let refused = if self.plan.dialect.stores_the_rest() { *partly_rejected } else { *rejected };
        ensure!(delivered + refused == points, "{outcome:?}");
        ensure!(self.plan.dialect.stores_the_rest() || refused <= bad, "{outcome:?}");
        ensure!(refused == 0 || bad == 1, "{outcome:?}");
        for (state, points) in [("delivered", *delivered), ("refused", refused)] {
            *self.settled.entry((state.to_owned(), String::new())).or_default() += points;
        }
        let value = i64::from(sender.answered) + 1;
        lock(&self.world.acknowledged).entry(number).or_default().push((sender.time, value));
        sender.answered += 1;
        sender.payload.clear();
        let pause = lock(&self.world.random).u64(1..400);
        self.plan(pause * 1_000, Event::HandIn(number));
        Ok(())
    }
}
