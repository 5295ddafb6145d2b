//! Since when samples count.

use super::{Difference, target_info};
use crate::canonical::{Canonical, Histogram, Sample};
use crate::differential::Case;
use crate::differential::visit::points;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

/// Remote write 2.0 carries the time at which a point began to count.
pub struct Written;

impl Difference for Written {
    fn heading(&self) -> &'static str {
        "Start timestamps are written in 2.0"
    }

    /// The same points at the times when they began: what then stands as time of a sample is its start. Gauges
    /// begin nowhere.
    fn ask(&self, case: &Case) -> Vec<Case> {
        if !case.options.is_v2() {
            return Vec::new();
        }
        let mut started = case.clone();
        for metric in started.metrics_mut() {
            let is_gauge = matches!(metric.data, Some(Data::Gauge(_)));
            for point in points(metric) {
                *point.time() = if is_gauge { 0 } else { point.start() };
            }
        }
        vec![started]
    }

    fn apply(&self, case: &Case, answer: &mut Canonical, further: Vec<Canonical>) -> anyhow::Result<usize> {
        let target_info = target_info::name(&case.options);
        let mut found = 0;
        for started in further.into_iter().flat_map(|canonical| canonical.series) {
            let of_points = |name: &str| name != target_info;
            let series = answer.series.iter_mut().find(|series| series.labels == started.labels);
            let Some(series) = series.filter(|series| series.label("__name__").is_some_and(of_points)) else {
                continue;
            };
            let same = |a: &Sample, b: &Sample| a.value == b.value;
            found += set_starts(&mut series.samples, started.samples, same, |sample, from| {
                sample.start = from.time;
                sample.start != 0
            });
            let same = |a: &Histogram, b: &Histogram| Histogram { time: a.time, ..b.clone() } == *a;
            found += set_starts(&mut series.histograms, started.histograms, same, |histogram, from| {
                histogram.start = from.time;
                histogram.start != 0
            });
        }
        Ok(found)
    }
}

/// Sets the start of each from the first of the same content that is left. Returns how many got one.
fn set_starts<T>(
    all: &mut [T],
    mut started: Vec<T>,
    same: impl Fn(&T, &T) -> bool,
    set: impl Fn(&mut T, &T) -> bool,
) -> usize {
    let mut found = 0;
    for one in all {
        if let Some(at) = started.iter().position(|other| same(one, other)) {
            found += usize::from(set(one, &started.remove(at)));
        }
    }
    found
}
