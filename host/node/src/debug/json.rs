//! OTLP/JSON as messages, for people to look at: as lenient as the component, and what it would refuse is left out.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::Value;

/// Reads a payload.
///
/// # Errors
///
/// It is no JSON.
pub(super) fn read(payload: &[u8]) -> Result<ExportMetricsServiceRequest, serde_json::Error> {
    let document: Value = serde_json::from_slice(payload)?;
    Ok(ExportMetricsServiceRequest { resource_metrics: list(&document, "resourceMetrics", resource_metrics) })
}

fn resource_metrics(of: &Value) -> ResourceMetrics {
    ResourceMetrics {
        resource: get(of, "resource").map(|resource| Resource {
            attributes: attributes(resource, "attributes"),
            ..Resource::default()
        }),
        scope_metrics: list(of, "scopeMetrics", scope_metrics),
        schema_url: text(of, "schemaUrl"),
    }
}

fn scope_metrics(of: &Value) -> ScopeMetrics {
    let scope = |scope: &Value| InstrumentationScope {
        name: text(scope, "name"),
        version: text(scope, "version"),
        attributes: attributes(scope, "attributes"),
        ..InstrumentationScope::default()
    };
    ScopeMetrics {
        scope: get(of, "scope").map(scope),
        metrics: list(of, "metrics", metric_of),
        schema_url: text(of, "schemaUrl"),
    }
}

fn metric_of(of: &Value) -> Metric {
    let temporality = |data: &Value| match get(data, "aggregationTemporality") {
        Some(Value::String(name)) if name.ends_with("DELTA") => 1,
        Some(Value::String(name)) if name.ends_with("CUMULATIVE") => 2,
        _ => integer(data, "aggregationTemporality").unwrap_or_default() as i32,
    };
    let gauge =
        |data: &Value| metric::Data::Gauge(Gauge { data_points: list(data, "dataPoints", number_point) });
    let sum = |data: &Value| {
        metric::Data::Sum(Sum {
            data_points: list(data, "dataPoints", number_point),
            aggregation_temporality: temporality(data),
            is_monotonic: get(data, "isMonotonic") == Some(&Value::Bool(true)),
        })
    };
    let histogram = |data: &Value| {
        metric::Data::Histogram(Histogram {
            data_points: list(data, "dataPoints", histogram_point),
            aggregation_temporality: temporality(data),
        })
    };
    let exponential = |data: &Value| {
        metric::Data::ExponentialHistogram(ExponentialHistogram {
            data_points: list(data, "dataPoints", exponential_point),
            aggregation_temporality: temporality(data),
        })
    };
    let summary = |data: &Value| {
        metric::Data::Summary(Summary { data_points: list(data, "dataPoints", summary_point) })
    };
    let data = get(of, "gauge").map(gauge);
    let data = data.or_else(|| get(of, "sum").map(sum));
    let data = data.or_else(|| get(of, "histogram").map(histogram));
    let data = data.or_else(|| get(of, "exponentialHistogram").map(exponential));
    let data = data.or_else(|| get(of, "summary").map(summary));
    Metric {
        name: text(of, "name"),
        description: text(of, "description"),
        unit: text(of, "unit"),
        metadata: attributes(of, "metadata"),
        data,
    }
}

fn number_point(of: &Value) -> NumberDataPoint {
    let value = integer(of, "asInt").map(number_data_point::Value::AsInt);
    NumberDataPoint {
        attributes: attributes(of, "attributes"),
        start_time_unix_nano: count(of, "startTimeUnixNano"),
        time_unix_nano: count(of, "timeUnixNano"),
        exemplars: list(of, "exemplars", exemplar_of),
        flags: count(of, "flags") as u32,
        value: value.or_else(|| number(of, "asDouble").map(number_data_point::Value::AsDouble)),
    }
}

fn histogram_point(of: &Value) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(of, "attributes"),
        start_time_unix_nano: count(of, "startTimeUnixNano"),
        time_unix_nano: count(of, "timeUnixNano"),
        count: count(of, "count"),
        sum: number(of, "sum"),
        bucket_counts: list(of, "bucketCounts", |count| whole(count).unwrap_or_default()),
        explicit_bounds: list(of, "explicitBounds", |bound| float(bound).unwrap_or_default()),
        exemplars: list(of, "exemplars", exemplar_of),
        flags: count(of, "flags") as u32,
        min: number(of, "min"),
        max: number(of, "max"),
    }
}

