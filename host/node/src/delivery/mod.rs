//! From the queue to the receiver.
//!
//! Each partition has one worker, and each worker one request in flight, so the samples of a series
//! arrive in order and no partition waits for another. What an answer means is the component's
//! business; a worker only does what the verdict says.

mod bisection;
mod coalesce;
mod connect;
mod fallback;
mod http;
mod largest;
mod pause;
mod sender;
mod time;
mod transport;
mod verdict;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::fallback::Fallback;
pub use self::http::HttpClient;
use self::largest::Largest;
pub use self::pause::Pauses;
pub use self::time::clock_probe;
pub use self::transport::Transport;
use crate::credentials::SigningKeys;
use crate::metrics::Metrics;
use crate::receiver_clock::ReceiverClock;
use preamp_base::LogLimiter;
use preamp_config::{Batching, Retry};
use preamp_queue::Queue;
use preamp_wasm::ExporterPool;

/// What delivery is made of.
pub struct Parts {
    /// The component: merges, signs, judges and halves.
    pub exporters: ExporterPool,
    /// Whether delivery before this one was broken off in this process, so that what waits first may have been sent.
    pub may_be_repeat: bool,
    /// The most requests in flight.
    pub in_flight: u32,
    /// Where batches wait.
    pub queue: Arc<dyn Queue>,
    /// The URL that requests are sent to.
    pub endpoint: String,
    /// How requests are sent.
    pub client: Arc<dyn Transport>,
    /// What requests are signed with; `None` sends them unsigned.
    pub keys: Option<SigningKeys>,
    /// The clock, shared with whoever gives the time to the component.
    pub clock: Arc<ReceiverClock>,
    /// How failed attempts are repeated.
    pub retry: Retry,
    /// How old samples can be for the receiver to take them.
    pub max_age: Option<Duration>,
    /// Whether to wait for fuller requests.
    pub batching: Option<Batching>,
    /// How long a partition is held when repeating alone cannot help.
    pub pauses: Pauses,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
}

/// What all workers share.
struct Shared {
    parts: Parts,
    log_limiter: LogLimiter,
    fallback: Fallback,
    largest: Largest,
    /// As many as there may be requests in flight.
    permits: Semaphore,
    /// Cancelled when the process is stopping: what can be delivered still is, but nothing is held.
    closing: CancellationToken,
    /// Cancelled when another delivery is to go on: what is under way comes to its end, nothing is begun.
    handing_over: CancellationToken,
    /// Whether a worker left something that the receiver may have.
    is_in_doubt: AtomicBool,
}

impl Shared {
    /// The oldest sample that the receiver takes now, in milliseconds since the Unix epoch, as far as it is known.
    fn oldest_taken(&self) -> Option<i64> {
        let age = i64::try_from(self.parts.max_age?.as_millis()).ok()?;
        Some(self.parts.clock.receiver_now()? - age)
    }
}

/// Delivery in progress.
pub struct Delivery {
    shared: Arc<Shared>,
    workers: Mutex<JoinSet<()>>,
    _asking: AbortOnDropHandle<()>,
}

/// What was not delivered when delivery ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// OTLP points.
    pub points: u64,
    /// Batches.
    pub batches: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

impl Delivery {
    /// Starts a worker for each partition of the queue. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let partitions = parts.queue.readers();
        let in_flight = parts.in_flight as usize;
        let shared = Arc::new(Shared {
            parts,
            log_limiter: LogLimiter::default(),
            fallback: Fallback::default(),
            largest: Largest::default(),
            permits: Semaphore::new(in_flight),
            closing: CancellationToken::new(),
            handing_over: CancellationToken::new(),
            is_in_doubt: AtomicBool::new(false),
        });
        let workers =
            (0..partitions).map(|partition| worker::supervise(Arc::clone(&shared), partition)).collect();
        let asking = AbortOnDropHandle::new(tokio::spawn(time::ask(Arc::clone(&shared))));
        Self { shared, workers: Mutex::new(workers), _asking: asking }
    }

    /// Stops so that another delivery can go on with the same queue. A request under way is waited for, and a batch
    /// of which a part is delivered is delivered whole, but for no longer than `patience`: after that the receiver may
    /// get some of it again.
    pub async fn hand_over(&self, patience: Duration) {
        self.shared.handing_over.cancel();
        self.end_workers(patience).await;
    }

    /// Waits for the workers, and breaks them off after a while. Whether all came to an end by themselves.
    async fn end_workers(&self, within: Duration) -> bool {
        let mut workers = self.workers.lock().await;
        let all_done = async { while workers.join_next().await.is_some() {} };
        let are_done = tokio::time::timeout(within, all_done).await.is_ok();
        workers.shutdown().await;
        are_done
    }

    /// Takes no more payloads, delivers what waits for at most `within`, stops, and returns what is
    /// left. A partition that is held for credentials or configuration gets one more try.
    pub async fn drain(&self, within: Duration) -> Remains {
        let parts = &self.shared.parts;
        parts.queue.close();
        self.shared.closing.cancel();
        let are_done = self.end_workers(within).await;
        let is_in_doubt = !are_done || self.shared.is_in_doubt.load(Ordering::Relaxed);
        let total = parts.queue.statistics().total();
        if let Err(error) = parts.queue.put_away(is_in_doubt).await {
            tracing::error!(%error, "the queue could not be put away; the next start will take it for a crash");
        }
        Remains { points: parts.metrics.ledger.snapshot().queued, batches: total.batches, bytes: total.bytes }
    }
}
