//! What Prometheus must answer about what an SDK recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use preamp_tests::promql::{self, Labels, NativeHistogram, Series};

use crate::second_judge::captures::Producer;
use crate::second_judge::quantile::{interpolated, ranked};
use crate::second_judge::scenario::{Kind, Recorded, Traced};

/// `rate` and its kin extrapolate over the millisecond by which the range is longer than the samples are apart.
const EXTRAPOLATED: f64 = 1e-3;

/// A Prometheus that holds the captures.
pub struct Judge {
    /// Where it listens.
    pub prometheus: SocketAddr,
    /// The time of the newest sample in milliseconds.
    pub newest: i64,
    /// Whether they came over remote write 1.0. Prometheus then appends exemplars before it appends the native
    /// histogram that they came with, and so knows no series yet for those of the first.
    pub over_version_1: bool,
    /// Whether exemplars were to be sent.
    pub exemplars: bool,
}

/// A series that Prometheus must have, and its samples: one for each export.
enum Expected {
    Values(Vec<f64>),
    Histograms(Vec<Vec<f64>>),
}

impl Judge {
    /// All that is asked about one producer.
    pub fn examine(&self, producer: &Producer, recorded: &[Recorded<'_>]) -> anyhow::Result<()> {
        let all = self.all_series(producer, recorded)?;
        for recorded in recorded {
            let labels = |suffix: &str| recorded.labels(&producer.job(), suffix, scope_attributes(producer));
            match recorded.instrument.kind {
                Kind::Counter | Kind::DoubleCounter => self.counter(recorded, &labels(""), &all)?,
                Kind::UpDownCounter | Kind::Gauge => {}
                Kind::Histogram => self.classic(recorded, &labels, &all)?,
                Kind::ExponentialHistogram => self.native(recorded, &labels(""), &all)?,
            }
            self.join(producer, recorded)?;
        }
        self.exemplars(producer, recorded)
    }

    /// What selects the series of a producer that are judged.
    fn matchers(&self, producer: &Producer) -> String {
        // An SDK may measure itself as well, in a scope of its own.
        format!("job=\"{}\",otel_scope_name=~\"shop.*\"", producer.job())
    }

    /// Prometheus has the series of the scenario and no others, with all of their samples.
    fn all_series(
        &self,
        producer: &Producer,
        recorded: &[Recorded<'_>],
    ) -> anyhow::Result<BTreeMap<Labels, Series>> {
        let selector = format!("{{{}}}[1h]", self.matchers(producer));
        let mut expected = BTreeMap::new();
        for recorded in recorded {
            expect(recorded, producer, &mut expected);
        }
        let all = promql::samples(self.prometheus, &selector, self.newest)?;
        let (found, wanted): (BTreeSet<_>, BTreeSet<_>) = (all.keys().collect(), expected.keys().collect());
        same_sets("series", &found, &wanted)?;
        for (labels, expected) in &expected {
            same_samples(&all[labels], expected).with_context(|| format!("{labels:?}"))?;
        }
        Ok(all)
    }

    fn counter(
        &self,
        recorded: &Recorded<'_>,
        labels: &Labels,
        all: &BTreeMap<Labels, Series>,
    ) -> anyhow::Result<()> {
        let grown: f64 = recorded.since_first().iter().sum();
        let range = Range::of(labels, all)?;
        range.expect(self, "increase", grown)?;
        range.expect(self, "rate", grown / range.seconds)
    }

    fn classic(
        &self,
        recorded: &Recorded<'_>,
        labels: &impl Fn(&str) -> Labels,
        all: &BTreeMap<Labels, Series>,
    ) -> anyhow::Result<()> {
        let measured = recorded.since_first();
        let (count, sum) = (measured.len() as f64, measured.iter().sum::<f64>());
        let totals = Range::of(&labels("_count"), all)?;
        totals.expect(self, "increase", count)?;
        Range::of(&labels("_sum"), all)?.expect(self, "increase", sum)?;
        let [counts, sums] = ["_count", "_sum"].map(|suffix| selector(&labels(suffix), totals.milliseconds));
        let average = format!("sum(rate({sums})) / sum(rate({counts}))");
        self.expect(&average, totals.end, sum / count)?;
        let buckets = selector(&labels("_bucket"), totals.milliseconds);
        for quantile in [0.1, 0.53, 0.91] {
            let expression = format!("histogram_quantile({quantile}, rate({buckets}))");
            let expected = interpolated(quantile, &measured, &recorded.instrument.bounds);
            self.expect(&expression, totals.end, expected)?;
        }
        Ok(())
    }

    fn native(
        &self,
        recorded: &Recorded<'_>,
        labels: &Labels,
        all: &BTreeMap<Labels, Series>,
    ) -> anyhow::Result<()> {
        let measured = recorded.since_first();
        let (count, sum) = (measured.len() as f64, measured.iter().sum::<f64>());
        let range = Range::of(labels, all)?;
        let rate = format!("rate({})", selector(labels, range.milliseconds));
        self.expect(&format!("histogram_count({rate})"), range.end, count / range.seconds)?;
        self.expect(&format!("histogram_sum({rate})"), range.end, sum / range.seconds)?;
        self.expect(&format!("histogram_avg({rate})"), range.end, sum / count)?;
        let positive = measured.iter().filter(|value| **value > 0.0).count() as f64;
        let fraction = format!("histogram_fraction(1e-9, +Inf, {rate})");
        self.expect(&fraction, range.end, positive / count)?;
        for quantile in [0.13, 0.53, 0.91] {
            let answer = self.value(&format!("histogram_quantile({quantile}, {rate})"), range.end)?;
            let measured = ranked(quantile, &measured);
            // The SDKs keep 160 buckets, of which the scenario's values need 16 for each doubling.
            let near = measured.max(1e-9).log2() - answer.max(1e-9).log2();
            ensure!(near.abs() <= 1.0 / 16.0, "quantile {quantile} of {labels:?}: {answer}, not {measured}");
        }
        Ok(())
    }

    /// The attributes of the resource are at `target_info`.
    fn join(&self, producer: &Producer, recorded: &Recorded<'_>) -> anyhow::Result<()> {
        let target = recorded.target(&producer.job());
        let resource = recorded.resource_labels();
        let names: Vec<&str> = resource.keys().map(String::as_str).collect();
        let expression = format!(
            "count by (job, instance) ({}) * on (job, instance) group_left ({}) target_info",
            instant(&Labels::from_iter(
                target
                    .clone()
                    .into_iter()
                    .chain([("otel_scope_name".to_owned(), "shop.checkout".to_owned())])
            )),
            names.join(", ")
        );
        let joined = promql::query_at(self.prometheus, &expression, self.newest)?;
        let found: Vec<Labels> = joined.into_keys().collect();
        let expected = Labels::from_iter(target.into_iter().chain(resource));
        assert_eq!(found, [expected], "{expression}");
        Ok(())
    }

    fn exemplars(&self, producer: &Producer, recorded: &[Recorded<'_>]) -> anyhow::Result<()> {
        let mut expected = BTreeSet::new();
        for recorded in recorded.iter().filter(|_| self.exemplars && producer.supports("exemplars")) {
            let labels = |suffix: &str| recorded.labels(&producer.job(), suffix, scope_attributes(producer));
            for Traced { export, value, span } in &recorded.traced {
                let series = match recorded.instrument.kind {
                    Kind::ExponentialHistogram if self.over_version_1 && *export == 0 => continue,
                    Kind::Histogram => {
                        let bounds = &recorded.instrument.bounds;
                        let bound = bounds.iter().copied().find(|bound| value <= bound);
                        with_le(labels("_bucket"), bound.unwrap_or(f64::INFINITY))
                    }
                    _ => labels(""),
                };
                let ids = [("trace_id", &span.trace_id), ("span_id", &span.span_id)];
                let ids = ids.map(|(name, id)| (name.to_owned(), id.clone()));
                expected.insert((series, Labels::from(ids), value.to_bits()));
            }
        }
        let mut found = BTreeSet::new();
        let selector = format!("{{{}}}", self.matchers(producer));
        for (series, exemplars) in promql::exemplars(self.prometheus, &selector, self.newest)? {
            for exemplar in exemplars {
                let value = exemplar.value()?.to_bits();
                found.insert((series.clone(), exemplar.labels, value));
            }
        }
        same_sets("exemplars", &found, &expected)
    }

    fn value(&self, expression: &str, time: i64) -> anyhow::Result<f64> {
        let answer: Vec<f64> = promql::query_at(self.prometheus, expression, time)?.into_values().collect();
        ensure!(answer.len() == 1, "{expression} at {time} is {answer:?}");
        Ok(answer[0])
    }

    fn expect(&self, expression: &str, time: i64, expected: f64) -> anyhow::Result<()> {
        let answer = self.value(expression, time)?;
        let near = (answer - expected).abs() <= expected.abs() * EXTRAPOLATED;
        ensure!(near, "{expression} at {time} is {answer}, not {expected}");
        Ok(())
    }
}

/// A range that ends with the last sample of a series and holds the first.
struct Range {
    selector: String,
    milliseconds: i64,
    seconds: f64,
    end: i64,
}

impl Range {
    fn of(labels: &Labels, all: &BTreeMap<Labels, Series>) -> anyhow::Result<Self> {
        let series = all.get(labels).with_context(|| format!("no {labels:?}"))?;
        let (first, end) = series.span().context("no samples")?;
        // The start of a range is no part of it.
        let milliseconds = end - first + 1;
        let seconds = milliseconds as f64 / 1000.0;
        Ok(Self { selector: selector(labels, milliseconds), milliseconds, seconds, end })
    }

    fn expect(&self, judge: &Judge, function: &str, expected: f64) -> anyhow::Result<()> {
        judge.expect(&format!("{function}({})", self.selector), self.end, expected)
    }
}

fn same_sets<T: Ord + std::fmt::Debug>(
    what: &str,
    found: &BTreeSet<T>,
    expected: &BTreeSet<T>,
) -> anyhow::Result<()> {
    let missing: Vec<&T> = expected.difference(found).collect();
    let more: Vec<&T> = found.difference(expected).collect();
    ensure!(
        missing.is_empty() && more.is_empty(),
        "{what} that are missing: {missing:#?}, and too many: {more:#?}"
    );
    Ok(())
}

fn scope_attributes(producer: &Producer) -> bool {
    producer.supports("scope attributes")
}

fn expect(recorded: &Recorded<'_>, producer: &Producer, expected: &mut BTreeMap<Labels, Expected>) {
    let labels = |suffix: &str| recorded.labels(&producer.job(), suffix, scope_attributes(producer));
    match recorded.instrument.kind {
        Kind::ExponentialHistogram => {
            expected.insert(labels(""), Expected::Histograms(recorded.cumulative()));
        }
        Kind::Histogram => {
            let cumulative = recorded.cumulative();
            let of =
                |value: &dyn Fn(&Vec<f64>) -> f64| Expected::Values(cumulative.iter().map(value).collect());
            expected.insert(labels("_count"), of(&|measured| measured.len() as f64));
            expected.insert(labels("_sum"), of(&|measured| measured.iter().sum()));
            for bound in recorded.instrument.bounds.iter().copied().chain([f64::INFINITY]) {
                let up_to = move |measured: &Vec<f64>| {
                    measured.iter().filter(|value| **value <= bound).count() as f64
                };
                expected.insert(with_le(labels("_bucket"), bound), of(&up_to));
            }
        }
        _ => {
            expected.insert(labels(""), Expected::Values(recorded.values()));
        }
    }
}

fn same_samples(series: &Series, expected: &Expected) -> anyhow::Result<()> {
    match expected {
        Expected::Values(expected) => {
            let values: Vec<f64> = series.values.iter().map(|(_, value)| *value).collect();
            ensure!(
                series.histograms.is_empty() && repeats_last(&values, expected),
                "{values:?}, not {expected:?}"
            );
        }
        Expected::Histograms(expected) => {
            let last = expected.last().into_iter().cycle();
            ensure!(series.values.is_empty() && series.histograms.len() >= expected.len(), "{series:?}");
            ensure!(series.histograms.len() <= expected.len() + 1, "{series:?}");
            for ((_, histogram), measured) in series.histograms.iter().zip(expected.iter().chain(last)) {
                same_histogram(histogram, measured)?;
            }
        }
    }
    Ok(())
}

/// Some SDKs export once more when they end.
fn repeats_last(values: &[f64], expected: &[f64]) -> bool {
    let more = values.strip_prefix(expected);
    more.is_some_and(|more| more.len() <= 1 && more.iter().all(|value| Some(value) == expected.last()))
}

/// Every measurement is in its bucket.
fn same_histogram(histogram: &NativeHistogram, measured: &[f64]) -> anyhow::Result<()> {
    let total = (histogram.count, histogram.sum);
    let expected = (measured.len() as f64, measured.iter().sum::<f64>());
    ensure!(total == expected, "count and sum are {total:?}, not {expected:?}");
    let mut in_buckets = 0.0;
    for bucket in &histogram.buckets {
        let zero = bucket.lower <= 0.0;
        let held = |value: &&f64| **value <= bucket.upper && (**value > bucket.lower || zero);
        let expected = measured.iter().filter(held).count() as f64;
        ensure!(bucket.count == expected, "{bucket:?} should hold {expected} of {measured:?}");
        in_buckets += bucket.count;
    }
    ensure!(in_buckets == histogram.count, "{in_buckets} are in buckets of {}", histogram.count);
    Ok(())
}

fn with_le(mut labels: Labels, bound: f64) -> Labels {
    let le = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
    labels.insert("le".to_owned(), le);
    labels
}

fn instant(labels: &Labels) -> String {
    let matchers: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", matchers.join(","))
}

fn selector(labels: &Labels, milliseconds: i64) -> String {
    format!("{}[{milliseconds}ms]", instant(labels))
}
