//! The component that was built into this program, as WebAssembly and as machine code.

use preamp_bundle::Parts;
use preamp_wasm::{Component, LoadError};

/// The component; empty if it was not built when the program was.
const WASM: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_WASM"));

/// The same, compiled ahead of time; empty if that was not done.
const MACHINE_CODE: &[u8] = include_bytes!(env!("PREAMP_COMPONENT_CWASM"));

/// The other parts of a gateway on WASI 0.2; empty if they were not built.
const HTTP_0_2: Parts<'static> = Parts {
    driver: include_bytes!(env!("PREAMP_EDGE_DRIVER_0_2_WASM")),
    credentials: include_bytes!(env!("PREAMP_EDGE_CREDENTIALS_0_2_WASM")),
    core: WASM,
};

/// The same on WASI 0.3.
const HTTP_0_3: Parts<'static> = Parts {
    driver: include_bytes!(env!("PREAMP_EDGE_DRIVER_0_3_WASM")),
    credentials: include_bytes!(env!("PREAMP_EDGE_CREDENTIALS_0_3_WASM")),
    core: WASM,
};

/// What a gateway runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum World {
    /// `wasi:http` 0.2, which every runtime of components has: an instance has one request at a time
    #[value(name = "http-0.2")]
    Http02,
    /// `wasi:http` 0.3: an instance has several requests at a time, and a trap ends all of them
    #[value(name = "http-0.3")]
    Http03,
}

/// The parts of a gateway.
///
/// # Errors
///
/// When the program was built without them.
pub fn gateway_parts(world: World) -> anyhow::Result<Parts<'static>> {
    let parts = match world {
        World::Http02 => HTTP_0_2,
        World::Http03 => HTTP_0_3,
    };
    anyhow::ensure!(
        [parts.driver, parts.credentials, parts.core].iter().all(|part| !part.is_empty()),
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
