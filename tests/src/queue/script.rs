//! Random operations on a queue and on its oracle.

use super::{Oracle, SimulatedDisk, batch, number_of, oracle::Waiting};
use anyhow::{Context, Result, ensure};
use preamp_contract::Batch;
use preamp_queue::durable::{DurableQueue, Opened, Options};
use preamp_queue::{Next, PointOutcome, Queue, Settlement, Window};
use std::sync::Arc;

/// Everything that waits.
pub const ALL: Window = Window { batches: usize::MAX, bytes: u64::MAX };

const PARTITIONS: u32 = 3;

/// The options of the queues here: small segments, so that there are several.
#[must_use]
pub fn options() -> Options {
    Options {
        exporter: "prometheusremotewrite/test".to_owned(),
        partitions: PARTITIONS,
        max_payloads: 1_000_000,
        max_points: u64::MAX,
        max_bytes: 4 << 20,
        min_free_bytes: 0,
        cached_bytes: 0,
        index_bytes: u64::MAX,
    }
}

/// Opens the queue on a disk.
///
/// # Errors
/// When it cannot be.
pub fn open(disk: &SimulatedDisk) -> Result<(DurableQueue, Opened)> {
    Ok(DurableQueue::open(Arc::new(disk.clone()), &options())?)
}

/// What is first in a partition; nothing once it is closed and empty.
///
/// # Errors
/// When it cannot be read.
pub async fn first(queue: &dyn Queue, partition: u32, window: Window) -> Result<Vec<Arc<Batch>>> {
    Ok(match queue.next(partition, window).await? {
        Next::Send { batches, .. } | Next::Evict { batches, .. } => batches,
        Next::Closed => Vec::new(),
    })
}

/// What waits in a queue, which takes nothing more afterwards.
///
/// # Errors
/// When something of it is not as it was made.
pub async fn waiting(queue: &DurableQueue) -> Result<Waiting> {
    queue.close();
    let mut all = Waiting::new();
    for partition in 0..queue.readers() {
        let batches = first(queue, partition, ALL).await?;
        let numbers = batches.iter().map(|batch| number_of(batch).context("a batch was altered"));
        let numbers = numbers.collect::<Result<Vec<_>>>()?;
        if !numbers.is_empty() {
            all.insert(partition, numbers);
        }
    }
    Ok(all)
}

/// The settlement of batches that were delivered.
#[must_use]
pub fn delivered(batches: &[Arc<Batch>]) -> Settlement {
    let mut settlement = Settlement::default();
    batches.iter().for_each(|batch| settlement.add(PointOutcome::Delivered, batch.points.into()));
    settlement
}

/// What an operation changes.
#[derive(Clone, Debug)]
pub enum Step {
    /// These batches of one payload are appended.
    Append(Vec<(u32, u64)>),
    /// So many batches of this partition are acknowledged.
    Acknowledge(u32, usize),
}

/// Makes the same steps for the same seed.
pub struct Script {
    random: fastrand::Rng,
    next: u64,
}

impl Script {
    /// The script of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Script { random: fastrand::Rng::with_seed(seed), next: 0 }
    }

    /// The next step, where so much waits.
    pub fn step(&mut self, waiting: &Waiting) -> Step {
        let partition = self.random.u32(..PARTITIONS);
        let there = waiting.get(&partition).map_or(0, Vec::len);
        if there > 0 && self.random.u8(..10) < 4 {
            return Step::Acknowledge(partition, self.random.usize(1..=there.min(4)));
        }
        let batches = (0..self.random.usize(1..4)).map(|_| {
            self.next += 1;
            (self.random.u32(..PARTITIONS), self.next)
        });
        Step::Append(batches.collect())
    }

    /// How large the batch of a number is, which now and then is much.
    fn size(number: u64) -> usize {
        if number.is_multiple_of(17) { 60_000 } else { 8 + (number * 97 % 3_000) as usize }
    }
}

/// Makes a step.
///
/// # Errors
/// When the queue refuses it.
pub async fn make(queue: &DurableQueue, step: &Step) -> Result<()> {
    match step {
        Step::Append(batches) => {
            let batch = |(partition, number): &(u32, u64)| batch(*partition, *number, Script::size(*number));
            Ok(queue.append(batches.iter().map(batch).collect()).await?)
        }
        Step::Acknowledge(partition, count) => {
            let batches = first(queue, *partition, Window { batches: *count, bytes: u64::MAX }).await?;
            Ok(queue.acknowledge(*partition, *count, delivered(&batches)).await?)
        }
    }
}

/// Makes a step with the oracle.
///
/// # Errors
/// When it is none that can be made.
pub fn foretell(oracle: &Oracle, step: &Step) -> Result<()> {
    match step {
        Step::Append(batches) => oracle.append(batches),
        Step::Acknowledge(partition, count) => oracle.acknowledge(*partition, *count),
    }
}

/// Checks that the queue on a disk holds what was so before a step or after it, and nothing is damaged.
///
/// # Errors
/// When it does not.
pub async fn check(disk: &SimulatedDisk, before: &Waiting, after: &Waiting) -> Result<()> {
    let (queue, found) = open(disk)?;
    let points = found.points;
    let waiting = waiting(&queue).await?;
    ensure!(
        waiting == *before || waiting == *after,
        "expected {before:?} or {after:?}, found {waiting:?} ({found:?})"
    );
    let in_all: u64 = queue.statistics().total().points;
    ensure!(points == in_all && found.damaged_points == 0, "the accounts do not balance: {found:?}");
    Ok(())
}
