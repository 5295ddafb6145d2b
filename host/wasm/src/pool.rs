//! A pool of warm instances with one configuration.

use super::CallError;
use super::counters::Counters;
use super::instance::{Instance, Template};
use super::limits::{PoolLimits, PoolStats};
use preamp_base::LogLimiter;
use preamp_contract::Batch;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a call has to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// A small payload, or batches. The configuration bounds how large those are, and no stranger.
    Small {
        /// What batches take before compression, in bytes.
        batch_bytes: usize,
    },
    /// A large payload, or what an exporter remembers.
    Large,
}

/// What is made of batches is held beside them, encoded and compressed.
const MEMORY_PER_BATCH_BYTE: usize = 6;

/// Batches of up to this size before compression are merged or halved in less time than it takes to notice.
const BRIEF_BATCH_BYTES: usize = 256 << 10;

impl Load {
    /// Next to nothing.
    pub const NOTHING: Load = Load::Small { batch_bytes: 0 };

    pub fn of_payload(bytes: usize) -> Self {
        if bytes > PoolLimits::SMALL_PAYLOAD { Load::Large } else { Load::NOTHING }
    }

    /// Whether the work takes less than a few milliseconds.
    pub fn is_brief(self) -> bool {
        matches!(self, Load::Small { batch_bytes } if batch_bytes <= BRIEF_BATCH_BYTES)
    }

    pub fn of_batches<'b>(batches: impl IntoIterator<Item = &'b Batch>) -> Self {
        let sizes = batches.into_iter().map(|batch| batch.uncompressed_size as usize);
        Load::Small { batch_bytes: sizes.fold(0, usize::saturating_add) }
    }
}

/// What instances are made from, and those that wait.
pub(super) struct Pool {
    template: Template,
    limits: PoolLimits,
    counters: Arc<Counters>,
    idle: Mutex<Idle>,
    log_limiter: LogLimiter,
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
    /// A pool in which no instance waits yet.
    pub fn new(template: Template, limits: PoolLimits, counters: Arc<Counters>) -> Self {
        Pool { template, limits, counters, idle: Mutex::default(), log_limiter: LogLimiter::default() }
    }

    pub fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    /// What it has done so far.
    pub fn stats(&self) -> PoolStats {
        let counters = &self.counters;
        PoolStats {
            instances: counters.live.load(Relaxed),
            created: counters.created.load(Relaxed),
            calls: counters.calls.load(Relaxed),
            traps: counters.traps.load(Relaxed),
            recycled: counters.recycled.load(Relaxed),
        }
    }

    /// Makes a call on an instance of the pool, and puts it back if it is still good.
    pub fn call<R>(
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
                if let Some(suppressed) = self.log_limiter.allow(kind, 1) {
                    let trap = format!("{trap:#}");
                    tracing::error!(%error, trap, suppressed, "a call failed; its instance is replaced");
                }
                Err(error)
            }
        }
    }

    /// Keeps an instance that has just been made, whatever it takes: the next call needs one.
    pub fn keep(&self, instance: Instance) {
        self.idle().push(instance);
    }

    /// Keeps an instance for the next call, unless it is large, or those that wait are.
    pub fn put_back(&self, instance: Instance) {
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
            Load::Small { batch_bytes } => {
                let needed = batch_bytes.saturating_mul(MEMORY_PER_BATCH_BYTE);
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

    /// See [`LogLimiter::allow`].
    pub(super) fn allow(&self, reason: &str) -> Option<u64> {
        self.log_limiter.allow(reason, 1)
    }

    pub(super) fn count_recycled(&self) {
        self.counters.recycled.fetch_add(1, Relaxed);
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // A list that is only pushed to and popped from is whole even after a panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
