//! The captured payloads (tests/captures).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use preamp_tests::loopback::exchange;
use serde::Deserialize;

/// What `producer.json` says of a producer.
#[derive(Deserialize)]
pub struct Producer {
    /// Its folder, and `service.namespace`.
    #[serde(skip)]
    pub name: &'static str,
    supports: Vec<String>,
}

impl Producer {
    /// Reads it.
    pub fn read(name: &'static str) -> anyhow::Result<Self> {
        let producer: Self = serde_json::from_slice(&std::fs::read(folder(name).join("producer.json"))?)?;
        Ok(Self { name, ..producer })
    }

    /// Whether its SDK knows something that not all do.
    pub fn supports(&self, what: &str) -> bool {
        self.supports.iter().any(|supported| supported == what)
    }

    /// The label `job`.
    pub fn job(&self) -> String {
        format!("{}/checkout", self.name)
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name)
}

/// The payloads of a producer in the order in which they arrived, with their media types.
pub fn payloads(name: &str) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut payloads = Vec::new();
    loop {
        let file = |extension| folder(name).join(format!("{}.{extension}", payloads.len() + 1));
        let (protobuf, json) = (file("otlp"), file("otlp.json"));
        match (protobuf.is_file(), json.is_file()) {
            (true, _) => payloads.push(("application/x-protobuf", std::fs::read(protobuf)?)),
            (false, true) => payloads.push(("application/json", std::fs::read(json)?)),
            (false, false) => break,
        }
    }
    ensure!(!payloads.is_empty(), "there is no capture of {name}: ./build.sh capture makes them");
    Ok(payloads)
}

/// Sends a payload to where OTLP is taken, which must take all of it.
pub fn send(http: SocketAddr, media_type: &str, body: &[u8]) -> anyhow::Result<()> {
    let headers = [("host", "preamp"), ("content-type", media_type)];
    let reply = exchange(http, "POST", "/v1/metrics", &headers, body).context("no answer")?;
    ensure!(reply.status == 200 && matches!(reply.body.as_str(), "" | "{}"), "{reply:?}");
    Ok(())
}
