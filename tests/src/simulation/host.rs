//! The whole host, with the real component in it.

use super::death::Death;
use super::fate::TIMEOUT;
use super::network::Network;
use super::receiver::Dialect;
use super::world::{End, Plan, World};
use super::{Course, check, configuration, fail_disk, lock, queue_options};
use crate::built::load;
use crate::payloads;
use crate::queue::SimulatedDisk;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use preamp_base::Clock;
use preamp_config::{Overflow, Retry};
use preamp_contract::Encoding;
use preamp_host::delivery::{Delivery, DeliveryContext, Pauses};
use preamp_host::intake::{self, AckPolicy, Intake};
use preamp_host::memory_budget::MemoryBudget;
use preamp_host::metrics::Metrics;
use preamp_host::processors::Processors;
use preamp_host::receiver_clock::ReceiverClock;
use preamp_queue::{DurableQueue, Queue};
use preamp_wasm::{ActiveExporter, Component, ExporterPool, PoolLimits};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Runs simulations, one after the other.
pub struct Simulator {
    component: Component,
    exporters: HashMap<String, ExporterPool>,
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
            fail_disk(&disk, plan, seed ^ number as u64);
            let death = Death::plan(&disk, operations, end, seed ^ operations);
            let partitions = plan.partitions[number % plan.partitions.len()];
            let process = self.start(&disk, partitions, plan, &world, &death.has_died);
            if let Ok(process) = process {
                door.open(Some((process.intake.clone(), death.has_died.clone())));
                // One that does not come to so many operations dies of old age.
                let _old_age = timeout(Duration::from_secs(120), death.came.notified()).await;
                world.clock_off_ms.store(plan.clock_jump_ms * (number as i64 % 2), Ordering::Relaxed);
                door.open(None);
                if let End::Stopped { within } = end {
                    process.delivery.drain(within).await;
                }
            }
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
        let options = queue_options(partitions, plan);
        let (queue, found) = DurableQueue::open_in_place(Arc::new(disk.clone()), &options)?;
        tracing::debug!(partitions, ?found, "a process starts");
        let queue: Arc<dyn Queue> = Arc::new(queue);
        let exporters = self.exporters(partitions, plan.dialect)?;
        let pool = exporters.clone();
        let metrics = Arc::new(Metrics::new("otlp", "amp", queue.clone(), move || pool.stats()));
        let of_clock = world.clone();
        let clock =
            Arc::new(ReceiverClock::new(Clock::from_fn(move || of_clock.local_nanos_at(of_clock.age()))));
        let delivery = Delivery::start(DeliveryContext {
            exporters: exporters.clone(),
            queue: queue.clone(),
            endpoint: "http://receiver/api/v1/write".to_owned(),
            client: Arc::new(Network { world: world.clone(), is_dead: is_dead.clone() }),
            keys: None,
            clock: clock.clone(),
            retry: Retry { enabled: true, randomization_factor: 0.5, max_elapsed_time: None },
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
        let configuration = configuration(partitions, dialect);
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
            intake::PayloadOutcome::Accepted => Some(true),
            // For good, which must not be: see `check`.
            intake::PayloadOutcome::Partial { .. } => Some(false),
            _ => None,
        }
    }
}

/// Sends payload after payload, each until it is answered for good.
async fn send(number: usize, plan: Plan, world: Arc<World>, door: Arc<Door>) {
    let mut time = 0;
    for value in 1..=i64::from(plan.payloads) {
        time = world.ms_at(world.age()).max(time + 1);
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
