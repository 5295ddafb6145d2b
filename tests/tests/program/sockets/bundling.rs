//! What `preamp bundle` makes, and what it does not.

use anyhow::ensure;
use preamp_tests::gateway::bundle;
use preamp_tests::running::signing;
use wit_parser::decoding::{DecodedWasm, decode};

/// The most a gateway may weigh, in bytes.
const SIZE_MAX: usize = 820 * 1024;

/// All that a gateway asks of its runtime, without versions.
const IMPORTS: [&str; 9] = [
    "wasi:cli/environment",
    "wasi:cli/stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
];

const ENDPOINT: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

#[test]
fn a_gateway_is_the_same_each_time_and_asks_for_little() -> anyhow::Result<()> {
    let configuration = signing("eu-west-1", "", ENDPOINT, "");
    let mut made = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir()?;
        let (gateway, output) = bundle(&configuration, folder.path())?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        made.push(std::fs::read(gateway)?);
    }
    ensure!(made[0] == made[1], "two gateways of one configuration differ");
    ensure!(made[0].len() <= SIZE_MAX, "a gateway has {} bytes, more than {SIZE_MAX}", made[0].len());
    let DecodedWasm::Component(resolve, world) = decode(&made[0])? else {
        anyhow::bail!("a gateway is no component");
    };
    let names = |items: Vec<String>| -> Vec<String> {
        let mut names: Vec<_> =
            items.iter().map(|name| name.split('@').next().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    };
    let world = &resolve.worlds[world];
    let imports = names(world.imports.keys().map(|key| resolve.name_world_key(key)).collect());
    let exports = names(world.exports.keys().map(|key| resolve.name_world_key(key)).collect());
    ensure!(imports == IMPORTS, "{imports:?}");
    ensure!(exports == ["wasi:http/incoming-handler"], "{exports:?}");
    Ok(())
}

#[test]
fn what_a_gateway_cannot_do_is_said_at_once() -> anyhow::Result<()> {
    let signer = "assume_role: {arn: 'arn:aws:iam::123456789012:role/writer'}";
    let exporter = "delta: accumulate
    headers: {X-Api-Key: hidden-value, X-Team: shop}
    tls: {insecure_skip_verify: true}
    proxy_url: http://proxy:3128
    external_labels: {'': nothing}";
    let configuration = signing("eu-west-1", signer, ENDPOINT, exporter);
    let folder = tempfile::tempdir()?;
    let (gateway, output) = bundle(&configuration, folder.path())?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(!output.status.success() && !gateway.exists(), "{said}");
    for part in [
        ":35:12: exporters.prometheusremotewrite.delta: a gateway remembers nothing",
        "headers.X-Api-Key: ",
        "extensions.sigv4auth",
        "cannot ask STS",
        "insecure_skip_verify: ",
        "proxy_url: ",
    ] {
        ensure!(said.contains(part), "{part}: {said}");
    }
    ensure!(!said.contains("hidden-value") && !said.contains("X-Team"), "{said}");
    Ok(())
}
