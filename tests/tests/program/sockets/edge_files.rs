//! What is in `deploy/edge`, for runtimes that cannot be had here: the files have no key but those that the runtimes know, and
//! a gateway asks for nothing but what they offer.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::bundling::imports_and_exports;
use anyhow::{Context as _, ensure};
use preamp_tests::children::{fetched, program};
use preamp_tests::gateway::{World, bundle};
use preamp_tests::running::signing;
use serde_json::Value;

/// The endpoint that the files let through.
const ENDPOINT: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

/// Prints a file of TOML or YAML as JSON. Python has TOML since 3.11, and its pip had it before.
const AS_JSON: &str = "
import json, sys, yaml
try:
    import tomllib
except ModuleNotFoundError:
    from pip._vendor import tomli as tomllib
path = sys.argv[1]
with open(path, 'rb') as file:
    json.dump(tomllib.load(file) if path.endswith('.toml') else yaml.safe_load(file), sys.stdout)
";

/// The keys of Spin's manifest, version 2, that a gateway can have a use for (Spin 4.1, `crates/manifest/src/schema/v2.rs`; others
/// are refused there). `*` is a name of one's own.
const SPIN_KEYS: [&str; 16] = [
    "spin_manifest_version",
    "application",
    "application.name",
    "application.version",
    "application.description",
    "trigger",
    "trigger.http",
    "trigger.http.route",
    "trigger.http.component",
    "component",
    "component.*",
    "component.*.source",
    "component.*.description",
    "component.*.allowed_outbound_hosts",
    "component.*.environment",
    "component.*.environment.*",
];

/// What Spin 4.1 offers (its `wit/world.wit`): `platform`, as far as WASI goes.
const SPIN: [&str; 19] = [
    "wasi:cli/environment@0.2.6",
    "wasi:cli/stderr@0.2.6",
    "wasi:clocks/monotonic-clock@0.2.6",
    "wasi:clocks/wall-clock@0.2.6",
    "wasi:http/outgoing-handler@0.2.6",
    "wasi:http/types@0.2.6",
    "wasi:io/error@0.2.6",
    "wasi:io/poll@0.2.6",
    "wasi:io/streams@0.2.6",
    "wasi:random/random@0.2.6",
    "wasi:cli/environment@0.3.0",
    "wasi:cli/stderr@0.3.0",
    "wasi:cli/stdin@0.3.0",
    "wasi:cli/types@0.3.0",
    "wasi:clocks/monotonic-clock@0.3.0",
    "wasi:clocks/system-clock@0.3.0",
    "wasi:clocks/types@0.3.0",
    "wasi:http/client@0.3.0",
    "wasi:http/types@0.3.0",
];

/// What Spin's trigger calls: `http-trigger`, and the world of 0.2 beside it (`crates/http/src/trigger.rs`).
const SPIN_CALLS: [&str; 2] = ["wasi:http/incoming-handler@0.2", "wasi:http/handler@0.3"];

/// The keys of a WorkloadDeployment that a gateway can have a use for (wasmCloud 2.7, the custom resource definition in
/// `charts/runtime-operator/crds`; the API server drops or refuses others).
const WASMCLOUD_KEYS: [&str; 31] = [
    "apiVersion",
    "kind",
    "metadata",
    "metadata.name",
    "metadata.namespace",
    "spec",
    "spec.replicas",
    "spec.template",
    "spec.template.spec",
    "spec.template.spec.hostSelector",
    "spec.template.spec.hostSelector.*",
    "spec.template.spec.hostInterfaces",
    "spec.template.spec.hostInterfaces.namespace",
    "spec.template.spec.hostInterfaces.package",
    "spec.template.spec.hostInterfaces.interfaces",
    "spec.template.spec.hostInterfaces.config",
    "spec.template.spec.hostInterfaces.config.*",
    "spec.template.spec.components",
    "spec.template.spec.components.name",
    "spec.template.spec.components.image",
    "spec.template.spec.components.imagePullPolicy",
    "spec.template.spec.components.poolSize",
    "spec.template.spec.components.maxConcurrency",
    "spec.template.spec.components.maxInvocations",
    "spec.template.spec.components.localResources",
    "spec.template.spec.components.localResources.allowedHosts",
    "spec.template.spec.components.localResources.environment",
    "spec.template.spec.components.localResources.environment.config",
    "spec.template.spec.components.localResources.environment.config.*",
    "spec.template.spec.components.localResources.environment.secretFrom",
    "spec.template.spec.components.localResources.environment.secretFrom.name",
];

