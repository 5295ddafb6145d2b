//! Many simulations of intake, queue and delivery; `PREAMP_SEEDS` says how many. A seed that fails is printed and kept in
//! `tests/seeds.txt`, whose seeds are run first.

use anyhow::{Context as _, ensure};
use preamp_tests::simulation::{Course, Simulator};
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
    let mut simulator = Simulator::new()?;
    let text = std::fs::read_to_string(kept()).unwrap_or_default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        simulator.run(line.parse().with_context(|| line.to_owned())?)?;
    }
    Ok(())
}

#[test]
fn a_seed_comes_out_the_same_each_time() -> anyhow::Result<()> {
    let (mut one, mut other) = (Simulator::new()?, Simulator::new()?);
    for seed in 0..40 {
        let (first, second) = (one.run(seed)?, other.run(seed)?);
        ensure!(first == second, "seed {seed}: {first:?}, then {second:?}");
    }
    Ok(())
}

#[test]
fn whatever_happens_nothing_is_lost_and_everything_in_order() -> anyhow::Result<()> {
    let seeds: u64 = std::env::var("PREAMP_SEEDS").map_or(Ok(2_000), |text| text.parse())?;
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let work = || -> anyhow::Result<Vec<Course>> {
        let mut simulator = Simulator::new()?;
        let mut courses = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return Ok(courses);
            }
            match simulator.run(seed) {
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
    // Otherwise there was hardly anything that could go wrong.
    ensure!(sum(|course| course.ends) > seeds && sum(|course| course.payloads) > seeds * 10);
    Ok(())
}
