//! What `preamp bundle` makes, and what it does not.

use anyhow::ensure;
use preamp_tests::gateway::{World, bundle};
use preamp_tests::running::signing;
use wit_parser::decoding::{DecodedWasm, decode};

/// A world, the most a gateway on it may weigh in KiB, what it offers, and all that it asks of its runtime.
type Expected = (World, usize, &'static str, &'static [&'static str]);

const WORLDS: [Expected; 2] = [
    (
        World::Http02,
        820,
        "wasi:http/incoming-handler@0.2.4",
        &[
            "wasi:cli/environment@0.2.6",
            "wasi:cli/stderr@0.2.6",
            "wasi:clocks/monotonic-clock@0.2.6",
            "wasi:clocks/wall-clock@0.2.6",
            "wasi:http/outgoing-handler@0.2.4",
            "wasi:http/types@0.2.4",
            "wasi:io/error@0.2.6",
            "wasi:io/poll@0.2.6",
            "wasi:io/streams@0.2.6",
        ],
    ),
    (
        World::Http03,
        860,
        "wasi:http/handler@0.3.0",
        &[
            "wasi:cli/environment@0.3.0",
            "wasi:cli/stderr@0.3.0",
            // Nothing is read from it: the bindings take their functions for streams of bytes from there.
            "wasi:cli/stdin@0.3.0",
            "wasi:cli/types@0.3.0",
            "wasi:clocks/monotonic-clock@0.3.0",
            "wasi:clocks/system-clock@0.3.0",
            "wasi:clocks/types@0.3.0",
            "wasi:http/client@0.3.0",
            "wasi:http/types@0.3.0",
        ],
    ),
];

const ENDPOINT: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

#[test]
fn a_gateway_is_the_same_each_time_and_asks_for_little() -> anyhow::Result<()> {
    let configuration = signing("eu-west-1", "", ENDPOINT, "");
    for (world, kibibytes_max, export, expected) in WORLDS {
        let mut made = Vec::new();
        for _ in 0..2 {
            let folder = tempfile::tempdir()?;
            let (gateway, output) = bundle(&configuration, world, folder.path())?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            made.push(std::fs::read(gateway)?);
        }
        ensure!(made[0] == made[1], "two gateways of one configuration differ");
        let kibibytes = made[0].len().div_ceil(1024);
        println!("a gateway on {}: {kibibytes} KiB", world.name());
        ensure!(kibibytes <= kibibytes_max, "{world:?}: {kibibytes} KiB, more than {kibibytes_max}");
        let (imports, exports) = imports_and_exports(&made[0])?;
        ensure!(imports == expected, "{imports:#?}");
        ensure!(exports == [export], "{exports:?}");
    }
    Ok(())
}

/// The names of what a component asks for and offers, in order.
pub fn imports_and_exports(component: &[u8]) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let DecodedWasm::Component(resolve, world) = decode(component)? else {
        anyhow::bail!("a gateway is no component");
    };
    let world = &resolve.worlds[world];
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let imports = sorted(world.imports.keys().map(|key| resolve.name_world_key(key)).collect());
    let exports = sorted(world.exports.keys().map(|key| resolve.name_world_key(key)).collect());
    Ok((imports, exports))
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
    let (gateway, output) = bundle(&configuration, World::Http02, folder.path())?;
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
