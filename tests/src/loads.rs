//! What the exporter's cost is measured with: a payload for each type of metric, and the configuration
//! that does what the Collector's exporter does by default.

use std::path::Path;

use anyhow::Context as _;
use preamp_core::types::Protocol;

use crate::payloads;

/// A kind of payload that can have any number of points.
pub struct Kind {
    /// As in tables and baselines.
    pub name: &'static str,
    /// Makes one of so many points.
    pub make: fn(usize) -> Vec<u8>,
}

/// Gauges and sums in turn, classic histograms of 12 buckets, exponential histograms, and summaries.
pub const KINDS: [Kind; 4] = [
    Kind { name: "requests", make: payloads::requests },
    Kind { name: "latencies", make: payloads::latencies },
    Kind { name: "distributions", make: payloads::distributions },
    Kind { name: "quantiles", make: payloads::quantiles },
];

/// What real producers sent as protobuf (`tests/captures`): of each its largest payload, all in one, so
/// that no series stands in it twice.
///
/// # Errors
///
/// When a capture cannot be read.
pub fn captures() -> anyhow::Result<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut largest: Vec<Vec<u8>> = Vec::new();
    for producer in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let files = producer?.path().read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
        let captures = files.filter(|path| path.extension().is_some_and(|end| end == "otlp"));
        let payloads = captures.map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        largest.extend(payloads.into_iter().max_by_key(Vec::len));
    }
    largest.sort();
    // Messages of a repeated field join by concatenation.
    Ok(largest.concat())
}

/// Both protocols.
pub const PROTOCOLS: [Protocol; 2] = [Protocol::RemoteWriteV1, Protocol::RemoteWriteV2];

/// The version of remote write.
#[must_use]
pub fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::RemoteWriteV1 => "1.0",
        Protocol::RemoteWriteV2 => "2.0",
    }
}

/// The largest body before compression: what AMP takes.
pub const BODY_BYTES_MAX: usize = 990_000;

/// The configuration for a receiver that sets no limits but to the size of bodies. Without `digest`,
/// bodies are left for the host to digest, as they are in production.
#[must_use]
pub fn configuration(protocol: Protocol, digest: bool) -> String {
    let message = match protocol {
        Protocol::RemoteWriteV1 => "prometheus.WriteRequest",
        Protocol::RemoteWriteV2 => "io.prometheus.write.v2.Request",
    };
    serde_json::json!({
        "endpoint": "http://127.0.0.1:9090/api/v1/write",
        "profile": "prometheus",
        "protobuf_message": message,
        "max_batch_size_bytes": BODY_BYTES_MAX,
        "max_sample_future_ms": 0,
        "digest": digest,
    })
    .to_string()
}
