//! Compiles the component to machine code, so that the host starts without compiling.

use anyhow::{Context as _, bail};
use preamp_wasm::engine::precompile;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [wasm, machine_code] = arguments.as_slice() else {
        bail!("usage: preamp-precompile COMPONENT.wasm MACHINE_CODE.cwasm");
    };
    let component = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let compiled = precompile(&component).with_context(|| wasm.display().to_string())?;
    fs::write(machine_code, compiled).with_context(|| format!("cannot write {}", machine_code.display()))
}
