//! An exporter that many tasks use at once.

use super::convert::{self, BoundKey};
use super::counters::Counters;
use super::echo::Echoes;
use super::instance::{Instance, Template};
use super::limits::{PoolLimits, PoolStats};
use super::pool::{Load, Pool};
use super::stateful::{self, StatefulInstance};
use super::{CallError, Component, OpenError};
use bytes::Bytes;
use preamp_contract::{
    Acceptance, Batch, BatchError, Encoding, Limits, Protocol, Pruned, Refusal, Request, Response, Sent,
    SignError, SigningKey, Verdict,
};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

/// An exporter of one configuration, for use by many tasks at once: one method for each function
/// of the contract. Clones share the same instances.
///
/// Batches always have their digest, also when the configuration leaves it to the host.
///
/// Calls that work on large payloads and bodies run on threads for blocking work, no more at a time than
/// there are processors. Those that work on small ones run where they are made: handing them over would cost more than
/// many of them take. Small payloads do not wait for large ones, so that a flood of those holds up nobody who
/// sends less.
///
/// A trap costs the call that caused it and nothing else: its instance is dropped, and the next
/// call gets a fresh one. If the configuration makes the exporter remember, all payloads go to one
/// instance, one after the other, and its successor goes on from where it was.
///
/// Running calls cannot be interrupted (see [`engine`](super::engine)); one
/// that lasts longer than [`PoolLimits::slow_call`] is logged.
#[derive(Clone)]
pub struct ExporterPool {
    pool: Arc<Pool>,
    lanes: Arc<Lanes>,
    echoes: Arc<Echoes>,
    receiver_limits: Arc<Limits>,
    /// Only if the configuration makes the exporter remember.
    stateful: Option<Arc<AsyncMutex<StatefulInstance>>>,
}

impl ExporterPool {
    /// Opens an exporter from a configuration (JSON text, see `describe` in the contract).
    ///
    /// # Errors
    ///
    /// All problems of the configuration at once, or that the component does not come up.
    pub fn open(
        component: &Component,
        configuration: &str,
        limits: PoolLimits,
    ) -> Result<ExporterPool, OpenError> {
        let template = Template::new(component, configuration, &limits)?;
        let counters = Arc::<Counters>::default();
        let mut first = template.instantiate(&counters)?;
        let broken = |trap| OpenError::Component(format!("{trap:#}"));
        let receiver_limits = Arc::new(first.limits().map_err(broken)?);
        let kept = StatefulInstance::new(first).map_err(broken)?;
        let lanes = Arc::new(Lanes::new(&limits));
        let pool = Arc::new(Pool::new(template, limits, counters));
        let stateful = match kept {
            Ok(stateful) => Some(Arc::new(AsyncMutex::new(stateful))),
            Err(instance) => {
                pool.keep(instance);
                None
            }
        };
        let echoes = Arc::new(Echoes::of(configuration));
        Ok(ExporterPool { pool, lanes, echoes, receiver_limits, stateful })
    }

