//! Waking the readers of partitions.

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// One for each partition: wakes its reader when what it reads has changed.
#[derive(Debug)]
pub(super) struct Changes(Vec<Notify>);

impl Changes {
    pub fn new(partitions: u32) -> Self {
        Changes((0..partitions).map(|_| Notify::new()).collect())
    }

    /// Something was changed in a partition.
    pub fn tell(&self, partition: u32) {
        if let Some(changed) = self.0.get(partition as usize) {
            changed.notify_waiters();
        }
    }

    /// Something was changed everywhere.
    pub fn tell_all(&self) {
        self.0.iter().for_each(Notify::notify_waiters);
    }

    /// The next change in a partition, from this call on; `None` if there is no such partition.
    pub fn next(&self, partition: u32) -> Option<Notified<'_>> {
        self.0.get(partition as usize).map(Notify::notified)
    }

    /// Waits until there is an answer, which may come with each change. For a partition that there is not, the
    /// answer is the default.
    pub async fn wait_for<T: Default>(&self, partition: u32, answer: impl Fn() -> Option<T>) -> T {
        // Made before the state is looked at, since it sees every change from then on.
        while let Some(change) = self.next(partition) {
            if let Some(answer) = answer() {
                return answer;
            }
            change.await;
        }
        T::default()
    }
}
