//! How wasmtime is set up, for compiling ahead of time and for running alike.

use super::LoadError;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The most instances of all exporters of one engine. A slot costs address space, not memory.
const INSTANCES_MAX: u32 = 256;

/// The most linear memory any instance can be given, in bytes. What it may use is set for each
/// exporter ([`PoolLimits`](super::PoolLimits)).
const LINEAR_MEMORY_MAX: usize = 4 << 30;

/// The configuration that precompiled code and the engine running it must share.
///
/// Neither epochs nor fuel: their checks cost 30 to 55 % in the byte loops the component lives in,
/// and its work is linear in payloads whose size the host caps. Memory is limited for each instance,
/// and slow calls are reported ([`ExporterPool`](super::ExporterPool)).
///
/// The reservation of 4 GiB for each memory stays as it is by default, since anything smaller
/// brings explicit bounds checks. Concurrency support is off: a call then costs 0.1 µs, not 0.4.
#[must_use]
pub fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // The component has one memory and one table, in up to three core instances: module and shims.
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * 3)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX * 2)
        .max_memory_size(LINEAR_MEMORY_MAX);
    let mut config = Config::new();
    config.concurrency_support(false).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// An engine of [`config`].
///
/// # Errors
///
/// When the address space for the instances cannot be reserved.
pub fn engine() -> Result<Engine, LoadError> {
    Engine::new(&config()).map_err(|error| LoadError::AddressSpace(format!("{error:#}")))
}

/// Compiles a component ahead of time, for engines of [`config`] on this kind of machine.
///
/// # Errors
///
/// When the bytes are not a component that can be compiled.
pub fn precompile(wasm: &[u8]) -> Result<Vec<u8>, LoadError> {
    engine()?.precompile_component(wasm).map_err(|error| LoadError::Compile(format!("{error:#}")))
}
