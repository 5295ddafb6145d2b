//! Measures what a data point costs: in the library, in the component, at the least possible, and in
//! two peers. One table, from one run. `./build.sh bench` builds all it needs.
//!
//! The contenders take turns, round after round, so that whatever else the machine does hits them
//! alike; of each, the best round counts.

mod contenders;
mod peers;
mod program;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use contenders::{Contender, Sizes};
use preamp_core::types::Protocol;
use preamp_tests::component::trap;
use preamp_tests::loads::{self, KINDS, PROTOCOLS, version};
use preamp_wasm::{Component, engine};
use report::{BYTES, ENCODED, NANOSECONDS, Report, Row};

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
    /// No payload has more points.
    points_max: usize,
}

const THOROUGH: Effort = Effort {
    round: Duration::from_millis(200),
    payload: Duration::from_secs(12),
    rounds_min: 3,
    rounds_max: 15,
    points_max: 1_000_000,
};

const QUICK: Effort = Effort {
    round: Duration::from_millis(50),
    payload: Duration::from_secs(1),
    rounds_min: 1,
    rounds_max: 5,
    points_max: 10_000,
};

/// The sizes of payloads, in points. A point of a histogram or summary has the work of several others,
/// and in the peer as many times the memory, so those stop earlier.
const POINTS: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
const POINTS_OF_MANY_PARTS_MAX: usize = 100_000;

/// One payload to measure with.
struct Load {
    name: &'static str,
    points: usize,
    payload: Vec<u8>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let component = match &options.component {
        Some(file) => Component::from_file(&engine::engine()?, file).map_err(trap)?,
        None => preamp_tests::built::load()?,
    };
    let mut report = Report::default();
    report::print_head();
    for load in loads(options.effort.points_max).chain([captures()?]) {
        for protocol in PROTOCOLS {
            measure(&component, &load, protocol, options.effort, &mut report)?;
        }
    }
    program::measure(&mut report)?;
    report.print_bars();
    match options.json {
        Some(path) => report.write(&path).with_context(|| format!("cannot write {}", path.display())),
        None => Ok(()),
    }
}

/// All payloads, each made when it is needed: the largest are hundreds of megabytes.
fn loads(points_max: usize) -> impl Iterator<Item = Load> {
    KINDS.iter().enumerate().flat_map(move |(index, kind)| {
        let most = if index == 0 { points_max } else { points_max.min(POINTS_OF_MANY_PARTS_MAX) };
        let sizes = POINTS.into_iter().filter(move |points| *points <= most);
        sizes.map(|points| Load { name: kind.name, points, payload: (kind.make)(points) })
    })
}

/// What real producers sent, all of it at once.
fn captures() -> anyhow::Result<Load> {
    let payload = loads::captures()?;
    let points = contenders::points(&payload)?;
    Ok(Load { name: "captures", points, payload })
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
    load: &Load,
    protocol: Protocol,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    let version = version(protocol);
    eprintln!("measuring {}, {} points, remote write {version}", load.name, load.points);
    let mut contenders = contenders::all(&load.payload, protocol, component)?;
    let mut best = vec![f64::INFINITY; contenders.len()];
    let mut repetitions = vec![1; contenders.len()];
    let mut sizes = vec![Sizes::default(); contenders.len()];
    let start = Instant::now();
    let mut round = 0;
    while round < effort.rounds_min || (start.elapsed() < effort.payload && round < effort.rounds_max) {
        for (index, contender) in contenders.iter_mut().enumerate() {
            if round == 0 {
                repetitions[index] = calibrate(contender.as_mut(), effort.round)?;
            }
            let result = contender.run(repetitions[index])?;
            best[index] = best[index].min(result.payload.as_nanos() as f64);
            sizes[index] = result.sizes;
        }
        round += 1;
    }
    for (index, contender) in contenders.iter().enumerate() {
        let mut add = |value: f64, unit| {
            let (payload, points) = (load.name, load.points);
            let value = value / points as f64;
            report.add(Row { name: contender.name(), payload, protocol: version, points, value, unit });
        };
        add(best[index], NANOSECONDS);
        add(sizes[index].bytes as f64, BYTES);
        add(sizes[index].encoded as f64, ENCODED);
    }
    report.print_latest();
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
