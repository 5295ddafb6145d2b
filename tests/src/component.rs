//! One instance of the component, called directly: what the host's pool adds stays out of the
//! measurement, and a test sees what the component itself says.

#![allow(missing_docs, reason = "generated from the contract, where its items are documented")]

use wasmtime::Store;
use wasmtime::component::{Component, Linker, ResourceAny};

use exports::preamp::exporter::remote_write::Guest;

wasmtime::component::bindgen!({ path: "../wit", world: "exporter" });

pub use exports::preamp::exporter::remote_write as contract;

/// An instance with one open exporter.
pub struct Instance {
    store: Store<()>,
    world: Exporter,
    exporter: ResourceAny,
}

impl Instance {
    /// Makes an instance and opens an exporter in it.
    ///
    /// # Errors
    ///
    /// When the component is not of the contract, imports something, traps, or refuses the
    /// configuration.
    pub fn open(component: &Component, configuration: &str) -> anyhow::Result<Instance> {
        let mut store = Store::new(component.engine(), ());
        let world =
            Exporter::instantiate(&mut store, component, &Linker::new(component.engine())).map_err(trap)?;
        let opened = world
            .preamp_exporter_remote_write()
            .exporter()
            .call_open(&mut store, configuration)
            .map_err(trap)?;
        let exporter = opened.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        Ok(Instance { store, world, exporter })
    }

    /// Takes one protobuf payload.
    ///
    /// # Errors
    ///
    /// When the component traps.
    pub fn accept(
        &mut self,
        payload: &[u8],
        now: u64,
    ) -> anyhow::Result<Result<contract::Acceptance, contract::Refusal>> {
        self.accept_as(payload, contract::Encoding::Protobuf, now)
    }

    /// Takes one payload.
    ///
    /// # Errors
    ///
    /// When the component traps.
    pub fn accept_as(
        &mut self,
        payload: &[u8],
        encoding: contract::Encoding,
        now: u64,
    ) -> anyhow::Result<Result<contract::Acceptance, contract::Refusal>> {
        let (guest, store, exporter) = self.parts();
        guest.exporter().call_accept(store, exporter, payload, encoding, now).map_err(trap)
    }

    /// The interface of the contract, the store to call it with, and the exporter to call it on.
    pub fn parts(&mut self) -> (&Guest, &mut Store<()>, ResourceAny) {
        (self.world.preamp_exporter_remote_write(), &mut self.store, self.exporter)
    }
}

/// wasmtime's error as one that can be passed on.
pub fn trap(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
