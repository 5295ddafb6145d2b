//! What a data point costs from OTLP to the receiver, as CPU time of the whole process: `preamp` beside the real
//! Collector with the exporter `prometheusremotewrite`, both signing, with the same payloads and the same receiver.
//! `./build.sh end-to-end` builds all it needs.
//!
//! The contenders take turns, round after round; of each, the median round counts. Every point is waited for.

mod contender;
mod load;
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
         answers p50, p99 ms | MiB | ratio of CPU |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for cell in options.cells() {
        let load = Arc::new(Load::new(&cell));
        let mut rounds = Program::ALL.map(|_| Ok(Vec::new()));
        for _ in 0..options.rounds {
            for (program, rounds) in Program::ALL.into_iter().zip(&mut rounds) {
                let Ok(done) = rounds else { continue };
                match run(program, &cell, address, &taken, &load).await {
                    Ok(round) => done.push(round),
                    Err(problem) => *rounds = Err(problem),
                }
            }
        }
        let [preamp, collector] = rounds.map(|rounds| rounds.map(median));
        let ratio = match (&preamp, &collector) {
            (Ok(preamp), Ok(collector)) => format!("**{:.1}**", collector.cpu / preamp.cpu),
            _ => String::new(),
        };
        print(&cell, "preamp", preamp, &load, &ratio);
        print(&cell, "Collector", collector, &load, "");
    }
    Ok(())
}

/// Prints the row of a contender; one that fails says so in it.
fn print(cell: &Cell, name: &str, round: anyhow::Result<Round>, load: &Load, ratio: &str) {
    let Round { cpu, wall, memory_mib, p50, p99 } = match round {
        Ok(round) => round,
        Err(problem) => return println!("| {cell} | {name} | {problem} | | | | | |"),
    };
    let (points, payloads) = (load.points() as f64, load.payloads() as f64);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| {cell} | {name} | {:.2} | {:.1} | {:.0} | {:.1}, {:.1} | {memory_mib:.0} | {ratio} |",
        cpu * 1e6 / points,
        cpu * 1e6 / payloads,
        points / wall.as_secs_f64(),
        milliseconds(p50),
        milliseconds(p99)
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
) -> anyhow::Result<Round> {
    let folder = tempfile::tempdir()?;
    let process = Process::start(program, cell, receiver, folder.path())?;
    let before = taken.of_senders.load(Ordering::Relaxed);
    let cpu = process.cpu()?;
    let started = Instant::now();
    let mut answers = load.send(process.address).await?;
    loop {
        let arrived = taken.of_senders.load(Ordering::Relaxed) - before;
        if arrived >= load.points() {
            break;
        }
        ensure!(started.elapsed() < PATIENCE, "{arrived} of {} points had arrived", load.points());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let wall = started.elapsed();
    answers.sort_unstable();
    let at = |share: f64| answers[((answers.len() - 1) as f64 * share) as usize];
    Ok(Round {
        cpu: process.cpu()? - cpu,
        wall,
        memory_mib: process.memory_mib()?,
        p50: at(0.5),
        p99: at(0.99),
    })
}
