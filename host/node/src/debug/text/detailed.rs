//! Everything that a payload holds.

use super::{Lines, fixed, line, moment, typed};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, SummaryDataPoint, exemplar, number_data_point,
};
use preamp_base::printable::Line;
use std::fmt::Write as _;

/// Everything.
pub(in crate::debug) fn detailed(request: &ExportMetricsServiceRequest) -> String {
    let mut lines = Lines::default();
    for (number, ResourceMetrics { resource, scope_metrics, schema_url }) in
        request.resource_metrics.iter().enumerate()
    {
        line!(lines, "ResourceMetrics #{number}");
        line!(lines, "Resource SchemaURL: {}", Line(schema_url));
        let resource = resource.clone().unwrap_or_default();
        lines.attributes("Resource attributes", "", &resource.attributes);
        for (number, ScopeMetrics { scope, metrics, schema_url }) in scope_metrics.iter().enumerate() {
            line!(lines, "ScopeMetrics #{number}");
            line!(lines, "ScopeMetrics SchemaURL: {}", Line(schema_url));
            let InstrumentationScope { name, version, attributes, .. } = scope.clone().unwrap_or_default();
            line!(lines, "InstrumentationScope {} {}", Line(&name), Line(&version));
            lines.attributes("InstrumentationScope attributes", "", &attributes);
            for (number, metric) in metrics.iter().enumerate() {
                line!(lines, "Metric #{number}");
                lines.metric(metric);
            }
        }
    }
    lines.0
}

impl Lines {
    fn attributes(&mut self, title: &str, indent: &str, attributes: &[KeyValue]) {
        if attributes.is_empty() {
            return;
        }
        line!(self, "{indent}{title}:");
        for pair in attributes {
            line!(self, "{indent}     -> {}: {}", Line(&pair.key), Line(typed(pair.value.as_ref())));
        }
    }

    fn metric(&mut self, metric: &Metric) {
        line!(self, "Descriptor:");
        line!(self, "     -> Name: {}", Line(&metric.name));
        line!(self, "     -> Description: {}", Line(&metric.description));
        line!(self, "     -> Unit: {}", Line(&metric.unit));
        let kind = match &metric.data {
            None => "Empty",
            Some(Data::Gauge(_)) => "Gauge",
            Some(Data::Sum(_)) => "Sum",
            Some(Data::Histogram(_)) => "Histogram",
            Some(Data::ExponentialHistogram(_)) => "ExponentialHistogram",
            Some(Data::Summary(_)) => "Summary",
        };
        line!(self, "     -> DataType: {kind}");
        match &metric.data {
            None => {}
            Some(Data::Gauge(data)) => self.numbers(&data.data_points),
            Some(Data::Sum(data)) => {
                line!(self, "     -> IsMonotonic: {}", data.is_monotonic);
                self.temporality(data.aggregation_temporality);
                self.numbers(&data.data_points);
            }
            Some(Data::Histogram(data)) => {
                self.temporality(data.aggregation_temporality);
                data.data_points.iter().enumerate().for_each(|(number, point)| self.histogram(number, point));
            }
            Some(Data::ExponentialHistogram(data)) => {
                self.temporality(data.aggregation_temporality);
                data.data_points
                    .iter()
                    .enumerate()
                    .for_each(|(number, point)| self.exponential(number, point));
            }
            Some(Data::Summary(data)) => {
                data.data_points.iter().enumerate().for_each(|(number, point)| self.summary(number, point));
            }
        }
    }

    fn temporality(&mut self, temporality: i32) {
        let name = match temporality {
            1 => "Delta",
            2 => "Cumulative",
            _ => "Unspecified",
        };
        line!(self, "     -> AggregationTemporality: {name}");
    }

    /// What all points have.
    fn point(&mut self, title: &str, number: usize, attributes: &[KeyValue], [start, end]: [u64; 2]) {
        line!(self, "{title} #{number}");
        self.attributes("Data point attributes", "", attributes);
        line!(self, "StartTimestamp: {}", moment(start));
        line!(self, "Timestamp: {}", moment(end));
    }

