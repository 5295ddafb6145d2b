//! Runs many cases, on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow, ensure};
use prost::Message as _;

use super::{Case, Explained, GROUP, actual, expected, exporter, unexplained};
use crate::oracle::Oracle;

/// Which cases to run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What the cases are made from.
    pub seed: u64,
    /// How many cases; rounded up to whole groups.
    pub cases: u64,
    /// How many threads work at once, each with an oracle of its own.
    pub jobs: usize,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases that were compared.
    pub cases: u64,
    /// Series that were the same, as many as the oracle told.
    pub series: u64,
    /// Points that Preamp took.
    pub points: u64,
    /// How often each known difference came up.
    pub explained: Explained,
    /// Cases that differ, by number, with what differs; a run ends early when there are several.
    pub failures: Vec<(u64, String)>,
}

/// Another form of the exporter, which must write the same bytes as the library.
pub trait Form {
    /// Opens an exporter; the next payloads are its.
    ///
    /// # Errors
    /// When it does not take the configuration.
    fn open(&mut self, configuration: &str) -> anyhow::Result<()>;

    /// The request bodies that the open exporter makes of a payload.
    ///
    /// # Errors
    /// When it refuses the payload or fails.
    fn bodies(&mut self, payload: &[u8]) -> anyhow::Result<Vec<Vec<u8>>>;
}

/// No other form: the library alone is compared.
pub struct LibraryOnly;

impl Form for LibraryOnly {
    fn open(&mut self, _configuration: &str) -> anyhow::Result<()> {
        Ok(())
    }

    fn bodies(&mut self, _payload: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

/// How many groups a thread takes at once.
const GROUPS_AT_ONCE: u64 = 8;

/// How many failures end a run.
const FAILURES_MAX: usize = 5;

/// Runs the cases; each thread asks the oracle and the form that `oracle` and `form` make for it.
///
/// # Errors
/// When an oracle or a form cannot be started, or an oracle fails.
pub fn run<O: Oracle, F: Form>(
    run: &Run,
    oracle: impl Fn() -> anyhow::Result<O> + Sync,
    form: impl Fn() -> anyhow::Result<Option<F>> + Sync,
) -> anyhow::Result<Report> {
    let report = Mutex::new(Report::default());
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let work = || -> anyhow::Result<()> {
            let mut worker = Worker { seed: run.seed, oracle: oracle()?, form: form()? };
            loop {
                let first = next.fetch_add(GROUPS_AT_ONCE * GROUP, Ordering::Relaxed);
                if first >= run.cases || full(&report) {
                    return Ok(());
                }
                let last = (first + GROUPS_AT_ONCE * GROUP).min(run.cases.next_multiple_of(GROUP));
                let part = worker.part(first, last)?;
                report.lock().map_err(|_| anyhow!("another thread panicked"))?.add(part);
            }
        };
        let workers: Vec<_> = (0..run.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a thread panicked"))?)
    })?;
    report.into_inner().context("a thread panicked")
}

fn full(report: &Mutex<Report>) -> bool {
    report.lock().map_or(true, |report| report.failures.len() >= FAILURES_MAX)
}

impl Report {
    fn add(&mut self, part: Self) {
        self.cases += part.cases;
        self.series += part.series;
        self.points += part.points;
        self.explained.add(&part.explained);
        self.failures.extend(part.failures);
    }
}

struct Worker<O, F> {
    seed: u64,
    oracle: O,
    form: Option<F>,
}

impl<O: Oracle, F: Form> Worker<O, F> {
    /// The report on the cases from `first` to before `last`, which are whole groups.
    fn part(&mut self, first: u64, last: u64) -> anyhow::Result<Report> {
        let cases: Vec<_> = (first..last).map(|index| Case::random(self.seed, index)).collect();
        let expected = expected(&mut self.oracle, &cases)?;
        let mut report = Report::default();
        let indexed: Vec<_> = (first..last).zip(cases.iter().zip(&expected)).collect();
        for group in indexed.chunks(GROUP as usize) {
            let mut exporter = exporter(group[0].1.0)?;
            if let Some(form) = &mut self.form {
                form.open(&group[0].1.0.options.configuration())?;
            }
            for (index, (case, expected)) in group {
                report.cases += 1;
                report.series += expected.canonical.series.len() as u64;
                report.explained.add(&expected.explained);
                match self.compare(&mut exporter, case, expected) {
                    Ok(points) => report.points += points,
                    Err(difference) => report.failures.push((*index, format!("{difference:#}"))),
                }
            }
        }
        Ok(report)
    }

    fn compare(
        &mut self,
        exporter: &mut preamp_core::Exporter,
        case: &Case,
        expected: &super::Expected,
    ) -> anyhow::Result<u64> {
        let (acceptance, written) = actual(exporter, case)?;
        if let Some(difference) = unexplained(&expected.canonical, &written) {
            return Err(anyhow!("{difference}"));
        }
        if let Some(form) = &mut self.form {
            let bodies = form.bodies(&case.payload.encode_to_vec())?;
            let same = acceptance.batches.iter().map(|batch| &batch.body).eq(&bodies);
            ensure!(same, "the component writes other bytes than the library");
        }
        Ok(acceptance.accepted_points)
    }
}
