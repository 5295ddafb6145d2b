//! Queries to Prometheus' HTTP API.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::loopback::exchange;

/// Label sets and their values.
pub type Vector = BTreeMap<BTreeMap<String, String>, f64>;

#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// The instant vector that an expression is now.
///
/// # Errors
/// When Prometheus does not answer, or does not take the expression.
pub fn query(prometheus: SocketAddr, expression: &str) -> anyhow::Result<Vector> {
    let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let target = format!("/api/v1/query?query={encoded}");
    let reply = exchange(prometheus, "GET", &target, &[("host", "prometheus")], b"")
        .with_context(|| format!("Prometheus gave no answer to {expression}"))?;
    ensure!(reply.status == 200, "{expression}: {reply:?}");
    let envelope: Envelope = serde_json::from_str(&reply.body)?;
    let elements = envelope.data.result.into_iter();
    elements.map(|element| Ok((element.metric, element.value.1.parse()?))).collect()
}
