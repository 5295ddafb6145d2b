//! Random data points of all types.

use fastrand::Rng;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint, exemplar,
    number_data_point,
};

use super::options::pick;
use super::values::{attributes, count, double, integer, start, time};

/// A few points; sometimes one of them twice, sometimes none.
pub fn some<P>(rng: &mut Rng, point: fn(&mut Rng) -> P) -> Vec<P> {
    let most = if rng.u8(..8) == 0 { 0 } else { rng.usize(1..=3) };
    (0..most).map(|_| point(rng)).collect()
}

/// The flag that says that a series has ended, and one that says nothing yet.
fn flags(rng: &mut Rng) -> u32 {
    if rng.u8(..8) == 0 { pick(rng, &[1, 1, 1, 2, 3]) } else { 0 }
}

/// A point of a gauge or sum.
pub fn number(rng: &mut Rng) -> NumberDataPoint {
    let value = match rng.u8(..10) {
        0 => None,
        1..=4 => Some(number_data_point::Value::AsInt(integer(rng))),
        _ => Some(number_data_point::Value::AsDouble(double(rng))),
    };
    NumberDataPoint {
        attributes: attributes(rng, 3),
        start_time_unix_nano: start(rng),
        time_unix_nano: time(rng),
        exemplars: exemplars(rng),
        flags: flags(rng),
        value,
    }
}

/// A point of a classic histogram. Bounds and counts need not fit each other.
pub fn histogram(rng: &mut Rng) -> HistogramDataPoint {
    let mut explicit_bounds: Vec<f64> = (0..rng.usize(..5)).map(|_| bound(rng)).collect();
    if rng.u8(..4) > 0 {
        explicit_bounds.sort_by(f64::total_cmp);
        explicit_bounds.dedup();
    } else {
        // Out of order, nothing says which of the two zeros is the first.
        explicit_bounds.retain(|bound| bound.to_bits() != (-0.0f64).to_bits());
    }
    let counts = match rng.u8(..8) {
        0 => rng.usize(..7),
        _ => explicit_bounds.len() + 1,
    };
    let bucket_counts: Vec<u64> = (0..counts).map(|_| count(rng)).collect();
    HistogramDataPoint {
        attributes: attributes(rng, 3),
        start_time_unix_nano: start(rng),
        time_unix_nano: time(rng),
        count: if rng.bool() { bucket_counts.iter().fold(0, |a, b| a.wrapping_add(*b)) } else { count(rng) },
        sum: (rng.u8(..4) > 0).then(|| double(rng)),
        bucket_counts,
        explicit_bounds,
        exemplars: exemplars(rng),
        flags: flags(rng),
        min: rng.bool().then(|| double(rng)),
        max: rng.bool().then(|| double(rng)),
    }
}

fn bound(rng: &mut Rng) -> f64 {
    let bounds = [0.005, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 1e6, 1e-5, 1e21, -1.0, 0.0, -0.0, f64::INFINITY];
    match rng.u8(..16) {
        // With a bound that is no number, the order of sorted bounds depends on how they were sorted.
        0 => Some(double(rng)).filter(|bound| !bound.is_nan()).unwrap_or(1.0),
        _ => pick(rng, &bounds),
    }
}

/// A point of a summary.
pub fn summary(rng: &mut Rng) -> SummaryDataPoint {
    let quantile = |rng: &mut Rng| ValueAtQuantile {
        quantile: if rng.u8(..6) == 0 { double(rng) } else { pick(rng, &[0.0, 0.5, 0.9, 0.99, 1.0]) },
        value: double(rng),
    };
    SummaryDataPoint {
        attributes: attributes(rng, 3),
        start_time_unix_nano: start(rng),
        time_unix_nano: time(rng),
        count: count(rng),
        sum: double(rng),
        quantile_values: (0..rng.usize(..4)).map(|_| quantile(rng)).collect(),
        flags: flags(rng),
    }
}

/// A point of an exponential histogram.
pub fn exponential(rng: &mut Rng) -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes: attributes(rng, 3),
        start_time_unix_nano: start(rng),
        time_unix_nano: time(rng),
        count: count(rng),
        sum: (rng.u8(..4) > 0).then(|| double(rng)),
        scale: match rng.u8(..8) {
            0 => pick(rng, &[-5, -11, 20, i32::MIN]),
            _ => rng.i32(-4..=13),
        },
        zero_count: count(rng),
        positive: (rng.u8(..8) > 0).then(|| buckets(rng)),
        negative: rng.bool().then(|| buckets(rng)),
        flags: flags(rng),
        exemplars: exemplars(rng),
        min: rng.bool().then(|| double(rng)),
        max: rng.bool().then(|| double(rng)),
        zero_threshold: if rng.bool() { 0.0 } else { pick(rng, &[0.5, 1e-128, -0.0, 1e-300, f64::NAN]) },
    }
}

/// Buckets with runs of zeros between the counts, as sparse data makes them.
fn buckets(rng: &mut Rng) -> Buckets {
    let mut bucket_counts = Vec::new();
    for _ in 0..rng.usize(..6) {
        if rng.bool() {
            bucket_counts.extend(std::iter::repeat_n(0, rng.usize(..9)));
        }
        bucket_counts.push(count(rng));
    }
    let offset = match rng.u8(..8) {
        0 => rng.i32(-1_000_000..1_000_000),
        _ => rng.i32(-20..20),
    };
    Buckets { offset, bucket_counts }
}

fn exemplars(rng: &mut Rng) -> Vec<Exemplar> {
    let most = if rng.u8(..3) == 0 { rng.usize(..4) } else { 0 };
    (0..most).map(|_| exemplar(rng)).collect()
}

fn exemplar(rng: &mut Rng) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(rng, 3),
        time_unix_nano: time(rng),
        span_id: id(rng, 8),
        trace_id: id(rng, 16),
        value: match rng.u8(..8) {
            0 => None,
            1..=3 => Some(exemplar::Value::AsInt(integer(rng))),
            _ => Some(exemplar::Value::AsDouble(double(rng))),
        },
    }
}

/// An id of a trace or span: any, absent, or of zeros only, which is as good as absent.
fn id(rng: &mut Rng, length: usize) -> Vec<u8> {
    match rng.u8(..4) {
        0 => Vec::new(),
        1 => vec![0; length],
        _ => (0..length).map(|_| rng.u8(..)).collect(),
    }
}
