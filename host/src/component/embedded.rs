//! The component that was built into this program, as WebAssembly and as machine code.

use super::{LoadError, engine};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The component; empty if it was not built when the host was.
const WASM: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_WASM"));

/// The same, compiled ahead of time; empty if that was not done.
const MACHINE_CODE: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_CWASM"));

/// Loads the component that was built into this program.
///
/// The code compiled ahead of time is used if it fits this machine (a fraction of a millisecond);
/// otherwise the component is compiled now (tens of milliseconds), which is logged.
///
/// # Errors
///
/// When the program was built without the component, or the engine cannot be set up.
pub fn load() -> Result<Component, LoadError> {
    let engine = engine::engine()?;
    if WASM.is_empty() {
        return Err(LoadError::Missing);
    }
    if let Some(component) = load_machine_code(&engine, MACHINE_CODE) {
        return Ok(component);
    }
    Component::new(&engine, WASM).map_err(|error| LoadError::Compile(format!("{error:#}")))
}

/// The machine code as a component, unless it is of another machine or version of wasmtime.
fn load_machine_code(engine: &Engine, code: &'static [u8]) -> Option<Component> {
    if code.is_empty() {
        tracing::info!("compiling the component: this program was built without precompiled code");
        return None;
    }
    // SAFETY: `deserialize` runs what it is given as machine code, so the bytes must come from a
    // `precompile_component`. These were written by `preamp-precompile` when this program was built
    // and are part of it since: whoever can change them can change the program as well. Whether
    // they fit this engine and this processor is checked by wasmtime.
    #[allow(unsafe_code)]
    let loaded = unsafe { Component::deserialize(engine, code) };
    loaded
        .inspect_err(|error| {
            tracing::warn!(
                reason = format!("{error:#}"),
                "compiling the component: the precompiled code does not fit this machine"
            );
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::load_machine_code;
    use crate::component::engine;

    /// Magic number and version of the binary format, and nothing else.
    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn code_of_another_kind_of_engine_is_refused() {
        let mut other = engine::config();
        other.epoch_interruption(true);
        let other = wasmtime::Engine::new(&other).unwrap();
        let code = other.precompile_component(EMPTY_COMPONENT).unwrap();
        assert!(load_machine_code(&engine::engine().unwrap(), code.leak()).is_none());
    }

    #[test]
    fn code_of_this_kind_of_engine_is_taken() {
        let code = engine::precompile(EMPTY_COMPONENT).unwrap();
        assert!(load_machine_code(&engine::engine().unwrap(), code.leak()).is_some());
    }
}
