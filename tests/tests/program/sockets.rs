//! The core in hosts that are not ours: the gateway that `preamp bundle` makes, and the packages for other languages. Each
//! takes OTLP, sends signed remote write, and answers as OTLP wants, whatever the receiver does.

mod bundling;
mod collector;
mod edge_files;
mod envoy;
mod gateway_load;
mod gateways;
mod scenarios;
mod sdks;
mod vectors;

use std::path::Path;
use std::process::Command;

use amp_stand_in::StandIn;
use preamp_tests::sockets::{Driver, Socket, go, java};
use scenarios::{CREDENTIALS, REGION, Scenario};
use serde_json::{Value, json};

/// The configuration of the component for the stand-in, with more options.
fn configuration(stand_in: &StandIn, keys: &Value) -> String {
    let mut configuration = json!({
        "endpoint": stand_in.url(),
        "sigv4": {"region": REGION, "service": "aps"},
        "target_info": {"enabled": false},
        "partitions": 1,
    });
    for (key, value) in keys.as_object().into_iter().flatten() {
        configuration[key] = value.clone();
    }
    configuration.to_string()
}

/// A package, with more options of the component.
fn package(command: Command, stand_in: &StandIn, keys: &Value, folder: &Path) -> anyhow::Result<Driver> {
    Driver::start(command, &configuration(stand_in, keys), &[], &CREDENTIALS, folder)
}

/// All scenarios, each with a socket and a receiver of its own.
async fn all<S: Socket>(open: impl Fn(&StandIn, &Value, &Path) -> anyhow::Result<S>) -> anyhow::Result<()> {
    for scenario in Scenario::ALL {
        let folder = tempfile::tempdir()?;
        let stand_in = StandIn::start(scenario.receiver()).await?;
        let mut socket = open(&stand_in, &scenario.options(), folder.path())?;
        scenario.play(&mut socket, &stand_in).map_err(|error| {
            error.context(format!("{scenario:?}: {:?}\n{}", stand_in.report(), socket.said()))
        })?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn the_go_module() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| package(go()?, stand_in, keys, folder)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "`./build.sh soak sockets`, which builds it"]
async fn the_recipe_for_java() -> anyhow::Result<()> {
    all(|stand_in, keys, folder| package(java()?, stand_in, keys, folder)).await
}
