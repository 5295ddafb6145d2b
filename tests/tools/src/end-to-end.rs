//! What a data point costs from OTLP to the receiver, as CPU time of the whole process: `preamp` beside the real
//! Collector with the exporter `prometheusremotewrite`, both signing, with the same payloads and the same receiver.
//! `./build.sh end-to-end` builds all it needs.
//!
//! The contenders take turns, round after round; of each, the median round counts.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use preamp_tests::children::{Background, built, memory_mib, program, wait_for};
use preamp_tests::otlp_http::OtlpClient;
use preamp_tests::payloads;
use preamp_tests::sink::{self, Taken};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const SENDERS: usize = 8;
const PAYLOADS_OF_SENDER: usize = 125;
const POINTS: usize = 1_000;

/// How long all of a round may take to arrive.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who is measured.
struct Contender {
    name: &'static str,
    command: fn(&Path) -> anyhow::Result<Command>,
    /// Keys of the exporter; `{}` is a folder.
    exporter: &'static str,
}

const CONTENDERS: [Contender; 4] = [
    Contender {
        name: "preamp, in memory",
        command: preamp,
        exporter: "remote_write_queue: {num_consumers: 5}",
    },
    Contender {
        name: "preamp, on disk",
        command: preamp,
        exporter: "remote_write_queue: {num_consumers: 5}\n    wal: {directory: '{}'}",
    },
    Contender {
        name: "Collector, in memory",
        command: collector,
        exporter: "remote_write_queue: {num_consumers: 5}",
    },
    Contender {
        name: "Collector, wal",
        command: collector,
        exporter: "remote_write_queue: {num_consumers: 5}\n    wal: {directory: '{}'}",
    },
];

fn preamp(file: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
    command.arg("run").arg("--config").arg(file);
    Ok(command)
}

fn collector(file: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program("PREAMP_COLLECTOR", built("../collector"))?);
    command.arg("--config").arg(file);
    Ok(command)
}

/// What a round came to.
struct Round {
    /// CPU seconds of the process, for a million points.
    cpu: f64,
    /// How long it took until all had arrived.
    wall: Duration,
    /// The most memory it had.
    memory_mib: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let payloads = Arc::new(payloads());
    let (address, taken) = sink::start_looking().await?;
    let mut rounds: Vec<Vec<Round>> = CONTENDERS.iter().map(|_| Vec::new()).collect();
    let mut stuck: Vec<Option<String>> = CONTENDERS.iter().map(|_| None).collect();
    for _ in 0..ROUNDS {
        for ((contender, results), stuck) in CONTENDERS.iter().zip(&mut rounds).zip(&mut stuck) {
            if stuck.is_some() {
                continue;
            }
            let round = match run(contender, address, &taken, &payloads).await {
                Ok(round) => round,
                Err(error) => {
                    eprintln!("{}: {error:#}", contender.name);
                    *stuck = Some(error.to_string());
                    continue;
                }
            };
            eprintln!("{}: {:.2} s CPU, {:.1} s", contender.name, round.cpu, round.wall.as_secs_f64());
            results.push(round);
        }
    }
    println!(
        "{} payloads of {POINTS} points from {SENDERS} senders over OTLP/HTTP, requests signed; median of {ROUNDS} rounds",
        SENDERS * PAYLOADS_OF_SENDER
    );
    println!("| | CPU seconds per million points | seconds until all had arrived | memory at most, MiB |");
    println!("| --- | --- | --- | --- |");
    for ((contender, mut rounds), stuck) in CONTENDERS.iter().zip(rounds).zip(stuck) {
        if let Some(problem) = stuck {
            println!("| {} | {problem} | | |", contender.name);
            continue;
        }
        rounds.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
        let Round { cpu, wall, memory_mib } = &rounds[ROUNDS / 2];
        println!("| {} | {cpu:.2} | {:.1} | {memory_mib:.0} |", contender.name, wall.as_secs_f64());
    }
    Ok(())
}

/// Of each sender, payloads of the same series a second apart.
fn payloads() -> Vec<Vec<Bytes>> {
    let begin = payloads::now_ms() - 600_000;
    let payload = |sender, number: usize| {
        Bytes::from(payloads::of_sender(sender, POINTS, begin + number as i64 * 1000, number as i64))
    };
    (0..SENDERS)
        .map(|sender| (0..PAYLOADS_OF_SENDER).map(|number| payload(sender, number)).collect())
        .collect()
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

async fn run(
    contender: &Contender,
    receiver: SocketAddr,
    taken: &Taken,
    payloads: &Arc<Vec<Vec<Bytes>>>,
) -> anyhow::Result<Round> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let exporter = contender.exporter.replace("{}", &folder.path().join("queue").display().to_string());
    std::fs::create_dir_all(folder.path().join("queue"))?;
    let configuration = format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}
extensions: {{sigv4auth: {{region: eu-central-1, service: aps}}}}
exporters:
  prometheusremotewrite:
    endpoint: http://{receiver}/api/v1/write
    auth: {{authenticator: sigv4auth}}
    {exporter}
service:
  extensions: [sigv4auth]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}
"
    );
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, configuration)?;
    let mut command = (contender.command)(&file)?;
    command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI");
    let process = Background::start("contender", command, folder.path())?;
    wait_for("it to listen", || Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()))?;
    let before = (cpu(process.id())?, taken.samples.load(Ordering::Relaxed));
    let started = Instant::now();
    send(port, payloads).await?;
    let sent = (SENDERS * PAYLOADS_OF_SENDER * POINTS) as u64;
    while taken.samples.load(Ordering::Relaxed) - before.1 < sent {
        let arrived = taken.samples.load(Ordering::Relaxed) - before.1;
        ensure!(started.elapsed() < PATIENCE, "{arrived} of {sent} points had arrived after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let wall = started.elapsed();
    let cpu = (cpu(process.id())? - before.0) * 1e6 / sent as f64;
    Ok(Round { cpu, wall, memory_mib: memory_mib(process.id())? })
}

async fn send(port: u16, payloads: &Arc<Vec<Vec<Bytes>>>) -> anyhow::Result<()> {
    let client = OtlpClient::new((Ipv4Addr::LOCALHOST, port).into());
    let senders = (0..SENDERS).map(|sender| {
        let (client, payloads) = (client.clone(), payloads.clone());
        tokio::spawn(async move {
            for payload in &payloads[sender] {
                client.send(payload.clone()).await?;
            }
            anyhow::Ok(())
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await??;
    }
    Ok(())
}

/// The CPU seconds of a process so far.
fn cpu(id: u32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, fields) = text.rsplit_once(')').context("no end of the name")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks: u64 = fields
        .get(11..13)
        .context("too few fields")?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // Linux counts in hundredths of a second, whatever the kernel's own tick.
    Ok(ticks as f64 / 100.0)
}
