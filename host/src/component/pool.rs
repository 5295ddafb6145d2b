//! A pool of warm instances with one configuration.

use super::digest;
use super::instance::{Instance, Template};
use super::{
    Acceptance, Batch, BatchError, CallError, Component, Encoding, OpenError, Protocol, Pruned, Refusal,
    Request, Response, Sent, SignError, SigningKey, Verdict,
};
use bytes::Bytes;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How much an exporter may use.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// The largest payload given to the component, in bytes; larger ones are refused before they
    /// are copied.
    pub payload_bytes_max: usize,
    /// The most linear memory of one instance, in bytes.
    pub memory_bytes_max: usize,
    /// An instance with more linear memory than this after a call, in bytes, is replaced, because
    /// linear memory never shrinks.
    pub recycle_above_bytes: usize,
    /// A call that takes longer is logged, again and again while it lasts.
    pub slow_call: Duration,
    /// How many calls may compute at the same time.
    pub parallel_calls: usize,
}

impl Default for PoolLimits {
    fn default() -> PoolLimits {
        PoolLimits {
            payload_bytes_max: 256 << 20,
            memory_bytes_max: 1 << 30,
            recycle_above_bytes: 64 << 20,
            slow_call: Duration::from_secs(5),
            parallel_calls: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What a pool has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Instances that exist now.
    pub instances: u64,
    /// Instances made so far.
    pub created: u64,
    /// Calls made so far.
    pub calls: u64,
    /// Calls that ended in a trap, running out of memory included.
    pub traps: u64,
    /// Instances replaced because their memory had grown.
    pub recycled: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) live: AtomicU64,
    pub(super) created: AtomicU64,
    calls: AtomicU64,
    traps: AtomicU64,
    recycled: AtomicU64,
}

/// An exporter of one configuration, for use by many tasks at once: one method for each function
/// of the contract. Clones share the same instances.
///
/// Batches always have their digest, also when the configuration leaves it to the host.
///
/// Calls that work on payloads and bodies run on threads for blocking work, no more at a time than
/// there are processors. `sign` and `judge` take microseconds and run where they are called.
///
/// A trap costs the call that caused it and nothing else: its instance is dropped, and the next
/// call gets a fresh one. Running calls cannot be interrupted (see [`engine`](super::engine)); one
/// that lasts longer than [`PoolLimits::slow_call`] is logged.
#[derive(Clone)]
pub struct Exporters {
    pool: Arc<Pool>,
    processors: Arc<Semaphore>,
}

impl Exporters {
    /// Opens an exporter from a configuration (JSON text, see `describe` in the contract).
    ///
    /// # Errors
    ///
    /// All problems of the configuration at once, or that the component does not come up.
    pub fn open(
        component: &Component,
        configuration: &str,
        limits: PoolLimits,
    ) -> Result<Exporters, OpenError> {
        let template = Template::new(component, configuration, limits.memory_bytes_max)?;
        let counters = Arc::<Counters>::default();
        let first = template.instantiate(&counters)?;
        let processors = Arc::new(Semaphore::new(limits.parallel_calls.max(1)));
        let pool = Arc::new(Pool { template, limits, counters, idle: Mutex::new(vec![first]) });
        Ok(Exporters { pool, processors })
    }

    /// Translates one OTLP metrics payload into batches.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the payload was refused is the inner error.
    pub async fn accept(
        &self,
        payload: Bytes,
        encoding: Encoding,
        now: u64,
    ) -> Result<Result<Acceptance, Refusal>, CallError> {
        let limit = self.pool.limits.payload_bytes_max;
        if payload.len() > limit {
            return Ok(Err(Refusal::TooLarge(limit as u64)));
        }
        self.compute("accept", move |instance| {
            let (guest, store, exporter) = instance.parts();
            let mut result = guest.exporter().call_accept(store, exporter, &payload, encoding, now)?;
            if let Ok(acceptance) = &mut result {
                digest::complete(&mut acceptance.batches);
            }
            Ok(result)
        })
        .await
    }

    /// Joins batches of one partition, in the order given, into as few as the size limits allow.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the batches cannot be joined is the inner error.
    pub async fn merge(&self, batches: Vec<Batch>) -> Result<Result<Vec<Batch>, BatchError>, CallError> {
        self.compute("merge", move |instance| {
            let (guest, store, exporter) = instance.parts();
            let mut result = guest.exporter().call_merge(store, exporter, &batches)?;
            if let Ok(merged) = &mut result {
                digest::complete(merged);
            }
            Ok(result)
        })
        .await
    }

    /// Cuts a batch into two of nearly equal numbers of series.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the batch cannot be cut is the inner error.
    pub async fn halve(&self, batch: Batch) -> Result<Result<(Batch, Batch), BatchError>, CallError> {
        self.compute("halve", move |instance| {
            let (guest, store, exporter) = instance.parts();
            let mut result = guest.exporter().call_halve(store, exporter, &batch)?;
            if let Ok((first, second)) = &mut result {
                digest::complete([first, second]);
            }
            Ok(result)
        })
        .await
    }

