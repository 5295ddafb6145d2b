//! Makes a case that differs as small as it gets.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::visit::points;
use super::{Case, exporter};

/// The smallest case found that still differs, by taking parts away one by one while it does.
///
/// # Errors
/// When the question cannot be answered.
pub fn minimised(
    case: &Case,
    mut differs: impl FnMut(&Case) -> anyhow::Result<bool>,
) -> anyhow::Result<Case> {
    let mut smallest = case.clone();
    loop {
        let mut found = None;
        for smaller in smaller(&smallest) {
            // Some options need others.
            if exporter(&smaller).is_ok() && differs(&smaller)? {
                found = Some(smaller);
                break;
            }
        }
        match found {
            Some(smaller) => smallest = smaller,
            None => return Ok(smallest),
        }
    }
}

/// All cases with one part less.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all: Vec<Case> = case
        .options
        .0
        .keys()
        .map(|key| {
            let mut smaller = case.clone();
            smaller.options.0.remove(key);
            smaller
        })
        .collect();
    for part in PARTS {
        let mut count = 0;
        // Counts the parts of this kind, then takes each of them away.
        part(&mut case.clone(), &mut |length| {
            count += length;
            None
        });
        for taken in 0..count {
            let mut smaller = case.clone();
            let mut before = 0;
            part(&mut smaller, &mut |length| {
                let at = taken.checked_sub(before).filter(|at| *at < length);
                before += length;
                at
            });
            all.push(smaller);
        }
    }
    all
}

/// Told how many parts there are at one place, says which one to take away.
type Choice<'c> = &'c mut dyn FnMut(usize) -> Option<usize>;

const PARTS: [fn(&mut Case, Choice); 7] =
    [take_resources, take_scopes, take_metrics, take_points, take_exemplars, take_attributes, take_details];

fn take<T>(parts: &mut Vec<T>, choice: Choice) {
    if let Some(at) = choice(parts.len()) {
        parts.remove(at);
    }
}

fn take_option<T>(part: &mut Option<T>, choice: Choice) {
    if choice(usize::from(part.is_some())).is_some() {
        *part = None;
    }
}

fn take_resources(case: &mut Case, choice: Choice) {
    take(&mut case.payload.resource_metrics, choice);
}

fn take_scopes(case: &mut Case, choice: Choice) {
    for resource in &mut case.payload.resource_metrics {
        take(&mut resource.scope_metrics, choice);
    }
}

fn take_metrics(case: &mut Case, choice: Choice) {
    for resource in &mut case.payload.resource_metrics {
        resource.scope_metrics.iter_mut().for_each(|scope| take(&mut scope.metrics, choice));
    }
}

fn take_points(case: &mut Case, choice: Choice) {
    for metric in case.metrics_mut() {
        match &mut metric.data {
            None => {}
            Some(Data::Gauge(data)) => take(&mut data.data_points, choice),
            Some(Data::Sum(data)) => take(&mut data.data_points, choice),
            Some(Data::Histogram(data)) => take(&mut data.data_points, choice),
            Some(Data::ExponentialHistogram(data)) => take(&mut data.data_points, choice),
            Some(Data::Summary(data)) => take(&mut data.data_points, choice),
        }
    }
}

fn take_attributes(case: &mut Case, choice: Choice) {
    case.visit_attributes(&mut |attributes| take(attributes, choice));
}

fn take_exemplars(case: &mut Case, choice: Choice) {
    for point in case.metrics_mut().flat_map(points) {
        point.exemplars().into_iter().for_each(|exemplars| take(exemplars, choice));
    }
}

/// What only some types have.
fn take_details(case: &mut Case, choice: Choice) {
    for metric in case.metrics_mut() {
        match &mut metric.data {
            Some(Data::Histogram(data)) => {
                for point in &mut data.data_points {
                    take(&mut point.explicit_bounds, choice);
                    take(&mut point.bucket_counts, choice);
                }
            }
            Some(Data::ExponentialHistogram(data)) => {
                for point in &mut data.data_points {
                    take_option(&mut point.positive, choice);
                    take_option(&mut point.negative, choice);
                    for side in [&mut point.positive, &mut point.negative].into_iter().flatten() {
                        take(&mut side.bucket_counts, choice);
                    }
                }
            }
            Some(Data::Summary(data)) => {
                data.data_points.iter_mut().for_each(|point| take(&mut point.quantile_values, choice));
            }
            _ => {}
        }
    }
}
