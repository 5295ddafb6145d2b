//! What receivers answer, and what becomes of the points: the dialects, wrong addresses, accounts and pages, and
//! that a few bad series cost only themselves in time.

mod dialects;
mod held;
mod real;
mod speed;

use preamp_tests::payloads::{now_ms, power};
use preamp_tests::running::{PIPELINE, Running};
use preamp_tests::scripted_receiver::ScriptedReceiver;
use std::net::SocketAddr;

/// Points of a payload, and how many of them are bad.
const POINTS: usize = 20;
const BAD: usize = 4;

/// A configuration with an endpoint and more keys of the exporter, each on a line of its own.
fn configuration(endpoint: &str, exporter: &str) -> String {
    let retry = "retry_on_failure: {initial_interval: 50ms, max_interval: 200ms, max_elapsed_time: 0s}";
    format!(
        "{PIPELINE}exporters:\n  prometheusremotewrite:\n    endpoint: {endpoint}\n    target_info: {{enabled: false}}\n    \
         {retry}\n    {exporter}\n"
    )
}

/// The address of a path at a receiver.
fn url(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
}

/// A payload of series, every so many of which is bad.
fn payload(points: usize, bad_every: usize) -> Vec<u8> {
    let now = now_ms();
    let name = |number: usize| match number % bad_every {
        0 => format!("bad{number}"),
        _ => format!("good{number}"),
    };
    power((0..points).map(|number| (name(number), now)))
}

/// Whether a line of the log of this process has all of these words.
fn says(running: &Running, words: &[&str]) -> bool {
    running.said().lines().any(|line| words.iter().all(|word| line.contains(word)))
}

/// Runs with a receiver and one partition, so that a payload is one request.
fn run(receiver: &ScriptedReceiver, path: &str, folder: &std::path::Path) -> anyhow::Result<Running> {
    let keys = "remote_write_queue: {num_consumers: 1}";
    Running::start(&configuration(&url(receiver.address(), path), keys), &[], folder)
}
