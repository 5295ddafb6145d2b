//! Differences of points of any type: some are refused.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::Difference;
use crate::differential::Case;
use crate::differential::visit::points;
use crate::payloads::text;

/// A number without a value is refused.
pub struct WithoutValue;

impl Difference for WithoutValue {
    fn heading(&self) -> &'static str {
        "Numbers without a value are refused"
    }

    /// The oracle refuses a point with an attribute that has no name, and takes its time all the same.
    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        for metric in case.metrics_mut() {
            let points = match &mut metric.data {
                Some(Data::Gauge(gauge)) => &mut gauge.data_points,
                Some(Data::Sum(sum)) => &mut sum.data_points,
                _ => continue,
            };
            for point in points.iter_mut().filter(|point| point.value.is_none() && point.flags & 1 == 0) {
                point.attributes.push(text("", "refused"));
                found += 1;
            }
        }
        found
    }
}

/// A point without a time, or with one that is not in nanoseconds, is refused.
pub struct WithoutTime;

impl Difference for WithoutTime {
    fn heading(&self) -> &'static str {
        "Points without a time, or with one in another unit, are refused"
    }

    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        for metric in case.metrics_mut() {
            let before = points(metric).len();
            match &mut metric.data {
                None => {}
                Some(Data::Gauge(data)) => data.data_points.retain(|point| is_time(point.time_unix_nano)),
                Some(Data::Sum(data)) => data.data_points.retain(|point| is_time(point.time_unix_nano)),
                Some(Data::Histogram(data)) => data.data_points.retain(|point| is_time(point.time_unix_nano)),
                Some(Data::ExponentialHistogram(data)) => {
                    data.data_points.retain(|point| is_time(point.time_unix_nano));
                }
                Some(Data::Summary(data)) => data.data_points.retain(|point| is_time(point.time_unix_nano)),
            }
            found += before - points(metric).len();
        }
        found
    }
}

/// Whether a time is not 0, and lies outside of what the years 2001 to 2286 are in seconds, milliseconds and
/// microseconds.
fn is_time(nanos: u64) -> bool {
    let in_unit = |second: u64| (1_000_000_000 * second..10_000_000_000 * second).contains(&nanos);
    nanos != 0 && ![1, 1_000, 1_000_000].into_iter().any(in_unit)
}
