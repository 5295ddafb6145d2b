//! Quantiles of what was measured.

/// The measurement of a rank, of sorted ones. Quantiles must be chosen so that no rank is a whole number.
pub fn ranked(quantile: f64, sorted: &[f64]) -> f64 {
    sorted[(quantile * sorted.len() as f64).ceil() as usize - 1]
}

/// What `histogram_quantile` makes of buckets with these upper bounds (Prometheus documentation, "Query functions"):
/// measurements are taken to be spread evenly in a bucket, and none to be above the highest bound.
pub fn interpolated(quantile: f64, sorted: &[f64], bounds: &[f64]) -> f64 {
    let up_to = |bound: f64| sorted.partition_point(|value| *value <= bound) as f64;
    let measured = ranked(quantile, sorted);
    let Some(index) = bounds.iter().position(|bound| measured <= *bound) else {
        return bounds[bounds.len() - 1];
    };
    let upper = bounds[index];
    let lower = if index == 0 { 0.0 } else { bounds[index - 1] };
    let below = if index == 0 { 0.0 } else { up_to(lower) };
    lower + (upper - lower) * (quantile * sorted.len() as f64 - below) / (up_to(upper) - below)
}
