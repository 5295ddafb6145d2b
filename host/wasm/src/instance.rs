//! One instance of the component with one open exporter in it.

use super::bindings::{self, exports::preamp::exporter::remote_write::Guest};
use super::convert;
use super::counters::Counters;
use super::{CallError, OpenError, PoolLimits};
use preamp_contract::Limits;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use wasmtime::component::{Component, Linker, ResourceAny};
use wasmtime::{ResourceLimiter, Store};

/// What wasmtime says when a call returns more than it may.
const RESULT_TOO_LARGE: &str = "fuel allocated for hostcalls has been exhausted";

/// What instances are made from.
pub(super) struct Template {
    prepared: bindings::ExporterPre<MemoryMeter>,
    configuration: String,
    memory_bytes_max: usize,
    result_bytes_max: usize,
}

impl Template {
    pub(super) fn new(
        component: &Component,
        configuration: &str,
        limits: &PoolLimits,
    ) -> Result<Template, OpenError> {
        // The linker stays empty: the component imports nothing.
        let prepared = Linker::new(component.engine())
            .instantiate_pre(component)
            .and_then(bindings::ExporterPre::new)
            .map_err(broken)?;
        Ok(Template {
            prepared,
            configuration: configuration.to_owned(),
            memory_bytes_max: limits.memory_bytes_max,
            result_bytes_max: limits.result_bytes_max,
        })
    }

    /// A new instance whose exporter is open.
    pub(super) fn instantiate(&self, counters: &Arc<Counters>) -> Result<Instance, OpenError> {
        let (mut store, world) = self.start()?;
        let opened =
            world.preamp_exporter_remote_write().exporter().call_open(&mut store, &self.configuration);
        let exporter =
            opened.map_err(broken)?.map_err(|problems| OpenError::Configuration(convert::all(problems)))?;
        counters.created.fetch_add(1, Relaxed);
        counters.live.fetch_add(1, Relaxed);
        Ok(Instance { store, world, exporter, counters: counters.clone() })
    }

    /// A new instance without an exporter, and the store to call it with.
    fn start(&self) -> Result<(Store<MemoryMeter>, bindings::Exporter), OpenError> {
        let meter = MemoryMeter { used: 0, limit: self.memory_bytes_max, refused: false };
        let mut store = Store::new(self.prepared.engine(), meter);
        store.limiter(|meter| meter);
        store.set_hostcall_fuel(self.result_bytes_max);
        let world = self.prepared.instantiate(&mut store).map_err(broken)?;
        Ok((store, world))
    }
}

fn broken(error: wasmtime::Error) -> OpenError {
    OpenError::Component(format!("{error:#}"))
}

/// The JSON Schema of the component's configuration.
///
/// # Errors
///
/// The component does not come up.
pub fn describe(component: &Component) -> Result<String, OpenError> {
    let (mut store, world) = Template::new(component, "", &PoolLimits::default())?.start()?;
    world.preamp_exporter_remote_write().call_describe(&mut store).map_err(broken)
}

/// One instance. Calls on it must not overlap, which `&mut` sees to.
pub(super) struct Instance {
    store: Store<MemoryMeter>,
    world: bindings::Exporter,
    exporter: ResourceAny,
    counters: Arc<Counters>,
}

impl Instance {
    /// The interface of the contract, the store to call it with, and the exporter to call it on.
    pub(super) fn parts(&mut self) -> (&Guest, &mut Store<MemoryMeter>, ResourceAny) {
        (self.world.preamp_exporter_remote_write(), &mut self.store, self.exporter)
    }

    /// What the receiver takes.
    pub(super) fn limits(&mut self) -> wasmtime::Result<Limits> {
        let (guest, store, exporter) = self.parts();
        Ok(guest.exporter().call_limits(store, exporter)?.into())
    }

    /// Lets it have so much linear memory from now on, in bytes, and what it has already.
    pub(super) fn limit_memory(&mut self, bytes: usize) {
        let meter = self.store.data_mut();
        meter.limit = bytes.max(meter.used);
    }

    /// Linear memory, in bytes. It never shrinks.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().used
    }

    /// What a trap in this instance means.
    pub(super) fn explain(&self, trap: &wasmtime::Error) -> CallError {
        let meter = self.store.data();
        if meter.refused {
            return CallError::OutOfMemory { limit_bytes: meter.limit };
        }
        let cause = trap.root_cause().to_string();
        // The type of this error is private to wasmtime; a test holds its text.
        if cause.contains(RESULT_TOO_LARGE) {
            return CallError::ResultTooLarge { limit_bytes: self.store.hostcall_fuel() };
        }
        CallError::Trapped(cause)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.counters.live.fetch_sub(1, Relaxed);
    }
}

/// Counts and limits the linear memory of an instance.
pub(super) struct MemoryMeter {
    used: usize,
    limit: usize,
    refused: bool,
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used + desired.saturating_sub(current);
        if used > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
