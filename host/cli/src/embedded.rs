//! The component that was built into this program, as WebAssembly and as machine code.

use preamp_bundle::Parts;
use preamp_wasm::{Component, LoadError};

/// The component; empty if it was not built when the program was.
const WASM: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_WASM"));

/// The same, compiled ahead of time; empty if that was not done.
const MACHINE_CODE: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_CWASM"));

/// The other parts of a gateway; empty if they were not built.
const DRIVER: &[u8] = include_bytes!(env!("PREAMP_EDGE_DRIVER_WASM"));
const CREDENTIALS: &[u8] = include_bytes!(env!("PREAMP_EDGE_CREDENTIALS_WASM"));

/// The parts of a gateway.
///
/// # Errors
///
/// When the program was built without them.
pub fn gateway_parts() -> anyhow::Result<Parts<'static>> {
    let parts = Parts { driver: DRIVER, credentials: CREDENTIALS, core: WASM };
    anyhow::ensure!(
        [DRIVER, CREDENTIALS, WASM].iter().all(|part| !part.is_empty()),
        "this program was built without the parts of a gateway: build it with ./build.sh host"
    );
    Ok(parts)
}

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
