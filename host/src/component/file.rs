//! A component that stands in a file: another version of the one built in, to be compared with it.

use super::{LoadError, engine};
use std::path::Path;
use wasmtime::component::Component;

/// Loads a component from a WebAssembly file and compiles it for this machine, which takes a second
/// or so.
///
/// # Errors
///
/// When the file cannot be read, or holds no component.
pub fn load_file(path: &Path) -> Result<Component, LoadError> {
    let wasm = std::fs::read(path)
        .map_err(|error| LoadError::File { path: path.to_owned(), error: error.to_string() })?;
    Component::new(&engine::engine()?, wasm)
        .map_err(|error| LoadError::File { path: path.to_owned(), error: format!("{error:#}") })
}
