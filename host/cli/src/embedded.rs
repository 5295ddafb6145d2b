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
    // SAFETY: `preamp-precompile` wrote the machine code when this program was built, and it is part of the program file:
    // an attacker who can change it can change the program itself.
    #[allow(unsafe_code)]
    unsafe {
        preamp_wasm::load(WASM, MACHINE_CODE)
    }
}
