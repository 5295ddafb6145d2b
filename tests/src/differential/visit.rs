//! The parts of a payload that all types of metrics have alike.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
};

use super::Case;

/// What a data point of any type has.
pub trait Point {
    /// `attributes`.
    fn attributes(&mut self) -> &mut Vec<KeyValue>;
    /// `exemplars`, of those types that have them.
    fn exemplars(&mut self) -> Option<&mut Vec<Exemplar>>;
}

macro_rules! point {
    ($type:ty, |$point:ident| $exemplars:expr) => {
        impl Point for $type {
            fn attributes(&mut self) -> &mut Vec<KeyValue> {
                &mut self.attributes
            }
            fn exemplars(&mut self) -> Option<&mut Vec<Exemplar>> {
                let $point = self;
                $exemplars
            }
        }
    };
}

point!(NumberDataPoint, |point| Some(&mut point.exemplars));
point!(HistogramDataPoint, |point| Some(&mut point.exemplars));
point!(ExponentialHistogramDataPoint, |point| Some(&mut point.exemplars));
point!(SummaryDataPoint, |_point| None);

/// The points of a metric of any type.
pub fn points(metric: &mut Metric) -> Vec<&mut dyn Point> {
    fn all<P: Point>(points: &mut [P]) -> Vec<&mut dyn Point> {
        points.iter_mut().map(|point| point as &mut dyn Point).collect()
    }
    match &mut metric.data {
        None => Vec::new(),
        Some(Data::Gauge(data)) => all(&mut data.data_points),
        Some(Data::Sum(data)) => all(&mut data.data_points),
        Some(Data::Histogram(data)) => all(&mut data.data_points),
        Some(Data::ExponentialHistogram(data)) => all(&mut data.data_points),
        Some(Data::Summary(data)) => all(&mut data.data_points),
    }
}

/// A metric for each of its points, with that point alone.
#[must_use]
pub fn each_point(metric: &Metric) -> Vec<Metric> {
    let count = points(&mut metric.clone()).len();
    let alone = |at: usize| {
        let mut alone = metric.clone();
        match &mut alone.data {
            None => {}
            Some(Data::Gauge(data)) => keep_only(&mut data.data_points, at),
            Some(Data::Sum(data)) => keep_only(&mut data.data_points, at),
            Some(Data::Histogram(data)) => keep_only(&mut data.data_points, at),
            Some(Data::ExponentialHistogram(data)) => keep_only(&mut data.data_points, at),
            Some(Data::Summary(data)) => keep_only(&mut data.data_points, at),
        }
        alone
    };
    (0..count).map(alone).collect()
}

fn keep_only<P>(points: &mut Vec<P>, at: usize) {
    points.truncate(at + 1);
    points.drain(..at);
}

impl Case {
    /// All metrics, in order.
    pub fn metrics_mut(&mut self) -> impl Iterator<Item = &mut Metric> {
        let resources = self.payload.resource_metrics.iter_mut();
        resources.flat_map(|resource| &mut resource.scope_metrics).flat_map(|scope| &mut scope.metrics)
    }

    /// Shows each list of attributes: of resources, scopes, points and exemplars.
    pub fn visit_attributes(&mut self, visit: &mut dyn FnMut(&mut Vec<KeyValue>)) {
        for resource_metrics in &mut self.payload.resource_metrics {
            resource_metrics.resource.iter_mut().for_each(|resource| visit(&mut resource.attributes));
            let scopes =
                resource_metrics.scope_metrics.iter_mut().filter_map(|metrics| metrics.scope.as_mut());
            scopes.for_each(|scope| visit(&mut scope.attributes));
        }
        for point in self.metrics_mut().flat_map(points) {
            visit(point.attributes());
            let exemplars = point.exemplars().into_iter().flatten();
            exemplars.for_each(|exemplar| visit(&mut exemplar.filtered_attributes));
        }
    }
}
