//! How soon `preamp run` takes its first payload, and how much memory it keeps while idle.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use preamp_tests::children::{Background, resident_mib};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;

use crate::report::{Report, Row};

/// The fastest of so many starts counts.
const STARTS: u32 = 5;

/// Measures the program next to this one, if it is there.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let preamp = std::env::current_exe()?.with_file_name("preamp");
    ensure!(preamp.is_file(), "{} is missing: run ./build.sh host", preamp.display());
    let mut soonest = f64::INFINITY;
    let mut leanest = f64::INFINITY;
    for _ in 0..STARTS {
        let (start, memory) = start(&preamp).context("preamp run")?;
        soonest = soonest.min(start.as_secs_f64() * 1e3);
        leanest = leanest.min(memory);
    }
    let row = |name, value, unit| Row { name, payload: "requests", protocol: "1.0", points: 1, value, unit };
    report.add(row("start", soonest, "ms"));
    report.add(row("idle-memory", leanest, "MiB"));
    Ok(())
}

/// From start to the first accepted payload, and the resident memory two seconds later, in MiB.
fn start(preamp: &Path) -> anyhow::Result<(Duration, f64)> {
    let folder = tempfile::tempdir()?;
    // Nothing has to be delivered; a receiver that never answers keeps the program quiet.
    let receiver = TcpListener::bind("127.0.0.1:0")?;
    let intake = free_address()?;
    let configuration = folder.path().join("preamp.yaml");
    std::fs::write(&configuration, configuration_text(intake, receiver.local_addr()?))?;
    let payload = payloads::requests(1);
    let mut command = Command::new(preamp);
    command.arg("run").arg("--config").arg(&configuration);
    let started = Instant::now();
    let process = Background::start("preamp", command, folder.path())?;
    let fields = [("content-type", "application/x-protobuf")];
    let accepted = loop {
        match exchange(intake, "POST", "/v1/metrics", &fields, &payload) {
            Some(reply) if reply.status == 200 => break started.elapsed(),
            Some(reply) => anyhow::bail!("the first payload was answered {}: {}", reply.status, reply.body),
            None => ensure!(started.elapsed() < Duration::from_secs(10), "no answer: {}", process.said()),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    std::thread::sleep(Duration::from_secs(2));
    Ok((accepted, resident_mib(process.id())?))
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn configuration_text(intake: SocketAddr, receiver: SocketAddr) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      http:
        endpoint: {intake}
exporters:
  prometheus_remote_write:
    endpoint: http://{receiver}/api/v1/write
service:
  pipelines:
    metrics:
      receivers: [otlp]
      exporters: [prometheus_remote_write]
  telemetry:
    metrics:
      level: none
"
    )
}
