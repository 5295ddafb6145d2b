//! A payload in words, in the shape of the Collector's exporter: how much is in it, a line for each point, or everything.
//! Nothing in it steers a terminal, whatever was sent.

mod detailed;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub(super) use detailed::detailed;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, number_data_point,
};
use preamp_base::printable::Line;
use std::fmt::Write as _;
use time::OffsetDateTime;
use time::macros::format_description;

/// How much is in a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) resources: usize,
    pub(super) metrics: usize,
    pub(super) points: usize,
}

/// How much is in a payload.
pub(super) fn counts(request: &ExportMetricsServiceRequest) -> Counts {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = || scopes.clone().flat_map(|scope| &scope.metrics);
    let points = |metric: &Metric| match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    };
    Counts {
        resources: request.resource_metrics.len(),
        metrics: metrics().count(),
        points: metrics().map(points).sum(),
    }
}

/// Text that grows line by line; to write to it cannot fail.
#[derive(Default)]
struct Lines(String);

/// Adds a line.
macro_rules! line {
    ($lines:expr, $($arguments:tt)*) => {{
        let _written = writeln!($lines.0, $($arguments)*);
    }};
}

use line;

/// A line for each point, under those for its resource and scope.
pub(super) fn normal(request: &ExportMetricsServiceRequest) -> String {
    let mut lines = Lines::default();
    for (number, ResourceMetrics { resource, scope_metrics, schema_url }) in
        request.resource_metrics.iter().enumerate()
    {
        let attributes = resource.as_ref().map(|resource| pairs(&resource.attributes)).unwrap_or_default();
        line!(lines, "ResourceMetrics #{number}{}{attributes}", spaced(schema_url));
        for (number, ScopeMetrics { scope, metrics, schema_url }) in scope_metrics.iter().enumerate() {
            let scope = scope.clone().unwrap_or_default();
            let version =
                if scope.version.is_empty() { String::new() } else { format!("@{}", Line(&scope.version)) };
            line!(
                lines,
                "ScopeMetrics #{number}{}{}{version}{}",
                spaced(&scope.name),
                spaced(schema_url),
                pairs(&scope.attributes)
            );
            metrics.iter().for_each(|metric| points_of(&mut lines, metric));
        }
    }
    lines.0
}

fn spaced(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" {}", Line(text)) }
}

fn pairs(attributes: &[KeyValue]) -> String {
    attributes.iter().map(|attribute| format!(" {}", pair(attribute))).collect()
}

fn pair(attribute: &KeyValue) -> String {
    format!("{}={}", Line(&attribute.key), Line(bare(attribute.value.as_ref())))
}

fn points_of(lines: &mut Lines, metric: &Metric) {
    let name = |attributes: &[KeyValue]| {
        let pairs: Vec<_> = attributes.iter().map(pair).collect();
        format!("{}{{{}}}", Line(&metric.name), pairs.join(","))
    };
    match &metric.data {
        None => line!(lines, "{} without points", Line(&metric.name)),
        Some(Data::Gauge(data)) => numbers_of(lines, &data.data_points, name),
        Some(Data::Sum(data)) => numbers_of(lines, &data.data_points, name),
        Some(Data::Histogram(data)) => {
            for point in &data.data_points {
                let mut text = format!("{} count={}", name(&point.attributes), point.count);
                add_statistics(&mut text, [("sum", point.sum), ("min", point.min), ("max", point.max)]);
                for (number, count) in point.bucket_counts.iter().enumerate() {
                    let bound = point.explicit_bounds.get(number).map_or("+Inf".to_owned(), f64::to_string);
                    let _written = write!(text, " le{bound}={count}");
                }
                line!(lines, "{text}");
            }
        }
        Some(Data::ExponentialHistogram(data)) => {
            for point in &data.data_points {
                let mut text = format!("{} count={}", name(&point.attributes), point.count);
                add_statistics(&mut text, [("sum", point.sum), ("min", point.min), ("max", point.max)]);
                line!(lines, "{text}");
            }
        }
        Some(Data::Summary(data)) => {
            for point in &data.data_points {
                let mut text = format!("{} count={} sum={}", name(&point.attributes), point.count, point.sum);
                for value in &point.quantile_values {
                    let _written = write!(text, " q{}={}", value.quantile, value.value);
                }
                line!(lines, "{text}");
            }
        }
    }
}

fn numbers_of(lines: &mut Lines, points: &[NumberDataPoint], name: impl Fn(&[KeyValue]) -> String) {
    for point in points {
        let value = match point.value {
            None => "without a value".to_owned(),
            Some(number_data_point::Value::AsInt(number)) => number.to_string(),
            Some(number_data_point::Value::AsDouble(number)) => number.to_string(),
        };
        line!(lines, "{} {value}", name(&point.attributes));
    }
}

fn add_statistics(text: &mut String, statistics: [(&str, Option<f64>); 3]) {
    for (name, value) in statistics {
        if let Some(value) = value {
            let _written = write!(text, " {name}={value}");
        }
    }
}

/// A number with six digits behind the point.
fn fixed(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => format!("{value:.6}"),
    }
}

/// A time in nanoseconds since the epoch, as Go writes it.
fn moment(nanos: u64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos));
    // Each time in 64 bits is one that can be written.
    let seconds = time.ok().and_then(|time| time.format(format).ok()).unwrap_or_default();
    let part = format!("{:09}", nanos % 1_000_000_000);
    match part.trim_end_matches('0') {
        "" => format!("{seconds} +0000 UTC"),
        part => format!("{seconds}.{part} +0000 UTC"),
    }
}

/// A value with its type.
fn typed(value: Option<&AnyValue>) -> String {
    let kind = match value.and_then(|value| value.value.as_ref()) {
        None => "Empty",
        Some(any_value::Value::StringValue(_) | any_value::Value::StringValueStrindex(_)) => "Str",
        Some(any_value::Value::BoolValue(_)) => "Bool",
        Some(any_value::Value::IntValue(_)) => "Int",
        Some(any_value::Value::DoubleValue(_)) => "Double",
        Some(any_value::Value::ArrayValue(_)) => "Slice",
        Some(any_value::Value::KvlistValue(_)) => "Map",
        Some(any_value::Value::BytesValue(_)) => "Bytes",
    };
    format!("{kind}({})", bare(value))
}

/// A value alone: lists and maps as JSON.
fn bare(value: Option<&AnyValue>) -> String {
    match json(value) {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn json(value: Option<&AnyValue>) -> serde_json::Value {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(any_value::Value::StringValueStrindex(_)) => serde_json::Value::Null,
        Some(any_value::Value::StringValue(text)) => text.as_str().into(),
        Some(any_value::Value::BoolValue(flag)) => (*flag).into(),
        Some(any_value::Value::IntValue(number)) => (*number).into(),
        Some(any_value::Value::DoubleValue(number)) if number.is_finite() => (*number).into(),
        Some(any_value::Value::DoubleValue(number)) => fixed(*number).into(),
        Some(any_value::Value::ArrayValue(array)) => {
            array.values.iter().map(|value| json(Some(value))).collect::<Vec<_>>().into()
        }
        Some(any_value::Value::KvlistValue(map)) => {
            let entry = |pair: &KeyValue| (pair.key.clone(), json(pair.value.as_ref()));
            serde_json::Value::Object(map.values.iter().map(entry).collect())
        }
        Some(any_value::Value::BytesValue(bytes)) => STANDARD.encode(bytes).into(),
    }
}
