//! What came of a demo: three independent counts (the SDK's, Preamp's ledger, the stand-in's) and whether they agree.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use amp_stand_in::{KeptSample, Labels, Report};

use super::workload::Key;
use preamp_host::metrics::Snapshot;

/// Everything that was counted.
pub(super) struct Summary {
    /// How long metrics were produced and delivered.
    pub(super) took: Duration,
    /// Points the SDK exported.
    pub(super) exported: u64,
    /// Points whose export failed.
    pub(super) export_failed: u64,
    /// Where Preamp says every point is.
    pub(super) ledger: Snapshot,
    /// What the stand-in counted.
    pub(super) report: Report,
    /// Recorded series whose last stored value is the recorded one.
    pub(super) matching: usize,
    /// Recorded series that ended with another value, or never arrived.
    pub(super) deviations: Vec<String>,
}

impl Summary {
    /// Everything that is not as it should be, one sentence each; empty when nothing was lost.
    pub(super) fn problems(&self) -> Vec<String> {
        let Self { ledger, report, .. } = self;
        let mut problems = Vec::new();
        let mut expect = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        expect(self.exported > 0, "the SDK exported nothing".to_owned());
        expect(self.export_failed == 0, format!("the export of {} points failed", self.export_failed));
        expect(
            ledger.accepted == self.exported,
            format!("the SDK exported {} points, but {} were accepted", self.exported, ledger.accepted),
        );
        expect(ledger.balances(), format!("the ledger does not balance: {ledger:?}"));
        expect(
            ledger.delivered == ledger.accepted,
            format!(
                "of {} points accepted, {} were delivered: {ledger:?}",
                ledger.accepted, ledger.delivered
            ),
        );
        expect(report.refused() == 0, format!("samples were refused: {:?}", report.samples_refused));
        expect(report.unverified == 0, format!("{} requests had a bad signature", report.unverified));
        if !problems.is_empty() && !report.latest_errors.is_empty() {
            problems.push(format!("latest answers other than 2xx: {:?}", report.latest_errors));
        }
        problems.extend(self.deviations.iter().take(10).cloned());
        problems
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ledger, report, .. } = self;
        let mut line = |name: &str, number: u64, text: String| {
            writeln!(f, "  {name:<12} {:>12}  {text}", grouped(number))
        };
        line(
            "points in",
            ledger.accepted,
            format!("accepted over OTLP/gRPC in {:.1} s", self.took.as_secs_f64()),
        )?;
        line("delivered", ledger.delivered, "points the workspace answered for with success".to_owned())?;
        line("rejected", lost(ledger), "points rejected, expired or left waiting".to_owned())?;
        line("series", report.series, format!("{} of them checked: last value as recorded", self.matching))?;
        line(
            "samples",
            report.samples_stored,
            format!("stored; {} more were repeats", grouped(report.samples_repeated)),
        )?;
        line(
            "bytes",
            report.body_bytes,
            format!("sent; {} before compression", grouped(report.uncompressed_bytes)),
        )?;
        line("requests", report.requests, format!("{} signatures verified", grouped(report.verified)))?;
        if !report.faults.is_empty() {
            let faults: Vec<String> =
                report.faults.iter().map(|(name, count)| format!("{count} x {name}")).collect();
            line("faults", report.faults.values().sum(), faults.join(", "))?;
        }
        Ok(())
    }
}

fn lost(ledger: &Snapshot) -> u64 {
    ledger.settled() - ledger.delivered + ledger.queued
}

/// Compares the books of the producer with the last sample of each series. Gives how many agree, and those that
/// do not.
pub(super) fn compare(
    books: &BTreeMap<Key, f64>,
    kept: &BTreeMap<Labels, Vec<KeptSample>>,
) -> (usize, Vec<String>) {
    let mut matching = 0;
    let mut deviations = Vec::new();
    let last_values: BTreeMap<Labels, f64> = kept
        .iter()
        .filter_map(|(labels, samples)| Some((from_attributes(labels), samples.last()?.value)))
        .collect();
    for ((name, attributes), recorded) in books {
        let mut labels: Labels = vec![("__name__".to_owned(), (*name).to_owned())];
        labels.extend(attributes.iter().map(|(label, value)| ((*label).to_owned(), value.clone())));
        match last_values.get(&labels) {
            Some(value) if value == recorded => matching += 1,
            Some(value) => deviations.push(format!("{labels:?} ended with {value}, not {recorded}")),
            None => deviations.push(format!("{labels:?} never arrived")),
        }
    }
    (matching, deviations)
}

/// A label set without what comes from the resource and the scope.
fn from_attributes(labels: &Labels) -> Labels {
    let added = |name: &str| matches!(name, "job" | "instance") || name.starts_with("otel_scope_");
    labels.iter().filter(|(name, _)| !added(name)).cloned().collect()
}

/// A number in groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced() -> Summary {
        Summary {
            took: Duration::from_secs(5),
            exported: 10,
            export_failed: 0,
            ledger: Snapshot { accepted: 10, delivered: 10, ..Snapshot::default() },
            report: Report { requests: 2, verified: 2, ..Report::default() },
            matching: 1,
            deviations: Vec::new(),
        }
    }

    #[test]
    fn a_balanced_summary_has_no_problem() {
        assert_eq!(balanced().problems(), Vec::<String>::new());
    }

    /// What a problem says, and what causes it.
    type Loss = (&'static str, fn(&mut Summary));

    #[test]
    fn every_kind_of_loss_is_a_problem() {
        let losses: [Loss; 8] = [
            ("exported nothing", |it| (it.exported, it.ledger.accepted, it.ledger.delivered) = (0, 0, 0)),
            ("failed", |it| it.export_failed = 1),
            ("were accepted", |it| it.exported = 11),
            ("does not balance", |it| it.ledger.queued = 1),
            ("were delivered", |it| (it.ledger.delivered, it.ledger.partly_rejected) = (9, 1)),
            ("refused", |it| it.report.samples_refused = BTreeMap::from([("too-old", 1)])),
            ("bad signature", |it| it.report.unverified = 1),
            ("never arrived", |it| it.deviations.push("a series never arrived".to_owned())),
        ];
        for (expected, lose) in losses {
            let mut summary = balanced();
            lose(&mut summary);
            let problems = summary.problems();
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
        }
    }

    #[test]
    fn the_books_are_compared_with_the_last_sample() {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let labels = vec![
            label("__name__", "m"),
            label("job", "shop"),
            label("otel_scope_name", "s"),
            label("route", "/a"),
        ];
        let samples = vec![KeptSample { timestamp: 1, value: 1.0 }, KeptSample { timestamp: 2, value: 2.0 }];
        let kept = BTreeMap::from([(labels, samples)]);
        let book = |route: &str, value| {
            let key: Key = ("m", vec![("route", route.to_owned())]);
            BTreeMap::from([(key, value)])
        };
        assert_eq!(compare(&book("/a", 2.0), &kept), (1, Vec::new()));
        assert_eq!(compare(&book("/a", 1.0), &kept).1.len(), 1);
        assert_eq!(compare(&book("/b", 2.0), &kept).1.len(), 1);
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
