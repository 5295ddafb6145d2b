//! A program with an exporter in it: it brings its own transport, clock and credentials, and takes from `preamp-host`
//! the queue, delivery without loss, and the component.
//!
//! ```text
//! preamp-embedder target/component/preamp.wasm
//! ```

use bytes::Bytes;
use preamp_base::{Clock, Secret};
use preamp_config::Retry;
use preamp_contract::{Encoding, Request, Response};
use preamp_host::credentials::{Credentials, CredentialsSource, Fetch, SigningKeys};
use preamp_host::delivery::{Exchange, Transport};
use preamp_host::exporter::{Destination, Exporter, ExporterOptions};
use preamp_host::node::{Node, NodeOptions};
use preamp_queue::{MemoryQueue, Pending};
use std::sync::Arc;
use std::time::Duration;

const ENDPOINT: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

/// 2026-01-15T12:00:00Z, in nanoseconds since the Unix epoch: the time that this program lives in.
const NOW: u64 = 1_768_478_400_000_000_000;

const PAYLOAD: &str = r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "up", "gauge": {"dataPoints": [
    {"asDouble": 1, "timeUnixNano": "1768478400000000000"}
]}}]}]}]}"#;

/// Prints requests in place of sending them.
struct Printer;

impl Transport for Printer {
    fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn send(&self, head: Request, body: Bytes) -> Pending<'_, Exchange> {
        println!("{} {} with {} bytes", head.method, head.url, body.len());
        for header in head.headers.iter().filter(|header| header.name.starts_with("x-")) {
            println!("  {header:?}");
        }
        let response = Response { status: 200, headers: Vec::new(), body: Vec::new() };
        Box::pin(std::future::ready(Exchange::answered(response)))
    }
}

/// Credentials from a place that only this program knows.
struct Vault;

impl CredentialsSource for Vault {
    fn fetch(&self) -> Fetch<'_> {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session_token: None,
            expires: None,
        };
        Box::pin(std::future::ready(Ok(credentials)))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).ok_or_else(|| anyhow::anyhow!("usage: preamp-embedder COMPONENT"))?;
    let component = preamp_wasm::load_file(path.as_ref())?;
    let clock = Clock::from_fn(|| NOW);
    let node = Node::new(NodeOptions { clock, ..NodeOptions::of_this_system(component) });

    let configuration =
        format!(r#"{{"endpoint": "{ENDPOINT}", "sigv4": {{"region": "eu-west-1", "service": "aps"}}}}"#);
    let destination = Destination {
        pool: node.open(&configuration)?,
        endpoint: ENDPOINT.to_owned(),
        transport: Arc::new(Printer),
        keys: Some(SigningKeys::new(Box::new(Vault), "eu-west-1".to_owned(), "aps".to_owned())),
        retry: Retry { enabled: true, randomization_factor: 0.5, max_elapsed_time: None },
        batching: None,
        in_flight: 1,
    };
    let queue = Arc::new(MemoryQueue::new(1, 1_000, 64 << 20));
    let exporter = Exporter::start(&node, ExporterOptions::new("embedded", queue, destination)).await?;

    let outcome = exporter.submit(Bytes::from_static(PAYLOAD.as_bytes()), Encoding::Json).await;
    println!("{outcome:?}");
    let remains = exporter.drain(Duration::from_secs(10)).await;
    let ledger = exporter.metrics().ledger.snapshot();
    println!("{} points accepted, {} delivered, {} left", ledger.accepted, ledger.delivered, remains.points);
    Ok(())
}
