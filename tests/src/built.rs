//! The component that `./build.sh component` has built.

use preamp_wasm::{Component, LoadError};
use std::fs;
use std::path::{Path, PathBuf};

/// Loads it, with the machine code that was made of it.
///
/// # Errors
///
/// When it was not built, or the engine cannot be set up.
pub fn load() -> Result<Component, LoadError> {
    let (wasm, machine_code) = (folder().join("preamp.wasm"), folder().join("preamp.cwasm"));
    let read = |path: &Path| fs::read(path).unwrap_or_default();
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    // Machine code of an older component would run in place of the newer one.
    let is_fresh = modified(&machine_code) >= modified(&wasm);
    let machine_code = if is_fresh { read(&machine_code) } else { Vec::new() };
    // SAFETY: `./build.sh` wrote the code with `preamp-precompile`, into a folder of this user.
    #[allow(unsafe_code)]
    unsafe {
        preamp_wasm::load(&read(&wasm), &machine_code)
    }
}

/// Where it lies.
#[must_use]
pub fn folder() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/component");
    std::env::var_os("PREAMP_COMPONENT_DIR").map_or_else(usual, PathBuf::from)
}