    /// Takes the samples older than `oldest` (milliseconds since the Unix epoch) out of a batch.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the batch cannot be read is the inner error.
    pub async fn prune(&self, batch: Batch, oldest: i64) -> Result<Result<Pruned, BatchError>, CallError> {
        self.compute("prune", move |instance| {
            let (guest, store, exporter) = instance.parts();
            let mut result = guest.exporter().call_prune(store, exporter, &batch, oldest)?;
            if let Ok(pruned) = &mut result {
                digest::complete(pruned.kept.iter_mut().chain(&mut pruned.expired));
            }
            Ok(result)
        })
        .await
    }

    /// Writes a batch of remote write 2.0 as batches of 1.0.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the batch is of 1.0 already or cannot be read is the inner error.
    pub async fn downgrade(&self, batch: Batch) -> Result<Result<Vec<Batch>, BatchError>, CallError> {
        self.compute("downgrade", move |instance| {
            let (guest, store, exporter) = instance.parts();
            let mut result = guest.exporter().call_downgrade(store, exporter, &batch)?;
            if let Ok(batches) = &mut result {
                digest::complete(batches);
            }
            Ok(result)
        })
        .await
    }

    /// Shows the series and samples of a batch as text.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the batch cannot be read is the inner error.
    pub async fn explain(&self, batch: Batch) -> Result<Result<String, BatchError>, CallError> {
        self.compute("explain", move |instance| {
            let (guest, store, exporter) = instance.parts();
            guest.exporter().call_explain(store, exporter, &batch)
        })
        .await
    }

    /// Shows the series and samples of a batch as JSON Lines.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the batch cannot be read is the inner error.
    pub async fn inspect(&self, batch: Batch) -> Result<Result<String, BatchError>, CallError> {
        self.compute("inspect", move |instance| {
            let (guest, store, exporter) = instance.parts();
            guest.exporter().call_inspect(store, exporter, &batch)
        })
        .await
    }

    /// Makes the request head for a batch of this digest and protocol, to be sent at `now`.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the key does not fit is the inner error.
    pub async fn sign(
        &self,
        digest: &[u8],
        protocol: Protocol,
        now: u64,
        key: Option<&SigningKey>,
    ) -> Result<Result<Request, SignError>, CallError> {
        self.pool.call(|instance| {
            let (guest, store, exporter) = instance.parts();
            let key = key.map(SigningKey::as_contract);
            guest.exporter().call_sign(store, exporter, digest, protocol, now, key)
        })
    }

    /// Says what the answer means that came at `now` to the given attempt, counted from 1.
    ///
    /// # Errors
    ///
    /// The call itself failed.
    pub async fn judge(
        &self,
        sent: Sent,
        response: &Response,
        attempt: u32,
        now: u64,
    ) -> Result<Verdict, CallError> {
        self.pool.call(|instance| {
            let (guest, store, exporter) = instance.parts();
            guest.exporter().call_judge(store, exporter, sent, response, attempt, now)
        })
    }

    /// What the pool has done so far.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let counters = &self.pool.counters;
        PoolStats {
            instances: counters.live.load(Relaxed),
            created: counters.created.load(Relaxed),
            calls: counters.calls.load(Relaxed),
            traps: counters.traps.load(Relaxed),
            recycled: counters.recycled.load(Relaxed),
        }
    }

    /// Runs a call on a thread for blocking work, once a processor is free for it.
    async fn compute<R: Send + 'static>(
        &self,
        function: &'static str,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<R> + Send + 'static,
    ) -> Result<R, CallError> {
        let Ok(processor) = self.processors.clone().acquire_owned().await else {
            return Err(CallError::Unavailable("the pool is closed".to_owned()));
        };
        let pool = self.pool.clone();
        let slow_call = pool.limits.slow_call;
        let mut running = tokio::task::spawn_blocking(move || {
            let _processor = processor;
            pool.call(call)
        });
        let started = Instant::now();
        loop {
            match tokio::time::timeout(slow_call, &mut running).await {
                Ok(result) => return result.unwrap_or_else(|error| Err(lost(&error))),
                Err(_elapsed) => tracing::warn!(
                    function,
                    seconds = started.elapsed().as_secs(),
                    "a call to the component is slow and still running"
                ),
            }
        }
    }
}

fn lost(error: &tokio::task::JoinError) -> CallError {
    CallError::Trapped(format!("the thread of the call is gone: {error}"))
}

struct Pool {
    template: Template,
    limits: PoolLimits,
    counters: Arc<Counters>,
    idle: Mutex<Vec<Instance>>,
}

impl Pool {
    /// Makes a call on an instance of the pool, and puts it back if it is still good.
    fn call<R>(&self, call: impl FnOnce(&mut Instance) -> wasmtime::Result<R>) -> Result<R, CallError> {
        let idle = self.idle().pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self
                .template
                .instantiate(&self.counters)
                .map_err(|e| CallError::Unavailable(e.to_string()))?,
        };
        self.counters.calls.fetch_add(1, Relaxed);
        match call(&mut instance) {
            Ok(result) => {
                self.put_back(instance);
                Ok(result)
            }
            Err(trap) => {
                self.counters.traps.fetch_add(1, Relaxed);
                let error = instance.explain(&trap);
                tracing::error!(%error, trap = format!("{trap:#}"), "a call failed; its instance is replaced");
                Err(error)
            }
        }
    }

    fn put_back(&self, instance: Instance) {
        if instance.memory_bytes() > self.limits.recycle_above_bytes {
            self.counters.recycled.fetch_add(1, Relaxed);
        } else {
            self.idle().push(instance);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        // A list that is only pushed to and popped from is whole even after a panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