    fn numbers(&mut self, points: &[NumberDataPoint]) {
        for (number, point) in points.iter().enumerate() {
            let times = [point.start_time_unix_nano, point.time_unix_nano];
            self.point("NumberDataPoints", number, &point.attributes, times);
            match point.value {
                None => {}
                Some(number_data_point::Value::AsInt(value)) => line!(self, "Value: {value}"),
                Some(number_data_point::Value::AsDouble(value)) => line!(self, "Value: {}", fixed(value)),
            }
            self.exemplars(&point.exemplars);
        }
    }

    fn statistics(&mut self, count: u64, statistics: [(&str, Option<f64>); 3]) {
        line!(self, "Count: {count}");
        for (name, value) in statistics {
            if let Some(value) = value {
                line!(self, "{name}: {}", fixed(value));
            }
        }
    }

    fn histogram(&mut self, number: usize, point: &HistogramDataPoint) {
        let times = [point.start_time_unix_nano, point.time_unix_nano];
        self.point("HistogramDataPoints", number, &point.attributes, times);
        self.statistics(point.count, [("Sum", point.sum), ("Min", point.min), ("Max", point.max)]);
        for (number, bound) in point.explicit_bounds.iter().enumerate() {
            line!(self, "ExplicitBounds #{number}: {}", fixed(*bound));
        }
        for (number, count) in point.bucket_counts.iter().enumerate() {
            line!(self, "Buckets #{number}, Count: {count}");
        }
        self.exemplars(&point.exemplars);
    }

    fn exponential(&mut self, number: usize, point: &ExponentialHistogramDataPoint) {
        let times = [point.start_time_unix_nano, point.time_unix_nano];
        self.point("ExponentialHistogramDataPoints", number, &point.attributes, times);
        self.statistics(point.count, [("Sum", point.sum), ("Min", point.min), ("Max", point.max)]);
        // The bounds are powers of 2 to the 2 to the minus scale.
        let step = std::f64::consts::LN_2 * f64::from(-point.scale).exp2();
        let bound = |index: i64| fixed((index as f64 * step).exp());
        let negative = point.negative.clone().unwrap_or_default();
        for (number, count) in negative.bucket_counts.iter().enumerate().rev() {
            let index = i64::from(negative.offset) + number as i64;
            line!(self, "Bucket [-{}, -{}), Count: {count}", bound(index + 1), bound(index));
        }
        if point.zero_count != 0 {
            line!(self, "Bucket [0, 0], Count: {}", point.zero_count);
        }
        let positive = point.positive.clone().unwrap_or_default();
        for (number, count) in positive.bucket_counts.iter().enumerate() {
            let index = i64::from(positive.offset) + number as i64;
            line!(self, "Bucket ({}, {}], Count: {count}", bound(index), bound(index + 1));
        }
        self.exemplars(&point.exemplars);
    }

    fn summary(&mut self, number: usize, point: &SummaryDataPoint) {
        let times = [point.start_time_unix_nano, point.time_unix_nano];
        self.point("SummaryDataPoints", number, &point.attributes, times);
        self.statistics(point.count, [("Sum", Some(point.sum)), ("Min", None), ("Max", None)]);
        for (number, value) in point.quantile_values.iter().enumerate() {
            let [quantile, value] = [value.quantile, value.value].map(fixed);
            line!(self, "QuantileValue #{number}: Quantile {quantile}, Value {value}");
        }
    }

    fn exemplars(&mut self, exemplars: &[Exemplar]) {
        if exemplars.is_empty() {
            return;
        }
        line!(self, "Exemplars:");
        for (number, exemplar) in exemplars.iter().enumerate() {
            line!(self, "Exemplar #{number}");
            line!(self, "     -> Trace ID: {}", hex::encode(&exemplar.trace_id));
            line!(self, "     -> Span ID: {}", hex::encode(&exemplar.span_id));
            line!(self, "     -> Timestamp: {}", moment(exemplar.time_unix_nano));
            match exemplar.value {
                None => {}
                Some(exemplar::Value::AsInt(value)) => line!(self, "     -> Value: {value}"),
                Some(exemplar::Value::AsDouble(value)) => line!(self, "     -> Value: {}", fixed(value)),
            }
            self.attributes("FilteredAttributes", "     -> ", &exemplar.filtered_attributes);
        }
    }
}
