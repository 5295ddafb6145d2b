//! What a data point costs from OTLP to the receiver, as CPU time of the whole process: `preamp` beside the real
//! Collector with the exporter `prometheusremotewrite`, both signing, with the same payloads and the same receiver.
//! `./build.sh end-to-end` builds all it needs.
//!
//! The contenders take turns, round after round; of each, the median round counts. Every point is waited for.

mod contender;
mod load;
mod many;
mod options;

use anyhow::ensure;
use contender::{Process, Program};
use load::Load;
use options::{Cell, Options};
use preamp_tests::sink::{self, Taken};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long all of a round may take to arrive.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a round came to.
struct Round {
    /// CPU seconds of the process.
    cpu: f64,
    /// How long it took until all had arrived.
    wall: Duration,
    /// Resident memory, the most that it had, in MiB.
    memory_mib: f64,
    /// How long the answers took: half of them, and 99 of a hundred.
    p50: Duration,
    p99: Duration,
    /// The same at half the rate of payloads that full load had.
    half_p50: Duration,
    half_p99: Duration,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let (address, taken) = sink::start_looking().await?;
    println!(
        "Signed requests, full load; median of {} rounds. CPU is that of the process, memory the most that was resident.",
        options.rounds
    );
    println!(
        "| points a payload | over | queue | connections | who | CPU µs a point | CPU µs a payload | points/s | \
         answers p50, p99 ms | at half load | MiB | ratio of CPU |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for cell in options.cells() {
        let load = Arc::new(Load::new(&cell));
        let mut rounds = Program::ALL.map(|_| Ok(Vec::new()));
        for _ in 0..options.rounds {
            for (program, rounds) in Program::ALL.into_iter().zip(&mut rounds) {
                let Ok(done) = rounds else { continue };
                match run(program, &cell, address, &taken, &load, None).await {
                    Ok(round) => done.push(round),
                    Err(problem) => *rounds = Err(problem),
                }
            }
        }
        let mut rounds = rounds.map(|rounds| rounds.map(median));
        for (program, median) in Program::ALL.into_iter().zip(&mut rounds) {
            let Ok(full) = median else { continue };
            let every = full.wall.mul_f64(2.0 * cell.connections as f64 / load.payloads() as f64);
            match run(program, &cell, address, &taken, &load, Some(every)).await {
                Ok(half) => (full.half_p50, full.half_p99) = (half.p50, half.p99),
                Err(problem) => *median = Err(problem),
            }
        }
        let [preamp, collector] = rounds;
        let ratio = match (&preamp, &collector) {
            (Ok(preamp), Ok(collector)) => format!("**{:.1}**", collector.cpu / preamp.cpu),
            _ => String::new(),
        };
        print(&cell, "preamp", preamp, &load, &ratio);
        print(&cell, "Collector", collector, &load, "");
    }
    if options.has_many_senders() {
        many::measure(address, &taken).await?;
    }
    Ok(())
}

/// Prints the row of a contender; one that fails says so in it.
fn print(cell: &Cell, name: &str, round: anyhow::Result<Round>, load: &Load, ratio: &str) {
    let Round { cpu, wall, memory_mib, p50, p99, half_p50, half_p99 } = match round {
        Ok(round) => round,
        Err(problem) => return println!("| {cell} | {name} | {problem} | | | | | | |"),
    };
    let (points, payloads) = (load.points() as f64, load.payloads() as f64);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| {cell} | {name} | {:.2} | {:.1} | {:.0} | {:.1}, {:.1} | {:.1}, {:.1} | {memory_mib:.0} | {ratio} |",
        cpu * 1e6 / points,
        cpu * 1e6 / payloads,
        points / wall.as_secs_f64(),
        milliseconds(p50),
        milliseconds(p99),
        milliseconds(half_p50),
        milliseconds(half_p99)
    );
}

fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
    rounds.swap_remove(rounds.len() / 2)
}

async fn run(
    program: Program,
    cell: &Cell,
    receiver: SocketAddr,
    taken: &Taken,
    load: &Arc<Load>,
    every: Option<Duration>,
) -> anyhow::Result<Round> {
    let folder = tempfile::tempdir()?;
    let process = Process::start(program, cell, receiver, folder.path())?;
    let before = taken.of_senders.load(Ordering::Relaxed);
    let cpu = process.cpu()?;
    let started = Instant::now();
    let answers = load.send(process.address, every).await?;
    all_arrived(taken, before + load.points()).await?;
    let wall = started.elapsed();
    let [p50, p99] = quantiles(answers);
    Ok(Round {
        cpu: process.cpu()? - cpu,
        wall,
        memory_mib: process.memory_mib()?,
        p50,
        p99,
        half_p50: Duration::ZERO,
        half_p99: Duration::ZERO,
    })
}

/// Waits until so many points came to the receiver.
async fn all_arrived(taken: &Taken, points: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let arrived = taken.of_senders.load(Ordering::Relaxed);
        if arrived >= points {
            return Ok(());
        }
        ensure!(started.elapsed() < PATIENCE, "{} points did not arrive", points - arrived);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How long half of the answers took at most, and 99 of a hundred.
fn quantiles(mut answers: Vec<Duration>) -> [Duration; 2] {
    answers.sort_unstable();
    [0.5, 0.99].map(|share| answers[((answers.len() - 1) as f64 * share) as usize])
}
