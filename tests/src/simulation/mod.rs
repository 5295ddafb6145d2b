//! Intake, queue and delivery, with the real component, in a world in which time, disk, network and receiver are
//! simulated. Everything that happens follows from one number, the seed.

mod network;
mod receiver;
mod world;

use crate::built::load;
use crate::payloads;
use crate::queue::{Fault, Operation, SimulatedDisk};
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use network::{Network, TIMEOUT};
use preamp_base::Clock;
use preamp_config::{Overflow, Retry};
use preamp_contract::Encoding;
use preamp_host::delivery::{Delivery, Parts, Pauses};
use preamp_host::intake::{self, AckPolicy, Intake};
use preamp_host::memory_budget::MemoryBudget;
use preamp_host::metrics::Metrics;
use preamp_host::processors::Processors;
use preamp_host::receiver_clock::ReceiverClock;
use preamp_queue::durable::{Inspection, Options};
use preamp_queue::{DurableQueue, Queue};
use preamp_wasm::{ActiveExporter, Component, ExporterPool, PoolLimits};
use receiver::{Dialect, notation};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use world::{End, Plan, World};

/// What a simulation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Payloads that were acknowledged.
    pub payloads: u64,
    /// Processes that died, or were stopped.
    pub ends: u64,
    /// Requests that came to the receiver.
    pub requests: u64,
    /// A number that differs if they do.
    pub trace: u64,
    /// Points by what became of them.
    pub settled: BTreeMap<(String, String), u64>,
}

/// Runs simulations, one after the other.
pub struct Simulator {
    component: Component,
    exporters: HashMap<String, ExporterPool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulator {
    /// With the component that the host was built with.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Simulator { component: load()?, exporters: HashMap::new() })
    }

    /// Runs the simulation of a seed.
    ///
    /// # Errors
    /// When something is not as it was promised.
    pub fn run(&mut self, seed: u64) -> anyhow::Result<Course> {
        // What is random in the host follows from it, too.
        fastrand::seed(seed);
        let plan = Plan::of(&mut fastrand::Rng::with_seed(seed));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let outcome = runtime.block_on(self.simulate(seed, &plan));
        outcome.with_context(|| format!("seed {seed}: {plan:?}"))
    }

    async fn simulate(&mut self, seed: u64, plan: &Plan) -> anyhow::Result<Course> {
        let world = Arc::new(World::new(seed, plan));
        let door = Arc::new(Door::default());
        let senders: Vec<_> = (0..plan.senders)
            .map(|number| tokio::spawn(send(number, plan.clone(), world.clone(), door.clone())))
            .collect();
        let mut disk = SimulatedDisk::default();
        for (number, &(operations, end)) in plan.ends.iter().enumerate() {
            if let Some(every) = plan.disk_fails {
                let random = Mutex::new(fastrand::Rng::with_seed(seed ^ number as u64));
                disk.fail(move |_, operation| {
                    // What cannot be read is lost, and rightly so.
                    if operation == Operation::Read {
                        return None;
                    }
                    let mut random = lock(&random);
                    (random.u64(..every) == 0).then(|| if random.bool() { Fault::Io } else { Fault::Full })
                });
            }
            let death = Death::plan(&disk, operations, end, seed ^ operations);
            let partitions = plan.partitions[number % plan.partitions.len()];
            let process = self.start(&disk, partitions, plan, &world, &death.has_come);
            if let Ok(process) = process {
                door.open(Some((process.intake.clone(), death.has_come.clone())));
                // One that does not come to so many operations dies of old age.
                let _old_age = timeout(Duration::from_secs(120), death.came.notified()).await;
                world.clock_off_ms.store(plan.clock_jump_ms * (number as i64 % 2), Ordering::Relaxed);
                door.open(None);
                if let End::Stopped { within } = end {
                    process.delivery.drain(within).await;
                }
            }
            death.has_come.store(true, Ordering::Relaxed);
            disk = death.left(&disk);
            sleep(Duration::from_millis(500)).await;
        }
        world.is_calm.store(true, Ordering::Relaxed);
        let partitions = plan.partitions[plan.ends.len() % plan.partitions.len()];
        let process = self.start(&disk, partitions, plan, &world, &Arc::default())?;
        door.open(Some((process.intake.clone(), Arc::default())));
        for sender in senders {
            sender.await?;
        }
        let empty = async {
            while process.queue.statistics().total().batches > 0 {
                sleep(Duration::from_millis(200)).await;
            }
        };
        timeout(Duration::from_secs(3 * 3600), empty).await.context("the queue is never empty")?;
        let ledger = process.metrics.ledger.snapshot();
        ensure!(ledger.balances(), "{ledger:?}");
        process.delivery.drain(Duration::from_secs(10)).await;
        // What is late still comes.
        sleep(TIMEOUT * 3).await;
        check(&world, plan, &disk)
    }