/// What is in a file.
fn read(name: &str) -> anyhow::Result<Value> {
    let python = program("PREAMP_PYTHON", fetched("python/bin/python"))?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/edge").join(name);
    let output = Command::new(python).args(["-c", AS_JSON]).arg(file).output()?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The keys of a value with all that is in it, which stand below the parents. Lists have none of their own.
fn keys(value: &Value, parents: &str, known: &[&str], found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let below = |name: &str| {
                    if parents.is_empty() { name.to_owned() } else { format!("{parents}.{name}") }
                };
                let any = below("*");
                let key = if known.contains(&&*any) { any } else { below(name) };
                keys(value, &key, known, found);
                found.insert(key);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, parents, known, found)),
        _ => {}
    }
}

fn ensure_known(value: &Value, known: &[&str]) -> anyhow::Result<()> {
    let mut found = BTreeSet::new();
    keys(value, "", known, &mut found);
    let unknown: Vec<_> = found.iter().filter(|key| !known.contains(&key.as_str())).collect();
    ensure!(!found.is_empty() && unknown.is_empty(), "{unknown:?}");
    Ok(())
}

/// Scheme and host of the endpoint: what a gateway must be let through to.
fn host_of_endpoint() -> anyhow::Result<String> {
    let (scheme, rest) = ENDPOINT.split_once("://").context("a scheme")?;
    Ok(format!("{scheme}://{}", rest.split('/').next().unwrap_or_default()))
}

/// Whether a host of one version of an interface has what another one asks for: the same, or a later patch.
fn offers(offered: &str, wanted: &str) -> bool {
    let parts = |name: &str| {
        let (interface, version) = name.split_once('@')?;
        let (line, patch) = version.rsplit_once('.')?;
        Some((format!("{interface}@{line}"), patch.parse::<u32>().ok()?))
    };
    match (parts(offered), parts(wanted)) {
        (Some((offered, has)), Some((wanted, needs))) => offered == wanted && has >= needs,
        _ => false,
    }
}

#[test]
fn spin_knows_the_keys_of_its_manifest() -> anyhow::Result<()> {
    let manifest = read("spin.toml")?;
    ensure_known(&manifest, &SPIN_KEYS)?;
    ensure!(manifest["spin_manifest_version"] == 2, "{manifest}");
    let trigger = &manifest["trigger"]["http"][0];
    ensure!(trigger["route"] == "/v1/metrics", "{trigger}");
    let component = &manifest["component"][trigger["component"].as_str().context("a component")?];
    ensure!(component["source"] == "gateway.wasm", "{component}");
    ensure!(component["allowed_outbound_hosts"] == serde_json::json!([host_of_endpoint()?]), "{component}");
    Ok(())
}

#[test]
fn wasmcloud_knows_the_keys_of_its_manifest() -> anyhow::Result<()> {
    let manifest = read("wasmcloud.yaml")?;
    ensure_known(&manifest, &WASMCLOUD_KEYS)?;
    ensure!(manifest["apiVersion"] == "runtime.wasmcloud.dev/v1alpha1", "{manifest}");
    ensure!(manifest["kind"] == "WorkloadDeployment", "{manifest}");
    let spec = &manifest["spec"]["template"]["spec"];
    // These are required.
    for (list, required) in
        [("hostInterfaces", &["namespace", "package", "interfaces"][..]), ("components", &["name", "image"])]
    {
        for one in spec[list].as_array().context(list)? {
            ensure!(required.iter().all(|key| !one[*key].is_null()), "{list}: {one}");
        }
    }
    let resources = &spec["components"][0]["localResources"];
    ensure!(resources["allowedHosts"] == serde_json::json!([host_of_endpoint()?]), "{resources}");
    ensure!(resources["environment"]["secretFrom"][0]["name"].is_string(), "{resources}");
    Ok(())
}

/// wasmCloud links all of wasmtime's WASI, in which nothing of these lists is missing: so it is enough to look at Spin.
#[test]
fn a_gateway_asks_for_nothing_but_what_spin_offers() -> anyhow::Result<()> {
    for world in [World::Http02, World::Http03] {
        let folder = tempfile::tempdir()?;
        let (gateway, output) = bundle(&signing("eu-west-1", "", ENDPOINT, ""), world, folder.path())?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (imports, exports) = imports_and_exports(&std::fs::read(gateway)?)?;
        let missing: Vec<_> =
            imports.iter().filter(|import| !SPIN.iter().any(|offered| offers(offered, import))).collect();
        ensure!(!imports.is_empty() && missing.is_empty(), "{world:?}: {missing:?}");
        ensure!(exports.iter().any(|export| SPIN_CALLS.iter().any(|call| export.starts_with(call))));
    }
    Ok(())
}

#[test]
fn a_later_patch_has_what_an_earlier_one_has() {
    assert!(offers("wasi:http/types@0.2.6", "wasi:http/types@0.2.4"));
    assert!(!offers("wasi:http/types@0.3.0", "wasi:http/types@0.3.2"));
    assert!(!offers("wasi:http/types@0.2.6", "wasi:http/client@0.2.4"));
    assert!(!offers("wasi:http/types@0.3.0", "wasi:http/types@0.2.0"));
}
