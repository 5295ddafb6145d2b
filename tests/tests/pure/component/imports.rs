//! The component as it is shipped: it imports nothing, exports the contract, and stays small.

use std::path::Path;

use anyhow::Context as _;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem};

/// The most the component may weigh, in bytes.
const SIZE_MAX: usize = 575_000;

const INTERFACE: &str = "preamp:exporter/remote-write@0.2.0";

fn component() -> anyhow::Result<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/component/preamp.wasm");
    std::fs::read(&path).with_context(|| format!("{}: run `./build.sh component`", path.display()))
}

fn world_of(component: &[u8]) -> anyhow::Result<(Resolve, WorldId)> {
    match decode(component)? {
        DecodedWasm::Component(resolve, world) => Ok((resolve, world)),
        DecodedWasm::WitPackage(..) => anyhow::bail!("this is a WIT package, not a component"),
    }
}

#[test]
fn the_component_imports_nothing() -> anyhow::Result<()> {
    let (resolve, world) = world_of(&component()?)?;
    let imports: Vec<_> =
        resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key)).collect();
    assert_eq!(imports, [""; 0]);
    Ok(())
}

#[test]
fn the_component_exports_the_contract_and_nothing_else() -> anyhow::Result<()> {
    let (resolve, world) = world_of(&component()?)?;
    let exports = &resolve.worlds[world].exports;
    let names: Vec<_> = exports.keys().map(|key| resolve.name_world_key(key)).collect();
    assert_eq!(names, [INTERFACE]);

    let mut contract = Resolve::default();
    contract.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))?;
    let (_, written) = contract.interfaces.iter().next().context("the contract has no interface")?;
    let Some(WorldItem::Interface { id, .. }) = exports.values().next() else {
        anyhow::bail!("{INTERFACE} is not an interface");
    };
    let built = &resolve.interfaces[*id];
    let sorted = |names: Vec<&String>| {
        let mut names: Vec<_> = names.into_iter().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(sorted(built.functions.keys().collect()), sorted(written.functions.keys().collect()));
    assert_eq!(sorted(built.types.keys().collect()), sorted(written.types.keys().collect()));
    Ok(())
}

#[test]
fn the_component_is_small() -> anyhow::Result<()> {
    let size = component()?.len();
    assert!(size <= SIZE_MAX, "the component has {size} bytes, more than {SIZE_MAX}");
    Ok(())
}

/// Paths of the machine it was built on would make the component differ from machine to machine.
#[test]
fn the_component_holds_no_path_of_this_machine() -> anyhow::Result<()> {
    let component = component()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("tests has no parent")?;
    let home = std::env::home_dir().unwrap_or_default();
    for path in [root, home.as_path()].map(Path::to_string_lossy) {
        let found = component.windows(path.len().max(1)).any(|window| window == path.as_bytes());
        assert!(!found, "{path} is in the component");
    }
    Ok(())
}
