//! A pool of warm instances with one configuration.

use super::digest;
use super::echo::Echoes;
use super::instance::{Instance, Template};
use super::keeper::{self, Keeper};
use super::limits::{PoolLimits, PoolStats};
use super::{
    Acceptance, Batch, BatchError, CallError, Component, Encoding, OpenError, Protocol, Pruned, Refusal,
    Request, Response, Sent, SignError, SigningKey, Verdict,
};
use crate::notices::Notices;
use bytes::Bytes;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

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
/// there are processors. Small payloads do not wait for large ones, so that a flood of those holds up nobody who
/// sends less. `sign` and `judge` take microseconds and run where they are called.
///
/// A trap costs the call that caused it and nothing else: its instance is dropped, and the next
/// call gets a fresh one. If the configuration makes the exporter remember, all payloads go to one
/// instance, one after the other, and its successor goes on from where it was.
///
/// Running calls cannot be interrupted (see [`engine`](super::engine)); one
/// that lasts longer than [`PoolLimits::slow_call`] is logged.
#[derive(Clone)]
pub struct Exporters {
    pool: Arc<Pool>,
    lanes: Arc<Lanes>,
    /// Only if the configuration makes the exporter remember.
    keeper: Option<Arc<AsyncMutex<Keeper>>>,
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
        let template = Template::new(component, configuration, &limits)?;
        let counters = Arc::<Counters>::default();
        let first = template.instantiate(&counters)?;
        let kept = Keeper::new(first).map_err(|trap| OpenError::Component(format!("{trap:#}")))?;
        let mut idle = Idle::default();
        let keeper = match kept {
            Ok(keeper) => Some(Arc::new(AsyncMutex::new(keeper))),
            Err(instance) => {
                idle.push(instance);
                None
            }
        };
        let lane = |calls: usize| Arc::new(Semaphore::new(calls.max(1)));
        let lanes =
            Arc::new(Lanes { small: lane(limits.parallel_calls), large: lane(limits.parallel_large_calls) });
        let echoes = Echoes::of(configuration);
        let (idle, notices) = (Mutex::new(idle), Notices::default());
        let pool = Arc::new(Pool { template, limits, counters, idle, echoes, notices });
        Ok(Exporters { pool, lanes, keeper })
    }

    /// Whether the configuration makes the exporter remember what it has accepted.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.keeper.is_some()
    }

    /// What the exporter remembers; empty if its configuration makes it remember nothing.
    ///
    /// # Errors
    ///
    /// The call itself failed.
    pub async fn snapshot(&self) -> Result<Vec<u8>, CallError> {
        let Some(keeper) = &self.keeper else { return Ok(Vec::new()) };
        self.keep(keeper, "snapshot", |keeper, pool| keeper.snapshot(pool).map(<[u8]>::to_vec)).await
    }

    /// What the exporter remembers at its end: payloads are no longer accepted.
    ///
    /// # Errors
    ///
    /// The call itself failed.
    pub async fn close(&self) -> Result<Vec<u8>, CallError> {
        let Some(keeper) = &self.keeper else { return Ok(Vec::new()) };
        self.keep(keeper, "snapshot", |keeper, pool| keeper.close(pool).map(<[u8]>::to_vec)).await
    }

    /// Goes on from what an earlier exporter remembered. `is_current` says that it accepted nothing
    /// after that.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the state cannot be used is the inner error.
    pub async fn restore(
        &self,
        snapshot: Vec<u8>,
        is_current: bool,
    ) -> Result<Result<(), String>, CallError> {
        let Some(keeper) = &self.keeper else { return Ok(Ok(())) };
        self.keep(keeper, "restore", move |keeper, pool| keeper.restore(pool, &snapshot, is_current)).await
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
        if let Some(keeper) = &self.keeper {
            let accept = move |keeper: &mut Keeper, pool: &Pool| keeper.accept(pool, payload, encoding, now);
            return self.keep(keeper, "accept", accept).await;
        }
        let load = Load::of_payload(payload.len());
        self.compute("accept", load, move |instance| keeper::accept(instance, &payload, encoding, now)).await
    }

    /// Joins batches of one partition, in the order given, into as few as the size limits allow.
    ///
    /// # Errors
    ///
    /// The call itself failed. That the batches cannot be joined is the inner error.
    pub async fn merge(&self, batches: Vec<Batch>) -> Result<Result<Vec<Batch>, BatchError>, CallError> {
        let load = Load::of_batches(&batches);
        self.compute("merge", load, move |instance| {
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
        let load = Load::of_batches([&batch]);
        self.compute("halve", load, move |instance| {
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
        let load = Load::of_batches([&batch]);
        self.compute("prune", load, move |instance| {
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
        let load = Load::of_batches([&batch]);
        self.compute("downgrade", load, move |instance| {
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
        let load = Load::of_batches([&batch]);
        self.compute("explain", load, move |instance| {
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
        let load = Load::of_batches([&batch]);
        self.compute("inspect", load, move |instance| {
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
        self.pool.call(Load::Small, |instance| {
            let (guest, store, exporter) = instance.parts();
            let key = key.map(SigningKey::as_contract);
            guest.exporter().call_sign(store, exporter, digest, protocol, now, key)
        })
    }

    /// Says what the answer means that came at `now` to the given attempt, counted from 1, in words without the
    /// values of the configuration's header fields.
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
        let verdict = self.pool.call(Load::Small, |instance| {
            let (guest, store, exporter) = instance.parts();
            guest.exporter().call_judge(store, exporter, sent, response, attempt, now)
        })?;
        Ok(self.pool.echoes.hide(verdict))
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

    /// Works with the keeper, one call after the other in the order they came.
    async fn keep<R: Send + 'static>(
        &self,
        keeper: &Arc<AsyncMutex<Keeper>>,
        function: &'static str,
        work: impl FnOnce(&mut Keeper, &Pool) -> Result<R, CallError> + Send + 'static,
    ) -> Result<R, CallError> {
        // Waiting takes no processor from calls that could run.
        let mut keeper = keeper.clone().lock_owned().await;
        self.work(function, Load::Large, move |pool| work(&mut keeper, pool)).await
    }

    /// Makes a call on any instance.
    async fn compute<R: Send + 'static>(
        &self,
        function: &'static str,
        load: Load,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<R> + Send + 'static,
    ) -> Result<R, CallError> {
        self.work(function, load, move |pool| pool.call(load, call)).await
    }

    /// Works on a thread for blocking work, once a processor is free for it.
    async fn work<R: Send + 'static>(
        &self,
        function: &'static str,
        load: Load,
        work: impl FnOnce(&Pool) -> Result<R, CallError> + Send + 'static,
    ) -> Result<R, CallError> {
        if self.pool.limits.is_in_place {
            return work(&self.pool);
        }
        let Ok(processor) = self.lanes.of(load).clone().acquire_owned().await else {
            return Err(CallError::Unavailable("the pool is closed".to_owned()));
        };
        let pool = self.pool.clone();
        let slow_call = pool.limits.slow_call;
        let mut running = tokio::task::spawn_blocking(move || {
            let _processor = processor;
            work(&pool)
        });
        let started = Instant::now();
        loop {
            match tokio::time::timeout(slow_call, &mut running).await {
                Ok(result) => return result.unwrap_or_else(|error| Err(lost(&error))),
                Err(_elapsed) => {
                    if let Some(held_back) = self.pool.notices.admit("slow", 1) {
                        let seconds = started.elapsed().as_secs();
                        tracing::warn!(
                            function,
                            seconds,
                            held_back,
                            "a call to the component is slow and still running"
                        );
                    }
                }
            }
        }
    }
}

/// What a call has to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// A small payload, or next to nothing.
    Small,
    /// Batches of so many bytes before compression, which the configuration bounds, and no stranger.
    Batches(usize),
    /// A large payload, or what an exporter remembers.
    Large,
}

/// What is made of batches is held beside them, encoded and compressed.
const MEMORY_PER_BATCH_BYTE: usize = 6;

impl Load {
    fn of_payload(bytes: usize) -> Self {
        if bytes > PoolLimits::SMALL_PAYLOAD { Load::Large } else { Load::Small }
    }

    fn of_batches<'b>(batches: impl IntoIterator<Item = &'b Batch>) -> Self {
        let sizes = batches.into_iter().map(|batch| batch.uncompressed_size as usize);
        Load::Batches(sizes.fold(0, usize::saturating_add))
    }
}

/// Who may compute. A call waits for others of its lane only.
struct Lanes {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Lanes {
    fn of(&self, load: Load) -> &Arc<Semaphore> {
        match load {
            Load::Small | Load::Batches(_) => &self.small,
            Load::Large => &self.large,
        }
    }
}

fn lost(error: &tokio::task::JoinError) -> CallError {
    CallError::Trapped(format!("the thread of the call is gone: {error}"))
}

/// What instances are made from, and those that wait.
pub(super) struct Pool {
    template: Template,
    limits: PoolLimits,
    counters: Arc<Counters>,
    idle: Mutex<Idle>,
    echoes: Echoes,
    notices: Notices,
}

/// Instances that wait for a call.
#[derive(Default)]
struct Idle {
    instances: Vec<Instance>,
    /// Their linear memory.
    bytes: usize,
}

impl Idle {
    fn pop(&mut self) -> Option<Instance> {
        let instance = self.instances.pop()?;
        self.bytes -= instance.memory_bytes();
        Some(instance)
    }

    fn push(&mut self, instance: Instance) {
        self.bytes += instance.memory_bytes();
        self.instances.push(instance);
    }
}

impl Pool {
    /// Makes a call on an instance of the pool, and puts it back if it is still good.
    fn call<R>(
        &self,
        load: Load,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        let idle = self.idle().pop();
        let mut instance = idle.map_or_else(|| self.fresh(), Ok)?;
        instance.limit_memory(self.memory_for(load));
        let (result, instance) = self.attempt(instance, call)?;
        self.put_back(instance);
        Ok(result)
    }

    /// A new instance.
    pub(super) fn fresh(&self) -> Result<Instance, CallError> {
        self.template.instantiate(&self.counters).map_err(|error| CallError::Unavailable(error.to_string()))
    }

    /// Makes a call on an instance, and gives it back if it is still good.
    pub(super) fn attempt<R>(
        &self,
        mut instance: Instance,
        call: impl FnOnce(&mut Instance) -> wasmtime::Result<R>,
    ) -> Result<(R, Instance), CallError> {
        self.counters.calls.fetch_add(1, Relaxed);
        match call(&mut instance) {
            Ok(result) => Ok((result, instance)),
            Err(trap) => {
                self.counters.traps.fetch_add(1, Relaxed);
                let error = instance.explain(&trap);
                let kind = if matches!(error, CallError::OutOfMemory { .. }) { "memory" } else { "trap" };
                if let Some(held_back) = self.notices.admit(kind, 1) {
                    let trap = format!("{trap:#}");
                    tracing::error!(%error, trap, held_back, "a call failed; its instance is replaced");
                }
                Err(error)
            }
        }
    }

    fn put_back(&self, instance: Instance) {
        let bytes = instance.memory_bytes();
        let mut idle = self.idle();
        if bytes > self.recycle_above_bytes() || idle.bytes.saturating_add(bytes) > self.limits.idle_bytes_max
        {
            drop(idle);
            self.count_recycled();
        } else {
            idle.push(instance);
        }
    }

    /// How much linear memory an instance may have for a call, in bytes.
    fn memory_for(&self, load: Load) -> usize {
        let PoolLimits { memory_bytes_max, small_memory_bytes_max, .. } = self.limits;
        match load {
            Load::Small => small_memory_bytes_max.min(memory_bytes_max),
            Load::Batches(bytes) => {
                let needed = bytes.saturating_mul(MEMORY_PER_BATCH_BYTE);
                small_memory_bytes_max.saturating_add(needed).min(memory_bytes_max)
            }
            Load::Large => memory_bytes_max,
        }
    }

    /// How many bytes of payloads are kept to make a lost instance again, where so many would be best.
    pub(super) fn kept_bytes(&self, best: usize) -> usize {
        let PoolLimits { kept_bytes_min, kept_bytes_max, .. } = self.limits;
        best.clamp(kept_bytes_min, kept_bytes_max.max(kept_bytes_min))
    }

    pub(super) fn recycle_above_bytes(&self) -> usize {
        self.limits.recycle_above_bytes
    }

    /// See [`Notices::admit`].
    pub(super) fn admit(&self, reason: &str) -> Option<u64> {
        self.notices.admit(reason, 1)
    }

    pub(super) fn count_recycled(&self) {
        self.counters.recycled.fetch_add(1, Relaxed);
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // A list that is only pushed to and popped from is whole even after a panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
