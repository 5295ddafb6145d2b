//! How processes end.

use super::lock;
use super::world::End;
use crate::queue::SimulatedDisk;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// The end of a process, after so many operations of its disk.
pub(super) struct Death {
    pub end: End,
    /// Whether the last operation has come.
    pub has_come: Arc<AtomicBool>,
    /// Whether the process is dead: whatever it does from then on, nobody sees.
    pub has_died: Arc<AtomicBool>,
    /// Told when it comes.
    pub came: Arc<Notify>,
    /// The disk at that moment.
    left: Arc<Mutex<Option<SimulatedDisk>>>,
    power_cut: Option<u64>,
}

impl Death {
    /// Plans one for when so many operations are done. What a power cut leaves follows from the seed.
    pub fn plan(disk: &SimulatedDisk, operations: u64, end: End, seed: u64) -> Self {
        let power_cut = (end == End::PowerCut).then_some(seed);
        let death = Death {
            end,
            has_come: Arc::default(),
            has_died: Arc::default(),
            came: Arc::default(),
            left: Arc::default(),
            power_cut,
        };
        let (has_come, has_died) = (death.has_come.clone(), death.has_died.clone());
        let (came, left) = (death.came.clone(), death.left.clone());
        let last = disk.operations() + operations;
        disk.watch(move |disk, operation, _| {
            if operation == last {
                tracing::debug!(operation, ?end, "the process ends");
                if !matches!(end, End::Stopped { .. }) {
                    *lock(&left) = Some(image(disk, power_cut));
                    has_died.store(true, Ordering::Relaxed);
                }
                has_come.store(true, Ordering::Relaxed);
                came.notify_one();
            }
        });
        death
    }

    /// What the next process finds.
    pub fn left(&self, disk: &SimulatedDisk) -> SimulatedDisk {
        self.has_died.store(true, Ordering::Relaxed);
        lock(&self.left).take().unwrap_or_else(|| image(disk, self.power_cut))
    }
}

fn image(disk: &SimulatedDisk, power_cut: Option<u64>) -> SimulatedDisk {
    power_cut.map_or_else(|| disk.after_kill(), |seed| disk.after_power_cut(seed))
}
