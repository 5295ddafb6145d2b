//! The component that was built into this program, as WebAssembly and as machine code.

use preamp_wasm::{Component, LoadError};

/// The component; empty if it was not built when the program was.
const WASM: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_WASM"));

/// The same, compiled ahead of time; empty if that was not done.
const MACHINE_CODE: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_CWASM"));

/// Loads the component that was built into this program.
///
/// # Errors
///
/// When the program was built without the component, or the engine cannot be set up.
pub fn load() -> Result<Component, LoadError> {
    // SAFETY: the machine code was written by `preamp-precompile` when this program was built, and is part of it since:
    // whoever can change it can change the program as well.
    #[allow(unsafe_code)]
    unsafe {
        preamp_wasm::load(WASM, MACHINE_CODE)
    }
}
