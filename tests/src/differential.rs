//! The differential test: random payloads and options through Preamp and through the Collector's own
//! translator, whose outputs must be the same but for the differences that are known and foretold.

pub mod differences;
mod generate;
mod minimise;
pub mod options;
mod points;
pub mod recorded;
pub mod run;
mod values;
pub mod visit;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use preamp_core::types::{Acceptance, Encoding, Protocol};
use prost::Message as _;
use serde_json::Value;

use crate::canonical::Canonical;
use crate::oracle::{Oracle, Question};
use crate::payloads::NOW_NS;
pub use minimise::minimised;
use options::Options;

/// A payload and the options it is translated with.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is translated.
    pub payload: ExportMetricsServiceRequest,
    /// How.
    pub options: Options,
}

impl Case {
    /// Makes case number `index` of a seed: always the same for the same two numbers.
    #[must_use]
    pub fn random(seed: u64, index: u64) -> Self {
        // Cases of one group share their options, and so the exporter with all it remembers.
        let options = Options::random(&mut Rng::with_seed(seed ^ (index / GROUP).wrapping_mul(SPREAD)));
        let mut rng = Rng::with_seed(seed.rotate_left(32) ^ index.wrapping_mul(SPREAD));
        let mut case = Self { payload: generate::payload(&mut rng), options };
        if case.options.converts_histograms() && case.options.writes_classic_histograms() {
            case.tame_histograms();
        }
        case
    }

    /// The question about it for an oracle.
    ///
    /// # Errors
    /// When the options are no JSON.
    pub fn question(&self) -> anyhow::Result<Question> {
        let options = serde_json::from_str(&self.options.configuration())?;
        Ok(Question { payload: self.payload.encode_to_vec(), options })
    }

    /// Takes out of classic histograms what Preamp and the oracle treat otherwise in one of the two forms that are
    /// written of them: no question to the oracle tells the forms apart.
    fn tame_histograms(&mut self) {
        for metric in self.metrics_mut() {
            let Some(Data::Histogram(histogram)) = &mut metric.data else { continue };
            for point in &mut histogram.data_points {
                point.explicit_bounds.retain(|bound| *bound != f64::INFINITY);
                let counts = point.bucket_counts.iter_mut().chain([&mut point.count]);
                counts.for_each(|count| *count %= 1 << 55);
            }
        }
    }

    /// How many data points the payload has.
    #[must_use]
    pub fn points(&self) -> usize {
        self.clone().metrics_mut().map(|metric| visit::points(metric).len()).sum()
    }
}

/// How many cases in a row share their options.
pub const GROUP: u64 = 8;

/// Spreads neighbouring numbers.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// How often each difference came up, in the order of [`differences::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained(pub [usize; differences::ALL.len()]);

impl Explained {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}

/// What Preamp should make of a case, and which differences that takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What should be written, sorted.
    pub canonical: Canonical,
    /// The differences met.
    pub explained: Explained,
}

/// The questions about a case: what is fed to the oracle, and what differences ask beside it. These
/// further questions are inquiries themselves, with the differences before the one that asks.
struct Inquiry {
    fed: Case,
    explained: Explained,
    further: Vec<Vec<Inquiry>>,
}

impl Inquiry {
    /// The inquiry about a case, with so many of the differences.
    fn of(case: &Case, differences: usize) -> Self {
        let differences = &differences::ALL[..differences];
        let (mut fed, mut explained) = (case.clone(), Explained::default());
        for (difference, found) in differences.iter().zip(&mut explained.0) {
            *found += difference.feed(&mut fed);
        }
        let ask = |(before, difference): (usize, &&dyn differences::Difference)| {
            difference.ask(&fed).iter().map(|case| Self::of(case, before)).collect()
        };
        let further = differences.iter().enumerate().map(ask).collect();
        Self { fed, explained, further }
    }

    /// Adds the cases to ask about, in the order in which [`Inquiry::expected`] takes the answers.
    fn collect<'i>(&'i self, cases: &mut Vec<&'i Case>) {
        cases.push(&self.fed);
        self.further.iter().flatten().for_each(|inquiry| inquiry.collect(cases));
    }

    /// What should be written, not sorted yet.
    fn expected(mut self, answers: &mut dyn Iterator<Item = Canonical>) -> anyhow::Result<Expected> {
        let mut canonical = answers.next().context("too few answers")?;
        let steps = differences::ALL.iter().zip(self.further).zip(&mut self.explained.0);
        for ((difference, asked), found) in steps {
            let further = asked.into_iter().map(|inquiry| Ok(inquiry.expected(answers)?.canonical));
            let further = further.collect::<anyhow::Result<_>>()?;
            *found += difference.apply(&self.fed, &mut canonical, further)?;
        }
        Ok(Expected { canonical: canonical.joined(), explained: self.explained })
    }
}

