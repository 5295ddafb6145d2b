//! OTLP/JSON of a request, as the specification writes it and as some senders do.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, number_data_point,
};
use serde_json::{Map, Value, json};

/// How senders write what may be written in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As the specification asks: lowerCamelCase, enums as numbers, integers of 64 bits as texts.
    Specification,
    /// As far from it as is taken: snake_case, enums by name, integers as numbers, doubles as texts,
    /// `null` for what is not set.
    Loose,
}

/// The request in JSON.
#[must_use]
pub fn encode(request: &ExportMetricsServiceRequest, style: Style) -> Vec<u8> {
    let resources = list(&request.resource_metrics, |resource| style.resource_metrics(resource));
    style.object([("resourceMetrics", resources)]).to_string().into_bytes()
}

fn list<T>(items: &[T], write: impl Fn(&T) -> Value) -> Value {
    items.iter().map(write).collect()
}

impl Style {
    fn object<const N: usize>(self, fields: [(&str, Value); N]) -> Value {
        let mut object = Map::new();
        for (name, value) in fields {
            match self {
                Style::Specification if value.is_null() => {}
                Style::Specification => drop(object.insert(name.to_owned(), value)),
                Style::Loose => drop(object.insert(snake_case(name), value)),
            }
        }
        Value::Object(object)
    }

    fn double(self, value: f64) -> Value {
        match self {
            Style::Specification if value.is_finite() => json!(value),
            _ if value.is_nan() => json!("NaN"),
            _ if value.is_infinite() => json!(if value > 0.0 { "Infinity" } else { "-Infinity" }),
            _ => json!(format!("{value:e}")),
        }
    }

    fn optional(self, value: Option<f64>) -> Value {
        value.map_or(Value::Null, |value| self.double(value))
    }

    fn unsigned(self, value: u64) -> Value {
        match self {
            Style::Specification => json!(value.to_string()),
            Style::Loose => json!(value),
        }
    }

    fn signed(self, value: i64) -> Value {
        match self {
            Style::Specification => json!(value.to_string()),
            Style::Loose => json!(value),
        }
    }

    fn temporality(self, value: i32) -> Value {
        match (self, AggregationTemporality::try_from(value)) {
            (Style::Loose, Ok(temporality)) => json!(temporality.as_str_name()),
            _ => json!(value),
        }
    }

    fn resource_metrics(self, message: &ResourceMetrics) -> Value {
        let resource = message.resource.as_ref().map_or(Value::Null, |resource| {
            self.object([
                ("attributes", self.attributes(&resource.attributes)),
                ("droppedAttributesCount", json!(resource.dropped_attributes_count)),
            ])
        });
        self.object([
            ("resource", resource),
            ("scopeMetrics", list(&message.scope_metrics, |scope| self.scope_metrics(scope))),
            ("schemaUrl", json!(message.schema_url)),
        ])
    }

    fn scope_metrics(self, message: &ScopeMetrics) -> Value {
        self.object([
            ("scope", message.scope.as_ref().map_or(Value::Null, |scope| self.scope(scope))),
            ("metrics", list(&message.metrics, |metric| self.metric(metric))),
            ("schemaUrl", json!(message.schema_url)),
        ])
    }

    fn scope(self, scope: &InstrumentationScope) -> Value {
        self.object([
            ("name", json!(scope.name)),
            ("version", json!(scope.version)),
            ("attributes", self.attributes(&scope.attributes)),
            ("droppedAttributesCount", json!(scope.dropped_attributes_count)),
        ])
    }

    fn metric(self, metric: &Metric) -> Value {
        let data = metric.data.as_ref().map(|data| self.data(data));
        let (name, data) = data.unwrap_or(("gauge", Value::Null));
        self.object([
            ("name", json!(metric.name)),
            ("description", json!(metric.description)),
            ("unit", json!(metric.unit)),
            ("metadata", self.attributes(&metric.metadata)),
            (name, data),
        ])
    }

    fn data(self, data: &Data) -> (&'static str, Value) {
        match data {
            Data::Gauge(gauge) => {
                let points = list(&gauge.data_points, |point| self.number_point(point));
                ("gauge", self.object([("dataPoints", points)]))
            }
            Data::Sum(sum) => {
                let points = list(&sum.data_points, |point| self.number_point(point));
                let temporality = self.temporality(sum.aggregation_temporality);
                let fields = [
                    ("dataPoints", points),
                    ("aggregationTemporality", temporality),
                    ("isMonotonic", json!(sum.is_monotonic)),
                ];
                ("sum", self.object(fields))
            }
            Data::Histogram(histogram) => {
                let points = list(&histogram.data_points, |point| self.histogram_point(point));
                let temporality = self.temporality(histogram.aggregation_temporality);
                ("histogram", self.object([("dataPoints", points), ("aggregationTemporality", temporality)]))
            }
            Data::ExponentialHistogram(histogram) => {
                let points = list(&histogram.data_points, |point| self.exponential_point(point));
                let temporality = self.temporality(histogram.aggregation_temporality);
                let fields = [("dataPoints", points), ("aggregationTemporality", temporality)];
                ("exponentialHistogram", self.object(fields))
            }
            Data::Summary(summary) => {
                let points = list(&summary.data_points, |point| self.summary_point(point));
                ("summary", self.object([("dataPoints", points)]))
            }
        }
    }

