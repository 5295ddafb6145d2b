//! Exponential histograms as classic ones, for receivers that have no native ones.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use preamp_tests::promql::{Vector, query_at};

use crate::second_judge::captures::Producer;
use crate::second_judge::quantile::ranked;
use crate::second_judge::scenario::{Kind, Recorded};

/// At the end, each bucket holds what was measured up to its bound, and a quantile is in the same bucket as the
/// measurement of its rank.
pub fn examine(
    prometheus: SocketAddr,
    newest: i64,
    producer: &Producer,
    recorded: &[Recorded<'_>],
) -> anyhow::Result<()> {
    let exponential = recorded.iter().filter(|it| it.instrument.kind == Kind::ExponentialHistogram);
    for recorded in exponential {
        let mut measured = recorded.exports.concat();
        measured.sort_by(f64::total_cmp);
        // `call` holds a place for the series.
        let ask = |call: &str, suffix: &str| -> anyhow::Result<Vector> {
            let labels = recorded.labels(&producer.job(), suffix, producer.supports("scope attributes"));
            let matchers: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            query_at(prometheus, &call.replace("SERIES", &format!("{{{}}}", matchers.join(","))), newest)
        };
        let one = |answer: Vector| answer.into_values().next().context("no answer");
        assert_eq!(one(ask("SERIES", "_count")?)?, measured.len() as f64);
        assert_eq!(one(ask("SERIES", "_sum")?)?, measured.iter().sum::<f64>());
        let buckets = ask("SERIES", "_bucket")?;
        ensure!(buckets.len() >= 2, "{buckets:?}");
        let mut bounds = Vec::new();
        for (labels, count) in buckets {
            let bound: f64 = labels["le"].parse()?;
            bounds.push(bound);
            let expected = measured.iter().filter(|value| **value <= bound).count() as f64;
            ensure!(count == expected, "{labels:?} holds {count}, not {expected} of {measured:?}");
        }
        for quantile in [0.53, 0.91] {
            let answer = one(ask(&format!("histogram_quantile({quantile}, SERIES)"), "_bucket")?)?;
            let measured = ranked(quantile, &measured);
            let bucket = |value: f64| bounds.iter().filter(|bound| **bound < value).count();
            let near = bucket(answer) == bucket(measured);
            ensure!(near, "quantile {quantile} of {}: {answer}, not {measured} in {bounds:?}", producer.name);
        }
    }
    Ok(())
}
