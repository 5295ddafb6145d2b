//! Random payloads and options through Preamp, as library and as component, and through the
//! Collector's own translator: any difference that is not foretold is shown, and the run fails.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use preamp_tests::component::Instance;
use preamp_tests::differential::run::{Form, Report, Run, run};
use preamp_tests::differential::{Case, difference_of, differences, minimised, recorded};
use preamp_tests::oracle::LiveOracle;
use preamp_tests::payloads::NOW_NS;
use preamp_tests::vectors;
use wasmtime::component::Component;

const USAGE: &str = "\
Usage: differential [OPTIONS]

  --cases N      how many cases (100000)
  --seed S       what the cases are made from (1)
  --case N       only this case, with all that was asked and answered
  --component    each case through the component as well, which must write the same bytes
  --jobs N       how many at once (2)
  --record       only ask what the tests ask, and write tests/vectors
";

struct Arguments {
    run: Run,
    only: Option<u64>,
    component: bool,
    record: bool,
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut parsed = Arguments {
        run: Run { seed: 1, cases: 100_000, jobs: 2 },
        only: None,
        component: false,
        record: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> anyhow::Result<u64> {
            let text = arguments.next().with_context(|| format!("{argument} needs a number"))?;
            text.parse().with_context(|| format!("{argument} {text}: not a number"))
        };
        match argument.as_str() {
            "--cases" => parsed.run.cases = number()?,
            "--seed" => parsed.run.seed = number()?,
            "--case" => parsed.only = Some(number()?),
            "--jobs" => parsed.run.jobs = usize::try_from(number()?)?,
            "--component" => parsed.component = true,
            "--record" => parsed.record = true,
            _ => bail!("{argument} is no option\n\n{USAGE}"),
        }
    }
    Ok(parsed)
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = arguments()?;
    if arguments.record {
        return write_recordings();
    }
    if let Some(index) = arguments.only {
        return show(&Case::random(arguments.run.seed, index));
    }
    let started = Instant::now();
    let component = arguments.component.then(preamp_tests::built::load).transpose()?;
    let report = run(&arguments.run, LiveOracle::start, || {
        Ok(component.as_ref().map(|component| InComponent { component, instance: None }))
    })?;
    print(&report, started);
    match report.failures.first() {
        None => Ok(ExitCode::SUCCESS),
        Some((index, difference)) => explain(arguments.run.seed, *index, difference),
    }
}

/// Asks the oracles all that the tests have as data, and writes it.
fn write_recordings() -> anyhow::Result<ExitCode> {
    let vectors = vectors::ask()?;
    vectors::write(&vectors)?;
    let recording = recorded::record()?;
    recording.write()?;
    let by_hand: usize = vectors.iter().map(|(_, vectors)| vectors.len()).sum();
    println!("{by_hand} vectors and {} answers about random cases written", recording.answers());
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report, started: Instant) {
    println!(
        "{} cases in {} s: {} points taken, {} series compared, {} cases differ",
        report.cases,
        started.elapsed().as_secs(),
        report.points,
        report.series,
        report.failures.len()
    );
    println!("Known differences (docs/differences.md), and how often they came up:");
    for (difference, count) in differences::ALL.iter().zip(report.explained.0) {
        println!("{count:9}  {}", difference.heading());
    }
}

/// Shows a case that differs, as small as it gets.
fn explain(seed: u64, index: u64, difference: &str) -> anyhow::Result<ExitCode> {
    println!("\nCase {index} of seed {seed} differs (- the oracle, + Preamp):\n{difference}");
    let mut oracle = LiveOracle::start()?;
    let case = Case::random(seed, index);
    if difference_of(&mut oracle, &case)?.is_none() {
        println!("An exporter that has taken nothing before makes no difference of it.");
        return Ok(ExitCode::FAILURE);
    }
    let smallest = minimised(&case, |case| Ok(difference_of(&mut oracle, case)?.is_some()))?;
    println!("The smallest case found that differs likewise:\n");
    show(&smallest)
}

fn show(case: &Case) -> anyhow::Result<ExitCode> {
    println!("{:?}\n{}", case.payload, case.options.configuration());
    match difference_of(&mut LiveOracle::start()?, case)? {
        None => {
            println!("No difference.");
            Ok(ExitCode::SUCCESS)
        }
        Some(difference) => {
            println!("{difference}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The exporter as component, in an instance of its own for each configuration.
struct InComponent<'c> {
    component: &'c Component,
    instance: Option<Instance>,
}

impl Form for InComponent<'_> {
    fn open(&mut self, configuration: &str) -> anyhow::Result<()> {
        self.instance = Some(Instance::open(self.component, configuration)?);
        Ok(())
    }

    fn bodies(&mut self, payload: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
        let instance = self.instance.as_mut().context("no exporter is open")?;
        let accepted = instance.accept(payload, NOW_NS)?;
        let acceptance = accepted.map_err(|refusal| anyhow::anyhow!("the component refused: {refusal:?}"))?;
        Ok(acceptance.batches.into_iter().map(|batch| batch.body).collect())
    }
}
