//! Where a component comes from: bytes of WebAssembly, machine code that was made of them, or a file.

use crate::{LoadError, engine};
use std::path::Path;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiles a component from the bytes of WebAssembly, which takes a second or so.
///
/// # Errors
///
/// When the bytes are not a component, or the engine cannot be set up.
pub fn compile(wasm: &[u8]) -> Result<Component, LoadError> {
    compile_for(&engine::engine()?, wasm)
}

/// Loads a component of which machine code was made when the program was built
/// ([`precompile`](engine::precompile)): a fraction of a millisecond, if that fits this machine. Otherwise the component
/// is compiled now, which is logged.
///
/// # Errors
///
/// When there are no bytes, they are not a component, or the engine cannot be set up.
///
/// # Safety
///
/// `machine_code` is run as it is. It must be empty, or what [`precompile`](engine::precompile) has made.
#[allow(unsafe_code)]
pub unsafe fn load(wasm: &[u8], machine_code: &[u8]) -> Result<Component, LoadError> {
    let engine = engine::engine()?;
    if wasm.is_empty() {
        return Err(LoadError::Missing);
    }
    // SAFETY: the caller vouches for the code.
    match unsafe { deserialize(&engine, machine_code) } {
        Some(component) => Ok(component),
        None => compile_for(&engine, wasm),
    }
}

/// Loads a component from a WebAssembly file and compiles it for this machine.
///
/// # Errors
///
/// When the file cannot be read, or holds no component.
pub fn load_file(path: &Path) -> Result<Component, LoadError> {
    let failed = |error| LoadError::File { path: path.to_owned(), error };
    let wasm = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    Component::new(&engine::engine()?, wasm).map_err(|error| failed(format!("{error:#}")))
}

fn compile_for(engine: &Engine, wasm: &[u8]) -> Result<Component, LoadError> {
    Component::new(engine, wasm).map_err(|error| LoadError::Compile(format!("{error:#}")))
}

/// The machine code as a component, unless it is of another machine or version of wasmtime.
///
/// # Safety
///
/// As for [`load`].
#[allow(unsafe_code)]
unsafe fn deserialize(engine: &Engine, machine_code: &[u8]) -> Option<Component> {
    if machine_code.is_empty() {
        tracing::info!("compiling the component: this program was built without precompiled code");
        return None;
    }
    // SAFETY: the caller vouches for the code. Whether it fits this engine and this processor is checked by wasmtime.
    let loaded = unsafe { Component::deserialize(engine, machine_code) };
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
#[allow(unsafe_code)]
mod tests {
    use super::deserialize;
    use crate::engine;

    /// Magic number and version of the binary format, and nothing else.
    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn code_of_another_kind_of_engine_is_refused() {
        let mut other = engine::config();
        other.epoch_interruption(true);
        let other = wasmtime::Engine::new(&other).unwrap();
        let code = other.precompile_component(EMPTY_COMPONENT).unwrap();
        // SAFETY: wasmtime has just made it.
        assert!(unsafe { deserialize(&engine::engine().unwrap(), &code) }.is_none());
    }

    #[test]
    fn code_of_this_kind_of_engine_is_taken() {
        let code = engine::precompile(EMPTY_COMPONENT).unwrap();
        // SAFETY: wasmtime has just made it.
        assert!(unsafe { deserialize(&engine::engine().unwrap(), &code) }.is_some());
    }
}
