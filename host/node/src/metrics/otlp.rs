//! The metrics of the process as OTLP, for those who have them pushed.
//!
//! They are read from the page, so that a metric has the same values and labels whichever way it goes. Its name has no
//! `_total`: receivers of OTLP add that to monotonic sums, as the Collector's own metrics have it.

use super::exposition::comment;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// When the values were counted from, and when they were read: nanoseconds since the Unix epoch.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) since: u64,
    pub(crate) now: u64,
}

/// The page, in OpenMetrics with all suffixes of counters, as the metrics of a resource.
pub(crate) fn request(page: &str, resource: &[(String, String)], span: Span) -> ExportMetricsServiceRequest {
    let attribute = |(name, value): &(String, String)| text_attribute(name, value.clone());
    let resource = Resource { attributes: resource.iter().map(attribute).collect(), ..Resource::default() };
    let scope = InstrumentationScope {
        name: "preamp".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics =
        ScopeMetrics { scope: Some(scope), metrics: metrics(page, span), ..ScopeMetrics::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        }],
    }
}

fn metrics(page: &str, span: Span) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    let mut help = ("", "");
    for line in page.lines() {
        match comment(line) {
            Some(("HELP", name, text)) => help = (name, text),
            Some(("TYPE", name, kind)) => metrics.push(Metric {
                name: name.to_owned(),
                description: if help.0 == name { unescaped(help.1) } else { String::new() },
                data: Some(no_points(kind)),
                ..Metric::default()
            }),
            Some(_) => {}
            None => {
                if let (Some(metric), Some(sample)) = (metrics.last_mut(), Sample::read(line)) {
                    add(metric, sample, span);
                }
            }
        }
    }
    metrics.retain(|metric| match &metric.data {
        Some(Data::Sum(sum)) => !sum.data_points.is_empty(),
        Some(Data::Histogram(histogram)) => !histogram.data_points.is_empty(),
        Some(Data::Gauge(gauge)) => !gauge.data_points.is_empty(),
        _ => false,
    });
    metrics
}

fn no_points(kind: &str) -> Data {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    match kind {
        "counter" => Data::Sum(Sum { is_monotonic: true, aggregation_temporality, data_points: Vec::new() }),
        "histogram" => Data::Histogram(Histogram { aggregation_temporality, data_points: Vec::new() }),
        _ => Data::Gauge(Gauge::default()),
    }
}

/// A line of the page.
struct Sample<'p> {
    name: &'p str,
    labels: Vec<(&'p str, String)>,
    value: f64,
}

impl<'p> Sample<'p> {
    fn read(line: &'p str) -> Option<Self> {
        let (name, labels, value) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, value) = read_labels(rest)?;
                (name, labels, value)
            }
            None => {
                let (name, value) = line.split_once(' ')?;
                (name, Vec::new(), value)
            }
        };
        // An exemplar may stand behind the value.
        let value = value.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Sample { name, labels, value })
    }

    /// The labels without the bound of a bucket, and that.
    fn without_bound(self) -> (Vec<KeyValue>, Option<f64>) {
        let mut bound = None;
        let attributes = self.labels.into_iter().filter_map(|(name, value)| match name {
            "le" => {
                bound = value.parse().ok();
                None
            }
            _ => Some(text_attribute(name, value)),
        });
        (attributes.collect(), bound)
    }
}

/// The labels up to the closing brace, and what stands behind it.
fn read_labels(text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let (mut labels, mut rest) = (Vec::new(), text);
    loop {
        if let Some(value) = rest.strip_prefix('}') {
            return Some((labels, value));
        }
        let (name, quoted) = rest.trim_start_matches(',').split_once("=\"")?;
        let mut escaped = false;
        let end = quoted.char_indices().find_map(|(at, character)| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends.then_some(at)
        })?;
        labels.push((name, unescaped(&quoted[..end])));
        rest = &quoted[end + 1..];
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    plain
}

fn add(metric: &mut Metric, sample: Sample, span: Span) {
    match &mut metric.data {
        Some(Data::Histogram(histogram)) => {
            add_to_histogram(&mut histogram.data_points, &metric.name, sample, span)
        }
        Some(Data::Sum(sum)) => sum.data_points.push(number(sample, span)),
        Some(Data::Gauge(gauge)) => {
            gauge.data_points.push(NumberDataPoint { start_time_unix_nano: 0, ..number(sample, span) });
        }
        _ => {}
    }
}

