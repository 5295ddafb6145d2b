//! Rust bindings of the contract, generated from `wit/exporter.wit`.

// The generated items carry the contract's own documentation, but not each of their methods does.
#![allow(missing_docs)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "exporter",
});