    /// What the receiver takes, as the component reads its configuration.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.receiver_limits
    }

    /// Whether the configuration makes the exporter remember what it has accepted.
    #[must_use]
    pub fn is_stateful(&self) -> bool {
        self.stateful.is_some()
    }

    /// What the exporter remembers; empty if its configuration makes it remember nothing.
    ///
    /// # Errors
    ///
    /// The call itself failed.
    pub async fn snapshot(&self) -> Result<Vec<u8>, CallError> {
        let Some(stateful) = &self.stateful else { return Ok(Vec::new()) };
        self.keep(stateful, "snapshot", |stateful, pool| stateful.snapshot(pool).map(<[u8]>::to_vec)).await
    }

    /// What the exporter remembers at its end: payloads are no longer accepted.
    ///
    /// # Errors
    ///
    /// The call itself failed.
    pub async fn close(&self) -> Result<Vec<u8>, CallError> {
        let Some(stateful) = &self.stateful else { return Ok(Vec::new()) };
        self.keep(stateful, "snapshot", |stateful, pool| stateful.close(pool).map(<[u8]>::to_vec)).await
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
        let Some(stateful) = &self.stateful else { return Ok(Ok(())) };
        self.keep(stateful, "restore", move |stateful, pool| stateful.restore(pool, &snapshot, is_current))
            .await
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
        let limit = self.pool.limits().payload_bytes_max;
        if payload.len() > limit {
            return Ok(Err(Refusal::TooLarge(limit as u64)));
        }
        if let Some(stateful) = &self.stateful {
            let accept = move |stateful: &mut StatefulInstance, pool: &Pool| {
                stateful.accept(pool, payload, encoding, now)
            };
            return self.keep(stateful, "accept", accept).await;
        }
        let load = Load::of_payload(payload.len());
        self.compute("accept", load, move |instance| stateful::accept(instance, &payload, encoding, now))
            .await
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
            let merged = guest.exporter().call_merge(store, exporter, &convert::all(batches))?;
            Ok(merged.map(convert::all).map_err(BatchError::from))
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
            let halves = guest.exporter().call_halve(store, exporter, &batch.into())?;
            Ok(halves.map(|(first, second)| (first.into(), second.into())).map_err(BatchError::from))
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
            Ok(convert::outcome(guest.exporter().call_prune(store, exporter, &batch.into(), oldest)?))
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
            let batches = guest.exporter().call_downgrade(store, exporter, &batch.into())?;
            Ok(batches.map(convert::all).map_err(BatchError::from))
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
            Ok(convert::outcome(guest.exporter().call_explain(store, exporter, &batch.into())?))
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
            Ok(convert::outcome(guest.exporter().call_inspect(store, exporter, &batch.into())?))
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
        self.pool.call(Load::NOTHING, |instance| {
            let (guest, store, exporter) = instance.parts();
            let key = key.map(BoundKey::from);
            let key = key.as_ref().map(|key| &key.0);
            Ok(convert::outcome(guest.exporter().call_sign(
                store,
                exporter,
                digest,
                protocol.into(),
                now,
                key,
            )?))
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
        let verdict = self.pool.call(Load::NOTHING, |instance| {
            let (guest, store, exporter) = instance.parts();
            guest.exporter().call_judge(store, exporter, sent.into(), &response.into(), attempt, now)
        })?;
        Ok(self.echoes.hide(verdict.into()))
    }

    /// What the pool has done so far.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }

    /// Works with the stateful instance, one call after the other in the order they came.
    async fn keep<R: Send + 'static>(
        &self,
        stateful: &Arc<AsyncMutex<StatefulInstance>>,
        function: &'static str,
        work: impl FnOnce(&mut StatefulInstance, &Pool) -> Result<R, CallError> + Send + 'static,
    ) -> Result<R, CallError> {
        // Waiting takes no processor from calls that could run.
        let mut stateful = stateful.clone().lock_owned().await;
        self.work(function, Load::Large, move |pool| work(&mut stateful, pool)).await
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

    /// Works once a processor is free for it: here if that is brief, and else on a thread for blocking work.
    async fn work<R: Send + 'static>(
        &self,
        function: &'static str,
        load: Load,
        work: impl FnOnce(&Pool) -> Result<R, CallError> + Send + 'static,
    ) -> Result<R, CallError> {
        if self.pool.limits().is_in_place {
            return work(&self.pool);
        }
        let Ok(processor) = self.lanes.of(load).clone().acquire_owned().await else {
            return Err(CallError::Unavailable("the pool is closed".to_owned()));
        };
        let slow_call = self.pool.limits().slow_call;
        let started = Instant::now();
        if load.is_brief() {
            let result = work(&self.pool);
            if started.elapsed() >= slow_call {
                self.log_slow(function, started, "a call to the component was slow");
            }
            return result;
        }
        let pool = self.pool.clone();
        let mut running = tokio::task::spawn_blocking(move || {
            let _processor = processor;
            work(&pool)
        });
        loop {
            match tokio::time::timeout(slow_call, &mut running).await {
                Ok(result) => return result.unwrap_or_else(|error| Err(lost(&error))),
                Err(_elapsed) => {
                    self.log_slow(function, started, "a call to the component is slow and still running");
                }
            }
        }
    }

    fn log_slow(&self, function: &'static str, started: Instant, what: &'static str) {
        if let Some(suppressed) = self.pool.allow("slow") {
            let seconds = started.elapsed().as_secs();
            tracing::warn!(function, seconds, suppressed, "{what}");
        }
    }
}

/// Who may compute. A call waits for others of its lane only.
struct Lanes {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Lanes {
    fn new(limits: &PoolLimits) -> Self {
        let lane = |calls: usize| Arc::new(Semaphore::new(calls.max(1)));
        Lanes { small: lane(limits.parallel_calls), large: lane(limits.parallel_large_calls) }
    }

    fn of(&self, load: Load) -> &Arc<Semaphore> {
        match load {
            Load::Small { .. } => &self.small,
            Load::Large => &self.large,
        }
    }
}

fn lost(error: &tokio::task::JoinError) -> CallError {
    CallError::Trapped(format!("the thread of the call is gone: {error}"))
}