    fn start(
        &mut self,
        disk: &SimulatedDisk,
        partitions: u32,
        plan: &Plan,
        world: &Arc<World>,
        is_dead: &Arc<AtomicBool>,
    ) -> anyhow::Result<Process> {
        let options = Options {
            exporter: "amp".to_owned(),
            partitions,
            max_payloads: plan.drops_oldest_of.unwrap_or(1000),
            max_points: u64::MAX,
            max_bytes: 8 << 20,
            // Some of it is read from the disk.
            min_free_bytes: 0,
            cached_bytes: 2000,
            index_bytes: u64::MAX,
        };
        let (queue, found) = DurableQueue::open_in_place(Arc::new(disk.clone()), &options)?;
        tracing::debug!(partitions, ?found, "a process starts");
        let queue: Arc<dyn Queue> = Arc::new(queue);
        let exporters = self.exporters(partitions, plan.dialect)?;
        let pool = exporters.clone();
        let metrics = Arc::new(Metrics::new("otlp", "amp", queue.clone(), move || pool.stats()));
        let of_clock = world.clone();
        let clock = Arc::new(ReceiverClock::new(Clock::from_fn(move || of_clock.local_nanos())));
        let delivery = Delivery::start(Parts {
            exporters: exporters.clone(),
            queue: queue.clone(),
            endpoint: "http://receiver/api/v1/write".to_owned(),
            client: Arc::new(Network { world: world.clone(), is_dead: is_dead.clone() }),
            keys: None,
            clock: clock.clone(),
            retry: Retry { enabled: true, randomization_factor: 0.5, max_elapsed_time: None },
            max_age: None,
            may_be_repeat: false,
            in_flight: partitions,
            batching: None,
            pauses: Pauses::default(),
            metrics: metrics.clone(),
        });
        let in_use = Arc::new(ActiveExporter::new(exporters));
        let room = Arc::new(MemoryBudget::new(256 << 20));
        let intake = Intake::new(in_use, queue.clone(), clock, metrics.clone(), Processors::default(), room);
        let on_overflow = match plan.drops_oldest_of {
            Some(_) => Overflow::DropOldest,
            None => Overflow::Refuse,
        };
        let intake = intake.with_ack_policy(AckPolicy { on_overflow, wait_for_delivery: false });
        Ok(Process { intake: Arc::new(intake), queue, metrics, delivery })
    }

    fn exporters(&mut self, partitions: u32, dialect: Dialect) -> anyhow::Result<ExporterPool> {
        let configuration = serde_json::json!({
            "endpoint": "http://receiver/api/v1/write",
            "profile": if dialect == Dialect::RollsBack { "prometheus" } else { "aps" },
            "partitions": partitions,
            "target_info": { "enabled": false },
            "disable_scope_info": true,
            "retry_on_failure": { "initial_interval_ms": 50, "max_interval_ms": 2000 },
        });
        let configuration = configuration.to_string();
        if let Some(known) = self.exporters.get(&configuration) {
            return Ok(known.clone());
        }
        let limits = PoolLimits { is_in_place: true, ..PoolLimits::default() };
        let exporters = ExporterPool::open(&self.component, &configuration, limits)?;
        self.exporters.insert(configuration, exporters.clone());
        Ok(exporters)
    }
}

/// A `preamp`.
struct Process {
    intake: Arc<Intake>,
    queue: Arc<dyn Queue>,
    metrics: Arc<Metrics>,
    delivery: Delivery,
}

/// The end of a process, after so many operations of its disk.
struct Death {
    has_come: Arc<AtomicBool>,
    came: Arc<Notify>,
    /// The disk at that moment.
    left: Arc<Mutex<Option<SimulatedDisk>>>,
    power_cut: Option<u64>,
}

impl Death {
    /// Plans one for when so many operations are done. What a power cut leaves follows from the seed.
    fn plan(disk: &SimulatedDisk, operations: u64, end: End, seed: u64) -> Self {
        let power_cut = (end == End::PowerCut).then_some(seed);
        let death = Death { has_come: Arc::default(), came: Arc::default(), left: Arc::default(), power_cut };
        let (has_come, came, left) = (death.has_come.clone(), death.came.clone(), death.left.clone());
        let last = disk.operations() + operations;
        disk.watch(move |disk, operation, _| {
            if operation == last {
                tracing::debug!(operation, ?end, "the process ends");
                if !matches!(end, End::Stopped { .. }) {
                    *lock(&left) = Some(image(disk, power_cut));
                    has_come.store(true, Ordering::Relaxed);
                }
                came.notify_one();
            }
        });
        death
    }

    /// What the next process finds.
    fn left(&self, disk: &SimulatedDisk) -> SimulatedDisk {
        lock(&self.left).take().unwrap_or_else(|| image(disk, self.power_cut))
    }
}

fn image(disk: &SimulatedDisk, power_cut: Option<u64>) -> SimulatedDisk {
    power_cut.map_or_else(|| disk.after_kill(), |seed| disk.after_power_cut(seed))
}

/// Where senders find the process that runs, and whether it is dead already.
#[derive(Default)]
struct Door(Mutex<Option<(Arc<Intake>, Arc<AtomicBool>)>>);

