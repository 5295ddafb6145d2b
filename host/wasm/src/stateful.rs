//! The one instance of an exporter that remembers, and what is needed to make it again.

use super::instance::Instance;
use super::pool::Pool;
use super::{CallError, convert};
use bytes::Bytes;
use preamp_contract::{Acceptance, Encoding, Refusal};

/// A snapshot is taken after payloads of this many times its size, so that taking it costs little in
/// comparison, if there is memory for them.
const SINCE_PER_SNAPSHOT: usize = 4;

/// An exporter whose answers depend on what it has accepted before: all payloads go to one instance,
/// one after the other.
///
/// When the instance is lost, another one is brought to the same state by a snapshot and the payloads
/// that were accepted after it, which the exporter takes to the same totals again (it is deterministic).
/// An older state would not do: a total that goes back is taken for a reset by the receiver.
pub(super) struct StatefulInstance {
    instance: Option<Instance>,
    /// The memory of the instance when it was made, in bytes: what its state takes is no garbage.
    memory_bytes_min: usize,
    snapshot: Vec<u8>,
    since: Vec<Taken>,
    since_bytes: usize,
    /// Whether the snapshot and the payloads since are all there was.
    is_complete: bool,
    is_closed: bool,
}

/// A payload that was accepted.
struct Taken {
    payload: Bytes,
    encoding: Encoding,
    now: u64,
}

impl StatefulInstance {
    /// The stateful form of an instance that has just been made; `None` if its configuration remembers nothing.
    pub fn new(mut instance: Instance) -> wasmtime::Result<Result<StatefulInstance, Instance>> {
        let snapshot = take_snapshot(&mut instance)?;
        if snapshot.is_empty() {
            return Ok(Err(instance));
        }
        Ok(Ok(StatefulInstance {
            memory_bytes_min: instance.memory_bytes(),
            instance: Some(instance),
            snapshot,
            since: Vec::new(),
            since_bytes: 0,
            is_complete: true,
            is_closed: false,
        }))
    }

    /// Has a payload translated.
    pub fn accept(
        &mut self,
        pool: &Pool,
        payload: Bytes,
        encoding: Encoding,
        now: u64,
    ) -> Result<Result<Acceptance, Refusal>, CallError> {
        if self.is_closed {
            return Err(CallError::Unavailable("it is stopping".to_owned()));
        }
        let instance = self.instance(pool)?;
        let taken = Taken { payload, encoding, now };
        let (result, instance) = pool.attempt(instance, |instance| taken.accept(instance))?;
        if result.is_ok() {
            self.since_bytes += taken.payload.len();
            self.since.push(taken);
        }
        self.put_back(pool, instance);
        Ok(result)
    }

    /// What the exporter remembers now.
    pub fn snapshot(&mut self, pool: &Pool) -> Result<&[u8], CallError> {
        let instance = self.instance(pool)?;
        let (snapshot, instance) = pool.attempt(instance, take_snapshot)?;
        self.replace_snapshot(snapshot);
        self.instance = Some(instance);
        Ok(&self.snapshot)
    }

    /// The last snapshot: nothing is accepted any more.
    pub fn close(&mut self, pool: &Pool) -> Result<&[u8], CallError> {
        self.is_closed = true;
        self.snapshot(pool)
    }

    /// Puts a snapshot of an earlier exporter in place of what this one remembers; the inner error is
    /// that the component does not take it.
    pub fn restore(
        &mut self,
        pool: &Pool,
        snapshot: &[u8],
        is_current: bool,
    ) -> Result<Result<(), String>, CallError> {
        let instance = self.instance(pool)?;
        let (restored, mut instance) =
            pool.attempt(instance, |instance| restore(instance, snapshot, is_current))?;
        if restored.is_ok() {
            let (snapshot, same) = pool.attempt(instance, take_snapshot)?;
            instance = same;
            self.replace_snapshot(snapshot);
            self.memory_bytes_min = instance.memory_bytes();
        }
        self.instance = Some(instance);
        Ok(restored)
    }