fn number(sample: Sample, span: Span) -> NumberDataPoint {
    let value = Value::AsDouble(sample.value);
    NumberDataPoint {
        attributes: sample.without_bound().0,
        start_time_unix_nano: span.since,
        time_unix_nano: span.now,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

/// Adds a line of a histogram, whose buckets stand in the order of their bounds and count what is below each of them.
fn add_to_histogram(points: &mut Vec<HistogramDataPoint>, family: &str, sample: Sample, span: Span) {
    let (part, value) = (sample.name.strip_prefix(family).unwrap_or_default(), sample.value);
    let (attributes, bound) = sample.without_bound();
    if points.last().is_none_or(|last| last.attributes != attributes) {
        points.push(HistogramDataPoint {
            attributes,
            start_time_unix_nano: span.since,
            time_unix_nano: span.now,
            ..HistogramDataPoint::default()
        });
    }
    let Some(point) = points.last_mut() else { return };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the page counts in whole numbers"
    )]
    let count = value as u64;
    match part {
        "_sum" => point.sum = Some(value),
        "_count" => point.count = count,
        "_bucket" => {
            let below: u64 = point.bucket_counts.iter().sum();
            point.bucket_counts.push(count.saturating_sub(below));
            point.explicit_bounds.extend(bound.filter(|bound| bound.is_finite()));
        }
        _ => {}
    }
}

fn text_attribute(name: &str, value: String) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value)) };
    KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP c A \\\"count\\\" of points.\n# TYPE c counter\n\
                        c_total{a=\"x\\\"}, y\\\\\",b=\"\"} 7\nc_total{a=\"line\\nline\",b=\"2\"} 8.5\n\
                        # HELP g Now.\n# TYPE g gauge\ng -1\n\
                        # HELP none Nothing.\n# TYPE none counter\n\
                        # HELP i The build.\n# TYPE i info\ni_info{version=\"1\"} 1\n\
                        # HELP h Time.\n# TYPE h histogram\n\
                        h_sum{q=\"a\"} 1.5\nh_count{q=\"a\"} 5\nh_bucket{le=\"0.1\",q=\"a\"} 2\n\
                        h_bucket{le=\"1.0\",q=\"a\"} 4\nh_bucket{le=\"+Inf\",q=\"a\"} 5\n\
                        h_sum{q=\"b\"} 0.0\nh_count{q=\"b\"} 0\nh_bucket{le=\"+Inf\",q=\"b\"} 0\n# EOF\n";

    #[test]
    fn each_line_of_the_page_becomes_a_point() {
        let request =
            request(PAGE, &[("service.name".to_owned(), "p".to_owned())], Span { since: 1, now: 2 });
        let resource = &request.resource_metrics[0];
        let name = text_attribute("service.name", "p".to_owned());
        assert_eq!(resource.resource.as_ref().expect("one").attributes, [name]);
        let metrics = &resource.scope_metrics[0].metrics;
        let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["c", "g", "i", "h"]);
        assert_eq!(metrics[0].description, "A \"count\" of points.");
        let Some(Data::Sum(sum)) = &metrics[0].data else { panic!("{:?}", metrics[0]) };
        assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
        let values: Vec<_> = sum.data_points.iter().map(|point| (&point.attributes, point.value)).collect();
        let labels =
            |a: &str, b: &str| vec![text_attribute("a", a.to_owned()), text_attribute("b", b.to_owned())];
        assert_eq!(
            values,
            [
                (&labels("x\"}, y\\", ""), Some(Value::AsDouble(7.0))),
                (&labels("line\nline", "2"), Some(Value::AsDouble(8.5)))
            ]
        );
        assert_eq!((sum.data_points[0].start_time_unix_nano, sum.data_points[0].time_unix_nano), (1, 2));
        let Some(Data::Gauge(gauge)) = &metrics[1].data else { panic!("{:?}", metrics[1]) };
        assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(-1.0)));
        let Some(Data::Histogram(histogram)) = &metrics[3].data else { panic!("{:?}", metrics[3]) };
        let [first, second] = &histogram.data_points[..] else { panic!("{histogram:?}") };
        assert_eq!((first.sum, first.count), (Some(1.5), 5));
        assert_eq!((&first.bucket_counts[..], &first.explicit_bounds[..]), (&[2, 2, 1][..], &[0.1, 1.0][..]));
        assert_eq!((&second.bucket_counts[..], &second.explicit_bounds[..]), (&[0][..], &[][..]));
    }
}
