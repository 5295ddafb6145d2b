//! Tells the host where the component lies that is built into it.
//!
//! `./build.sh component` writes `preamp.wasm`, `preamp.cwasm` and the parts of a gateway to `target/component` of the
//! workspace; `PREAMP_COMPONENT_DIR` names another folder. Without them the host builds as well,
//! since the program that makes the second from the first is part of it, but cannot run.

use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=PREAMP_COMPONENT_DIR");
    let folder = component_folder();
    let wasm = folder.join("preamp.wasm");
    let machine_code = folder.join("preamp.cwasm");
    for file in [&wasm, &machine_code] {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    if !wasm.exists() {
        println!("cargo::warning=there is no {}: run `./build.sh component` first", wasm.display());
    }
    println!("cargo::rustc-env=PREAMP_COMPONENT_DIGEST={}", digest(&wasm)?);
    // Machine code of an older component would run in place of the newer one.
    let fresh = modified(&machine_code) >= modified(&wasm);
    embed("PREAMP_COMPONENT_WASM", &wasm, true)?;
    for (variable, name) in [
        ("PREAMP_EDGE_DRIVER_0_2_WASM", "edge-driver-0.2.wasm"),
        ("PREAMP_EDGE_DRIVER_0_3_WASM", "edge-driver-0.3.wasm"),
        ("PREAMP_EDGE_CREDENTIALS_0_2_WASM", "edge-credentials-0.2.wasm"),
        ("PREAMP_EDGE_CREDENTIALS_0_3_WASM", "edge-credentials-0.3.wasm"),
    ] {
        let file = folder.join(name);
        println!("cargo::rerun-if-changed={}", file.display());
        embed(variable, &file, true)?;
    }
    embed("PREAMP_COMPONENT_CWASM", &machine_code, fresh)
}

fn component_folder() -> PathBuf {
    match env::var_os("PREAMP_COMPONENT_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../target/component")
        }
    }
}

/// What `preamp --version` says of the component, so that anybody can compare it with a released file.
fn digest(wasm: &Path) -> io::Result<String> {
    if !wasm.exists() {
        return Ok("none".to_owned());
    }
    let digest: [u8; 32] = Sha256::digest(fs::read(wasm)?).into();
    Ok(digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}")))
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// Sets a variable for `include_bytes!(env!(…))` to the file, or to an empty one in its place.
fn embed(variable: &str, file: &Path, usable: bool) -> io::Result<()> {
    let embedded = if usable && file.exists() {
        file.canonicalize()?
    } else {
        let empty = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(variable);
        fs::write(&empty, [])?;
        empty
    };
    println!("cargo::rustc-env={variable}={}", embedded.display());
    Ok(())
}