/// Asks the oracle what Preamp should make of each case.
///
/// # Errors
/// When the oracle fails.
pub fn expected(oracle: &mut dyn Oracle, cases: &[Case]) -> anyhow::Result<Vec<Expected>> {
    let all = differences::ALL.len();
    let inquiries: Vec<_> = cases.iter().map(|case| Inquiry::of(case, all)).collect();
    let mut asked = Vec::new();
    inquiries.iter().for_each(|inquiry| inquiry.collect(&mut asked));
    let questions = asked.into_iter().map(Case::question).collect::<anyhow::Result<Vec<_>>>()?;
    let mut answers = oracle.ask_all(&questions)?.into_iter().map(Canonical::joined);
    let expected = inquiries.into_iter().map(|inquiry| {
        let expected = inquiry.expected(&mut answers)?;
        Ok(Expected { canonical: expected.canonical.sorted(), ..expected })
    });
    expected.collect()
}

/// What the exporter makes of a case, sorted.
///
/// # Errors
/// When it refuses the payload, writes what cannot be read, or loses count of the points.
pub fn actual(exporter: &mut preamp_core::Exporter, case: &Case) -> anyhow::Result<(Acceptance, Canonical)> {
    let payload = case.payload.encode_to_vec();
    let acceptance = exporter
        .accept(&payload, Encoding::Protobuf, NOW_NS)
        .map_err(|refusal| anyhow::anyhow!("the payload was refused: {refusal:?}"))?;
    let mut written = Canonical::default();
    for batch in &acceptance.batches {
        let before = written.series.len();
        match batch.protocol {
            Protocol::RemoteWriteV1 => written.add_v1(&batch.body)?,
            Protocol::RemoteWriteV2 => written.add_v2(&batch.body)?,
        }
        let (series, said) = (written.series.len() - before, batch.series as usize);
        ensure!(series == said && series > 0, "a batch of {series} series says that it has {said}");
    }
    let rejected: u64 = acceptance.rejections.iter().map(|rejection| rejection.points).sum();
    let points = case.points() as u64;
    ensure!(
        acceptance.accepted_points + rejected == points,
        "{} points were accepted and {rejected} rejected of {points}: {:?}",
        acceptance.accepted_points,
        acceptance.rejections,
    );
    Ok((acceptance, written.sorted()))
}

/// An exporter for the options of a case.
///
/// # Errors
/// When it takes no such configuration.
pub fn exporter(case: &Case) -> anyhow::Result<preamp_core::Exporter> {
    let configuration = case.options.configuration();
    preamp_core::Exporter::open(&configuration)
        .map_err(|problems| anyhow::anyhow!("{configuration}: {problems:?}"))
}

/// The difference between what was written and what should have been, as text; `None` if there is none.
#[must_use]
pub fn unexplained(expected: &Canonical, actual: &Canonical) -> Option<String> {
    if expected == actual {
        return None;
    }
    let lines = |canonical: &Canonical| -> Vec<Value> {
        let series = canonical.series.iter().map(|series| serde_json::json!(series));
        series.chain(canonical.metadata.iter().map(|metadata| serde_json::json!(metadata))).collect()
    };
    let (expected, actual) = (lines(expected), lines(actual));
    let only = |mark: char, these: &[Value], others: &[Value]| -> String {
        let these = these.iter().filter(|line| !others.contains(line));
        these.map(|line| format!("  {mark} {line}\n")).collect()
    };
    Some(only('-', &expected, &actual) + &only('+', &actual, &expected))
}

/// The difference of one case, asked afresh; `None` if there is none.
///
/// # Errors
/// When the oracle fails, or there are no such options. What Preamp fails at is a difference.
pub fn difference_of(oracle: &mut dyn Oracle, case: &Case) -> anyhow::Result<Option<String>> {
    let expected = expected(oracle, std::slice::from_ref(case))?.pop().context("no answer")?;
    Ok(match actual(&mut exporter(case)?, case) {
        Ok((_, actual)) => unexplained(&expected.canonical, &actual),
        Err(error) => Some(format!("  {error:#}\n")),
    })
}