impl Door {
    fn open(&self, to: Option<(Arc<Intake>, Arc<AtomicBool>)>) {
        *lock(&self.0) = to;
    }

    /// Hands a payload in, and says whether it was acknowledged; `None` if it has to be handed in again.
    async fn hand_in(&self, payload: &[u8]) -> Option<bool> {
        let (intake, is_dead) = lock(&self.0).clone()?;
        let payload = Bytes::copy_from_slice(payload);
        let submitted =
            intake.submit(payload, intake.requests().reserve(), Encoding::Protobuf, intake::Transport::Http);
        // One that died does not answer.
        let outcome = timeout(Duration::from_secs(5), submitted).await.ok()?;
        match outcome {
            _ if is_dead.load(Ordering::Relaxed) => None,
            intake::Outcome::Accepted => Some(true),
            // For good, which must not be: see `check`.
            intake::Outcome::Partial { .. } => Some(false),
            _ => None,
        }
    }
}

/// Sends payload after payload, each until it is answered for good.
async fn send(number: usize, plan: Plan, world: Arc<World>, door: Arc<Door>) {
    let mut time = 0;
    for value in 1..=i64::from(plan.payloads) {
        time = world.now_ms().max(time + 1);
        let payload = payloads::of_sender(number, plan.series, time, value);
        lock(&world.sent).entry(number).or_default().push((time, value));
        let is_acknowledged = loop {
            if let Some(is_acknowledged) = door.hand_in(&payload).await {
                break is_acknowledged;
            }
            sleep(Duration::from_millis(100)).await;
        };
        if is_acknowledged {
            tracing::debug!(sender = number, time, value, "a payload was acknowledged");
            lock(&world.acknowledged).entry(number).or_default().push((time, value));
        }
        let pause = lock(&world.random).u64(1..400);
        sleep(Duration::from_millis(pause)).await;
    }
}

fn check(world: &World, plan: &Plan, disk: &SimulatedDisk) -> anyhow::Result<Course> {
    let inspection = Inspection::of(Arc::new(disk.clone()))?;
    let problems = inspection.problems();
    ensure!(problems.is_empty(), "{problems:?}");
    ensure!(inspection.queued() == 0, "{} points wait", inspection.queued());
    let receiver = lock(&world.receiver);
    let acknowledged = lock(&world.acknowledged);
    let given_up = inspection.settled.get(&("expired".to_owned(), "drop-oldest".to_owned()));
    let given_up = given_up.copied().unwrap_or_default();
    ensure!(given_up == 0 || plan.drops_oldest_of.is_some(), "{given_up} points were given up");
    let mut missing = 0;
    for (number, payloads) in &*acknowledged {
        let sent = lock(&world.sent)[number].len();
        ensure!(payloads.len() == sent, "sender {number}: {} of {sent} payloads were taken", payloads.len());
        for series in 0..plan.series {
            let (instance, phase) = (format!("instance=\"{number}\","), format!("phase=\"{series}\","));
            let found =
                receiver.stored.iter().find(|(key, _)| key.contains(&instance) && key.contains(&phase));
            if receiver.is_bad(&phase) {
                ensure!(found.is_none(), "{phase} was not to be stored");
                continue;
            }
            let Some((_, found)) = found else {
                missing += payloads.len() as u64;
                ensure!(missing <= given_up, "sender {number}, {phase}: nothing is stored");
                continue;
            };
            let is_there = |(time, value): &&(i64, i64)| found.get(time) == Some(&(*value as f64).to_bits());
            let lost: Vec<_> = payloads.iter().filter(|payload| !is_there(payload)).collect();
            missing += lost.len() as u64;
            ensure!(missing <= given_up, "sender {number}, {phase}: acknowledged and not stored: {lost:?}");
            ensure!(found.len() <= sent, "more is stored than was sent");
        }
    }
    // Only what the receiver never takes may have been refused.
    for kept in &inspection.set_aside {
        let batch = kept.batch.as_ref().context("a kept batch is damaged")?;
        let series = crate::remote_write::read(&batch.body).context("a kept batch cannot be read")?;
        for (labels, _) in &series {
            let labels = notation(labels);
            ensure!(receiver.is_bad(&labels), "{labels} was set aside: {} {}", kept.reason, kept.detail);
        }
    }
    for (state, reason) in inspection.settled.keys() {
        let is_expected = match state.as_str() {
            "delivered" => true,
            "partly_rejected" => plan.has_bad && plan.dialect == Dialect::StoresTheRest,
            // A disk that fails cannot keep what is set aside; it is counted as rejected then.
            "expired" => reason == "drop-oldest",
            "quarantined" | "rejected" => plan.has_bad && plan.dialect == Dialect::RollsBack,
            _ => false,
        };
        ensure!(is_expected, "{state} {reason}: {:?}", inspection.settled);
    }
    Ok(Course {
        payloads: acknowledged.values().map(|payloads| payloads.len() as u64).sum(),
        ends: plan.ends.len() as u64,
        requests: receiver.requests,
        trace: receiver.trace,
        settled: inspection.settled,
    })
}