fn exponential_point(of: &Value) -> ExponentialHistogramDataPoint {
    let buckets = |buckets: &Value| Buckets {
        offset: integer(buckets, "offset").unwrap_or_default() as i32,
        bucket_counts: list(buckets, "bucketCounts", |count| whole(count).unwrap_or_default()),
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(of, "attributes"),
        start_time_unix_nano: count(of, "startTimeUnixNano"),
        time_unix_nano: count(of, "timeUnixNano"),
        count: count(of, "count"),
        sum: number(of, "sum"),
        scale: integer(of, "scale").unwrap_or_default() as i32,
        zero_count: count(of, "zeroCount"),
        positive: get(of, "positive").map(buckets),
        negative: get(of, "negative").map(buckets),
        flags: count(of, "flags") as u32,
        exemplars: list(of, "exemplars", exemplar_of),
        min: number(of, "min"),
        max: number(of, "max"),
        zero_threshold: number(of, "zeroThreshold").unwrap_or_default(),
    }
}

fn summary_point(of: &Value) -> SummaryDataPoint {
    let quantile = |of: &Value| ValueAtQuantile {
        quantile: number(of, "quantile").unwrap_or_default(),
        value: number(of, "value").unwrap_or_default(),
    };
    SummaryDataPoint {
        attributes: attributes(of, "attributes"),
        start_time_unix_nano: count(of, "startTimeUnixNano"),
        time_unix_nano: count(of, "timeUnixNano"),
        count: count(of, "count"),
        sum: number(of, "sum").unwrap_or_default(),
        quantile_values: list(of, "quantileValues", quantile),
        flags: count(of, "flags") as u32,
    }
}

fn exemplar_of(of: &Value) -> Exemplar {
    let id = |key: &str| hex::decode(text(of, key)).unwrap_or_default();
    let value = integer(of, "asInt").map(exemplar::Value::AsInt);
    Exemplar {
        filtered_attributes: attributes(of, "filteredAttributes"),
        time_unix_nano: count(of, "timeUnixNano"),
        span_id: id("spanId"),
        trace_id: id("traceId"),
        value: value.or_else(|| number(of, "asDouble").map(exemplar::Value::AsDouble)),
    }
}

fn attributes(of: &Value, key: &str) -> Vec<KeyValue> {
    list(of, key, |pair| KeyValue {
        key: text(pair, "key"),
        value: get(pair, "value").map(any),
        ..KeyValue::default()
    })
}

/// A value, which may hold others: as deep as JSON is read at all.
fn any(of: &Value) -> AnyValue {
    let value = if let Some(text) = get(of, "stringValue").and_then(Value::as_str) {
        Some(any_value::Value::StringValue(text.to_owned()))
    } else if let Some(flag) = get(of, "boolValue").and_then(Value::as_bool) {
        Some(any_value::Value::BoolValue(flag))
    } else if let Some(number) = integer(of, "intValue") {
        Some(any_value::Value::IntValue(number))
    } else if let Some(number) = number(of, "doubleValue") {
        Some(any_value::Value::DoubleValue(number))
    } else if let Some(array) = get(of, "arrayValue") {
        Some(any_value::Value::ArrayValue(ArrayValue { values: list(array, "values", any) }))
    } else if let Some(map) = get(of, "kvlistValue") {
        Some(any_value::Value::KvlistValue(KeyValueList { values: attributes(map, "values") }))
    } else {
        get(of, "bytesValue")
            .and_then(Value::as_str)
            .map(|text| any_value::Value::StringValue(text.to_owned()))
    };
    AnyValue { value }
}

/// The value at a key in either spelling, if it is not null.
fn get<'v>(of: &'v Value, key: &str) -> Option<&'v Value> {
    let found = of.get(key).or_else(|| {
        let snake = key.chars().fold(String::new(), |mut snake, c| {
            if c.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(c.to_ascii_lowercase());
            snake
        });
        of.get(snake)
    });
    found.filter(|value| !value.is_null())
}

fn list<T>(of: &Value, key: &str, read: impl Fn(&Value) -> T) -> Vec<T> {
    let items = get(of, key).and_then(Value::as_array);
    items.map(|items| items.iter().map(read).collect()).unwrap_or_default()
}

fn text(of: &Value, key: &str) -> String {
    get(of, key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn integer(of: &Value, key: &str) -> Option<i64> {
    let value = get(of, key)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn count(of: &Value, key: &str) -> u64 {
    get(of, key).and_then(whole).unwrap_or_default()
}

fn number(of: &Value, key: &str) -> Option<f64> {
    get(of, key).and_then(float)
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn float(value: &Value) -> Option<f64> {
    // `NaN`, `Infinity` and `-Infinity` stand in quotes.
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
