//! The worker of one partition: takes what is first in the queue and drives its delivery.

use super::Shared;
use super::driver::Driver;
use preamp_config::Batching;
use preamp_deliver::{BatchOutcome, End, Interrupt};
use preamp_queue::{Next, StorageError, Window};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// The pause after what holds the queue failed.
const STORAGE_PAUSE: Duration = Duration::from_secs(1);

/// Keeps a worker running until its partition is closed and empty. Were it to panic, its partition
/// would otherwise stand still for ever while all others look well.
pub(super) async fn supervise(shared: Arc<Shared>, partition: u32) {
    loop {
        let worker = Worker { shared: Arc::clone(&shared), partition };
        let running = AbortOnDropHandle::new(tokio::spawn(async move { worker.run().await }));
        match running.await {
            Ok(()) => return,
            Err(error) => tracing::error!(partition, %error, "a delivery worker failed and is started again"),
        }
        tokio::time::sleep(STORAGE_PAUSE).await;
    }
}

struct Worker {
    shared: Arc<Shared>,
    partition: u32,
}

impl Worker {
    async fn run(&self) {
        let shared = Arc::clone(&self.shared);
        while let Some(next) = shared.handing_over.run_until_cancelled(self.next()).await {
            let mut driver = Driver::new(&shared, self.partition);
            match next {
                Ok(Next::Closed) => return,
                Ok(Next::Evict { batches }) => {
                    batches.iter().for_each(|batch| driver.settle(batch, BatchOutcome::Evicted));
                    driver.acknowledge(batches.len()).await;
                }
                Ok(Next::Send { batches, possibly_delivered }) => {
                    let end = driver.deliver(batches, possibly_delivered).await;
                    if let End::Left { why: Interrupt::HandOver | Interrupt::Close, possibly_delivered } = end
                    {
                        shared.possibly_delivered.fetch_or(possibly_delivered, Ordering::Relaxed);
                        return;
                    }
                }
                Err(error) => shared.storage_failed(self.partition, &error).await,
            }
        }
    }

    /// What is first in the partition, once it is enough for a full request or was given time to become so.
    async fn next(&self) -> Result<Next, StorageError> {
        let Shared { context, closing, .. } = &*self.shared;
        let next = || context.queue.next(self.partition, Window::REQUEST);
        let first = next().await?;
        let (Next::Send { .. }, Some(Batching { timeout, points })) = (&first, context.batching) else {
            return Ok(first);
        };
        let share = points / u64::from(context.queue.partitions().max(1));
        let filled = async {
            match context.queue.capacity() {
                Some(capacity) => capacity.until_points(self.partition, share).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = filled => {}
            () = tokio::time::sleep(timeout) => {}
            () = closing.cancelled() => return Ok(first),
        }
        next().await
    }
}

impl Shared {
    /// Tells that the queue failed, and waits a little.
    pub(super) async fn storage_failed(&self, partition: u32, error: &StorageError) {
        if let Some(suppressed) = self.log_limiter.allow("storage", 1) {
            tracing::error!(partition, %error, suppressed, "the queue failed; trying again");
        }
        tokio::time::sleep(STORAGE_PAUSE).await;
    }
}