    fn number_point(self, point: &NumberDataPoint) -> Value {
        let (name, value) = match point.value {
            Some(number_data_point::Value::AsDouble(value)) => ("asDouble", self.double(value)),
            Some(number_data_point::Value::AsInt(value)) => ("asInt", self.signed(value)),
            None => ("asInt", Value::Null),
        };
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.unsigned(point.start_time_unix_nano)),
            ("timeUnixNano", self.unsigned(point.time_unix_nano)),
            (name, value),
            ("exemplars", list(&point.exemplars, |exemplar| self.exemplar(exemplar))),
            ("flags", json!(point.flags)),
        ])
    }

    fn histogram_point(self, point: &HistogramDataPoint) -> Value {
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.unsigned(point.start_time_unix_nano)),
            ("timeUnixNano", self.unsigned(point.time_unix_nano)),
            ("count", self.unsigned(point.count)),
            ("sum", self.optional(point.sum)),
            ("bucketCounts", list(&point.bucket_counts, |count| self.unsigned(*count))),
            ("explicitBounds", list(&point.explicit_bounds, |bound| self.double(*bound))),
            ("exemplars", list(&point.exemplars, |exemplar| self.exemplar(exemplar))),
            ("flags", json!(point.flags)),
            ("min", self.optional(point.min)),
            ("max", self.optional(point.max)),
        ])
    }

    fn exponential_point(self, point: &ExponentialHistogramDataPoint) -> Value {
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.unsigned(point.start_time_unix_nano)),
            ("timeUnixNano", self.unsigned(point.time_unix_nano)),
            ("count", self.unsigned(point.count)),
            ("sum", self.optional(point.sum)),
            ("scale", json!(point.scale)),
            ("zeroCount", self.unsigned(point.zero_count)),
            ("positive", self.buckets(point.positive.as_ref())),
            ("negative", self.buckets(point.negative.as_ref())),
            ("flags", json!(point.flags)),
            ("exemplars", list(&point.exemplars, |exemplar| self.exemplar(exemplar))),
            ("min", self.optional(point.min)),
            ("max", self.optional(point.max)),
            ("zeroThreshold", self.double(point.zero_threshold)),
        ])
    }

    fn buckets(self, buckets: Option<&Buckets>) -> Value {
        buckets.map_or(Value::Null, |buckets| {
            let counts = list(&buckets.bucket_counts, |count| self.unsigned(*count));
            self.object([("offset", json!(buckets.offset)), ("bucketCounts", counts)])
        })
    }

    fn summary_point(self, point: &SummaryDataPoint) -> Value {
        let quantiles = list(&point.quantile_values, |at| {
            self.object([("quantile", self.double(at.quantile)), ("value", self.double(at.value))])
        });
        self.object([
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.unsigned(point.start_time_unix_nano)),
            ("timeUnixNano", self.unsigned(point.time_unix_nano)),
            ("count", self.unsigned(point.count)),
            ("sum", self.double(point.sum)),
            ("quantileValues", quantiles),
            ("flags", json!(point.flags)),
        ])
    }

    fn exemplar(self, exemplar: &Exemplar) -> Value {
        let (name, value) = match exemplar.value {
            Some(exemplar::Value::AsDouble(value)) => ("asDouble", self.double(value)),
            Some(exemplar::Value::AsInt(value)) => ("asInt", self.signed(value)),
            None => ("asInt", Value::Null),
        };
        self.object([
            ("filteredAttributes", self.attributes(&exemplar.filtered_attributes)),
            ("timeUnixNano", self.unsigned(exemplar.time_unix_nano)),
            (name, value),
            ("spanId", json!(self.hexadecimal(&exemplar.span_id))),
            ("traceId", json!(self.hexadecimal(&exemplar.trace_id))),
        ])
    }

    fn hexadecimal(self, id: &[u8]) -> String {
        match self {
            Style::Specification => hex::encode(id),
            Style::Loose => hex::encode_upper(id),
        }
    }

    fn attributes(self, attributes: &[KeyValue]) -> Value {
        list(attributes, |attribute| {
            let value = attribute.value.as_ref().map_or(Value::Null, |value| self.any(value));
            self.object([("key", json!(attribute.key)), ("value", value)])
        })
    }

    fn any(self, value: &AnyValue) -> Value {
        match &value.value {
            None => self.object([]),
            Some(Any::StringValue(text)) => self.object([("stringValue", json!(text))]),
            Some(Any::BoolValue(flag)) => self.object([("boolValue", json!(flag))]),
            Some(Any::IntValue(number)) => self.object([("intValue", self.signed(*number))]),
            Some(Any::DoubleValue(number)) => self.object([("doubleValue", self.double(*number))]),
            Some(Any::BytesValue(bytes)) => self.object([("bytesValue", json!(self.base64(bytes)))]),
            Some(Any::ArrayValue(array)) => {
                let values = list(&array.values, |value| self.any(value));
                self.object([("arrayValue", self.object([("values", values)]))])
            }
            Some(Any::KvlistValue(map)) => {
                self.object([("kvlistValue", self.object([("values", self.attributes(&map.values))]))])
            }
            // References into a table that only profiles have.
            Some(Any::StringValueStrindex(_)) => self.object([]),
        }
    }

    fn base64(self, bytes: &[u8]) -> String {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        match self {
            Style::Specification => STANDARD.encode(bytes),
            Style::Loose => URL_SAFE_NO_PAD.encode(bytes),
        }
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