    /// The instance, made again if it was lost.
    fn instance(&mut self, pool: &Pool) -> Result<Instance, CallError> {
        if let Some(instance) = self.instance.take() {
            return Ok(instance);
        }
        let instance = match self.is_complete.then(|| self.repeat(pool)) {
            Some(Ok(instance)) => instance,
            _ => self.begin_anew(pool)?,
        };
        self.memory_bytes_min = instance.memory_bytes();
        Ok(instance)
    }

    /// Brings a fresh instance to the state that the lost one had.
    fn repeat(&self, pool: &Pool) -> Result<Instance, CallError> {
        let (restored, mut instance) =
            pool.attempt(pool.fresh()?, |instance| restore(instance, &self.snapshot, true))?;
        restored.map_err(CallError::Unavailable)?;
        for taken in &self.since {
            (_, instance) = pool.attempt(instance, |instance| taken.accept(instance))?;
        }
        Ok(instance)
    }

    /// Brings a fresh instance to a state that is no longer complete.
    fn begin_anew(&mut self, pool: &Pool) -> Result<Instance, CallError> {
        if let Some(suppressed) = pool.allow("forgotten") {
            tracing::warn!(
                suppressed,
                "what the exporter remembered is lost in part: counters of delta metrics begin anew"
            );
        }
        let (restored, instance) =
            pool.attempt(pool.fresh()?, |instance| restore(instance, &self.snapshot, false))?;
        restored.map_err(CallError::Unavailable)?;
        let (snapshot, instance) = pool.attempt(instance, take_snapshot)?;
        self.replace_snapshot(snapshot);
        self.is_complete = true;
        Ok(instance)
    }

    /// Keeps the instance for the next call, unless its memory has grown too much; and takes a snapshot
    /// when there are too many payloads to repeat.
    fn put_back(&mut self, pool: &Pool, instance: Instance) {
        let grown = instance.memory_bytes().saturating_sub(self.memory_bytes_min);
        let is_large = grown > pool.recycle_above_bytes();
        if !is_large && self.since_bytes <= pool.kept_bytes(self.snapshot.len() * SINCE_PER_SNAPSHOT) {
            self.instance = Some(instance);
            return;
        }
        match pool.attempt(instance, take_snapshot) {
            Ok((snapshot, instance)) => {
                self.replace_snapshot(snapshot);
                self.instance = (!is_large).then_some(instance);
                if is_large {
                    pool.count_recycled();
                }
            }
            // It was logged. Without a snapshot the payloads cannot be kept for ever.
            Err(_) => {
                self.forget_payloads();
                self.is_complete = false;
            }
        }
    }

    fn replace_snapshot(&mut self, snapshot: Vec<u8>) {
        self.snapshot = snapshot;
        self.forget_payloads();
    }

    fn forget_payloads(&mut self) {
        self.since.clear();
        self.since_bytes = 0;
    }
}

impl Taken {
    fn accept(&self, instance: &mut Instance) -> wasmtime::Result<Result<Acceptance, Refusal>> {
        accept(instance, &self.payload, self.encoding, self.now)
    }
}

/// Has an instance translate a payload.
pub(super) fn accept(
    instance: &mut Instance,
    payload: &[u8],
    encoding: Encoding,
    now: u64,
) -> wasmtime::Result<Result<Acceptance, Refusal>> {
    let (guest, store, exporter) = instance.parts();
    Ok(convert::outcome(guest.exporter().call_accept(store, exporter, payload, encoding.into(), now)?))
}

fn take_snapshot(instance: &mut Instance) -> wasmtime::Result<Vec<u8>> {
    let (guest, store, exporter) = instance.parts();
    guest.exporter().call_snapshot(store, exporter)
}

fn restore(
    instance: &mut Instance,
    snapshot: &[u8],
    is_current: bool,
) -> wasmtime::Result<Result<(), String>> {
    let (guest, store, exporter) = instance.parts();
    guest.exporter().call_restore(store, exporter, snapshot, is_current)
}
