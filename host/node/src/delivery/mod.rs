//! From the queue to the receiver.
//!
//! Each partition has one worker, and each worker one request in flight, so the samples of a series
//! arrive in order and no partition waits for another. What an answer means is the component's
//! business, and what is done about it that of the delivery machine (`preamp-deliver`); a worker drives it.

mod authorization;
mod connect;
mod driver;
mod http;
mod outage;
mod pause;
mod route;
mod telling;
mod time;
mod transport;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use outage::Outage;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use self::http::HttpClient;
pub use self::pause::Pauses;
pub use self::route::Route;
pub use self::time::clock_probe;
pub use self::transport::{Exchange, Transport};
use crate::credentials::SigningKeys;
use crate::metrics::Metrics;
use crate::receiver_clock::ReceiverClock;
use preamp_base::LogLimiter;
use preamp_config::{Batching, Retry};
pub use preamp_deliver::Arrival;
use preamp_deliver::{Moment, Policy, Receiver};
use preamp_queue::Queue;
use preamp_wasm::ExporterPool;

/// What delivery works with.
pub struct DeliveryContext {
    /// The component: merges, signs, judges and halves.
    pub exporters: ExporterPool,
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
    /// Whether to wait for fuller requests.
    pub batching: Option<Batching>,
    /// How long a partition is held when repeating alone cannot help.
    pub pauses: Pauses,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
}

/// What all workers share.
struct Shared {
    context: DeliveryContext,
    policy: Policy,
    log_limiter: LogLimiter,
    /// Whether delivery works.
    outage: Outage,
    /// What is known of the receiver from its answers.
    receiver: std::sync::Mutex<Receiver>,
    /// Where the time of the delivery machines begins.
    started: Instant,
    /// As many as there may be requests in flight.
    permits: Semaphore,
    /// Cancelled when the process is stopping: what can be delivered still is, but nothing is held.
    closing: CancellationToken,
    /// Cancelled when another delivery is to go on: what is under way comes to its end, nothing is begun.
    handing_over: CancellationToken,
    /// Whether a worker left something that the receiver may have.
    possibly_delivered: AtomicBool,
}

impl Shared {
    fn receiver(&self) -> MutexGuard<'_, Receiver> {
        // Nothing panics half-way through a change of it.
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        let now = pause::millis(self.started.elapsed());
        Moment { now, receiver_now: self.context.clock.receiver_now() }
    }
}

/// Delivery in progress.
pub struct Delivery {
    shared: Arc<Shared>,
    workers: Mutex<JoinSet<()>>,
    _asking: AbortOnDropHandle<()>,
    _telling: [AbortOnDropHandle<()>; 2],
}

/// What was not delivered when delivery ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// OTLP points.
    pub points: u64,
    /// Batches.
    pub batches: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Why delivery did not work when it ended, if it did not.
    pub because: Option<String>,
}

impl Delivery {
    /// Starts a worker for each partition of the queue. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(context: DeliveryContext) -> Self {
        let partitions = context.queue.readers();
        let shared = Arc::new(Shared {
            policy: pause::policy(&context),
            permits: Semaphore::new(context.in_flight as usize),
            context,
            log_limiter: LogLimiter::default(),
            outage: Outage::default(),
            receiver: std::sync::Mutex::default(),
            started: Instant::now(),
            closing: CancellationToken::new(),
            handing_over: CancellationToken::new(),
            possibly_delivered: AtomicBool::new(false),
        });
        let workers =
            (0..partitions).map(|partition| worker::supervise(Arc::clone(&shared), partition)).collect();
        let asking = AbortOnDropHandle::new(tokio::spawn(time::ask(Arc::clone(&shared))));
        let telling = [
            AbortOnDropHandle::new(tokio::spawn(Shared::tell_of_losses(Arc::clone(&shared)))),
            AbortOnDropHandle::new(tokio::spawn(Shared::tell_of_recoveries(Arc::clone(&shared)))),
        ];
        Self { shared, workers: Mutex::new(workers), _asking: asking, _telling: telling }
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
        let context = &self.shared.context;
        context.queue.close();
        self.shared.closing.cancel();
        let are_done = self.end_workers(within).await;
        let possibly_delivered = !are_done || self.shared.possibly_delivered.load(Ordering::Relaxed);
        let total = context.queue.statistics().total();
        if let Err(error) = context.queue.shutdown(possibly_delivered).await {
            tracing::error!(%error, "the queue could not be shut down; the next start will take it for a crash");
        }
        self.shared.tell_rest().await;
        let points = context.metrics.ledger.snapshot().queued;
        let because = self.shared.outage.because().filter(|_| total.batches > 0);
        Remains { points, batches: total.batches, bytes: total.bytes, because }
    }
}
