//! Measures what a data point costs: in the library, in the component, at the least possible, and in
//! the Collector's exporter. One table, from one run. `./build.sh bench` builds all it needs.
//!
//! The contenders take turns, round after round, so that whatever else the machine does hits them
//! alike; of each, the best round counts.

mod contenders;
mod program;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use contenders::Contender;
use preamp_host::component::{self, Component, engine};
use preamp_tests::component::trap;
use preamp_tests::payloads;
use report::{Report, Row};

/// How long to measure.
#[derive(Clone, Copy)]
struct Effort {
    /// Repetitions of a payload within a round go on for about this long.
    round: Duration,
    /// Rounds go on until each payload has taken this long,
    payload: Duration,
    /// but there are at least so many, and never more than `rounds_max`.
    rounds_min: u32,
    rounds_max: u32,
}

const THOROUGH: Effort = Effort {
    round: Duration::from_millis(200),
    payload: Duration::from_secs(20),
    rounds_min: 3,
    rounds_max: 15,
};

const QUICK: Effort = Effort {
    round: Duration::from_millis(50),
    payload: Duration::from_secs(4),
    rounds_min: 1,
    rounds_max: 5,
};

const POINTS: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let component = match &options.component {
        Some(file) => Component::from_file(&engine::engine()?, file).map_err(trap)?,
        None => component::load()?,
    };
    let mut report = Report::default();
    for points in POINTS {
        let payload = payloads::requests(points);
        measure(&component, "requests", points, &payload, options.effort, &mut report)?;
    }
    measure(&component, "latencies", 1_000, &payloads::latencies(1_000), options.effort, &mut report)?;
    program::measure(&mut report)?;
    report.print();
    match options.json {
        Some(path) => report.write(&path).with_context(|| format!("cannot write {}", path.display())),
        None => Ok(()),
    }
}

struct Options {
    effort: Effort,
    json: Option<PathBuf>,
    /// Another build of the component, to compare with the one that is built in.
    component: Option<PathBuf>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
        let mut options = Options { effort: THOROUGH, json: None, component: None };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.effort = QUICK,
                "--json" => options.json = Some(arguments.next().context("--json needs a file")?.into()),
                "--component" => {
                    options.component = Some(arguments.next().context("--component needs a file")?.into());
                }
                other => {
                    bail!("there is no option {other}; there are --quick, --json FILE and --component FILE")
                }
            }
        }
        Ok(options)
    }
}

/// Lets every contender take the payload, and reports the best of each.
fn measure(
    component: &Component,
    name: &'static str,
    points: usize,
    payload: &[u8],
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    eprintln!("measuring {name}, {points} points");
    let mut contenders = contenders::all(payload, component)?;
    let mut best = vec![f64::INFINITY; contenders.len()];
    let mut repetitions = vec![1; contenders.len()];
    let mut bytes = vec![0; contenders.len()];
    let start = Instant::now();
    let mut round = 0;
    while round < effort.rounds_min || (start.elapsed() < effort.payload && round < effort.rounds_max) {
        for (index, contender) in contenders.iter_mut().enumerate() {
            if round == 0 {
                repetitions[index] = calibrate(contender.as_mut(), effort.round)?;
            }
            let result = contender.run(repetitions[index])?;
            best[index] = best[index].min(result.payload.as_nanos() as f64);
            bytes[index] = result.bytes;
        }
        round += 1;
    }
    for (index, contender) in contenders.iter().enumerate() {
        let row = |value: f64, unit| Row { name: contender.name(), payload: name, points, value, unit };
        report.add(row(best[index] / points as f64, "ns/point"));
        report.add(row(bytes[index] as f64 / points as f64, "bytes/point"));
    }
    Ok(())
}

/// Warms a contender up, and finds how many repetitions fill a round.
fn calibrate(contender: &mut dyn Contender, round: Duration) -> anyhow::Result<u32> {
    let first = contender.run(1)?.payload;
    if first > round {
        return Ok(1);
    }
    let warm = contender.run(3)?.payload.max(Duration::from_nanos(1));
    let fitting = round.as_nanos() / warm.as_nanos();
    Ok(u32::try_from(fitting).unwrap_or(u32::MAX).max(1))
}
