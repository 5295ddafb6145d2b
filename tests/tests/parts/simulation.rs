//! Many simulations of intake, queue and delivery: `PREAMP_SEEDS` says how many of the whole host,
//! `PREAMP_MACHINE_SEEDS` how many of the delivery machine. A seed that fails is printed and kept in
//! `tests/seeds.txt`, whose seeds are run first.

use anyhow::{Context as _, ensure};
use preamp_tests::simulation::{Course, MachineSimulator, PassageSimulator, Simulator};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

fn kept() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds.txt")
}

fn keep(seed: u64) -> anyhow::Result<()> {
    let known = std::fs::read_to_string(kept()).unwrap_or_default();
    if known.lines().any(|line| line == seed.to_string()) {
        return Ok(());
    }
    Ok(writeln!(OpenOptions::new().append(true).create(true).open(kept())?, "{seed}")?)
}

/// For who looks for the reason: `PREAMP_SEED=N cargo test … one_seed -- --ignored --nocapture`, with `RUST_LOG`.
#[test]
#[ignore = "runs the seed that PREAMP_SEED names, and tells what happens"]
fn one_seed() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .without_time()
        .init();
    let seed = std::env::var("PREAMP_SEED").context("PREAMP_SEED is not set")?.parse()?;
    println!("{:?}", Simulator::new()?.run(seed)?);
    Ok(())
}

#[test]
fn seeds_that_failed_once_do_not_fail_any_more() -> anyhow::Result<()> {
    let (mut host, mut machine) = (Simulator::new()?, MachineSimulator::default());
    let text = std::fs::read_to_string(kept()).unwrap_or_default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let seed = line.parse().with_context(|| line.to_owned())?;
        host.run(seed)?;
        machine.run(seed)?;
    }
    Ok(())
}

#[test]
fn a_seed_comes_out_the_same_each_time() -> anyhow::Result<()> {
    let (mut one, mut other) = (Simulator::new()?, Simulator::new()?);
    for seed in 0..20 {
        let (first, second) = (one.run(seed)?, other.run(seed)?);
        ensure!(first == second, "seed {seed}: {first:?}, then {second:?}");
    }
    let (mut one, mut other) = (MachineSimulator::default(), MachineSimulator::default());
    for seed in 0..200 {
        let (first, second) = (one.run(seed)?, other.run(seed)?);
        ensure!(first == second, "seed {seed}: {first:?}, then {second:?}");
    }
    Ok(())
}

/// Runs as many seeds on all processors, each by a simulator of its thread.
fn run_seeds<S>(
    seeds: u64,
    simulator: impl Fn() -> anyhow::Result<S> + Sync,
    run: impl Fn(&mut S, u64) -> anyhow::Result<Course> + Sync,
) -> anyhow::Result<Vec<Course>> {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let work = || -> anyhow::Result<Vec<Course>> {
        let mut simulator = simulator()?;
        let mut courses = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return Ok(courses);
            }
            match run(&mut simulator, seed) {
                Ok(course) => courses.push(course),
                Err(error) => {
                    println!("seed {seed} fails: {error:#}");
                    keep(seed)?;
                    // The other threads need not go on.
                    next.store(seeds, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let courses = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = running.into_iter().map(|thread| thread.join().ok().context("a thread broke down")?);
        joined.collect::<anyhow::Result<Vec<_>>>()
    })?;
    let sum = |of: fn(&Course) -> u64| courses.iter().flatten().map(of).sum::<u64>();
    println!(
        "{seeds} seeds in {:?}: {} payloads, {} ends of processes, {} requests",
        started.elapsed(),
        sum(|course| course.payloads),
        sum(|course| course.ends),
        sum(|course| course.requests)
    );
    ensure!(sum(|course| course.payloads) > seeds * 10);
    Ok(courses.into_iter().flatten().collect())
}

/// Otherwise there was hardly anything that could go wrong.
fn ended_often(courses: &[Course]) -> anyhow::Result<()> {
    let ends: u64 = courses.iter().map(|course| course.ends).sum();
    ensure!(ends > courses.len() as u64, "{ends} ends of processes in {} simulations", courses.len());
    Ok(())
}

fn seeds(variable: &str, default: u64) -> anyhow::Result<u64> {
    Ok(std::env::var(variable).map_or(Ok(default), |text| text.parse())?)
}

#[test]
fn whatever_happens_nothing_is_lost_and_everything_in_order() -> anyhow::Result<()> {
    ended_often(&run_seeds(seeds("PREAMP_SEEDS", 500)?, Simulator::new, Simulator::run)?)
}

/// The same with the delivery machine, the queue and the core alone, so that there is time for many more seeds.
#[test]
fn whatever_happens_the_machine_loses_nothing_and_keeps_the_order() -> anyhow::Result<()> {
    let simulator = || Ok(MachineSimulator::default());
    ended_often(&run_seeds(seeds("PREAMP_MACHINE_SEEDS", 2_000)?, simulator, MachineSimulator::run)?)
}

/// Hosts without a queue: what was answered with success is stored, in order.
#[test]
fn whatever_happens_a_passage_answers_what_is_so() -> anyhow::Result<()> {
    let simulator = || Ok(PassageSimulator);
    run_seeds(seeds("PREAMP_PASSAGE_SEEDS", 500)?, simulator, PassageSimulator::run)?;
    Ok(())
}
