//! Differences of labels.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use serde_json::json;

use super::Difference;
use crate::canonical::Canonical;
use crate::differential::Case;
use crate::differential::options::RESERVED_VALUE;

/// An attribute or external label that is called like a label of the type itself is left out, on all
/// series of a point.
pub struct Reserved;

impl Difference for Reserved {
    fn heading(&self) -> &'static str {
        "Labels that a histogram or summary needs for itself"
    }

    /// What the histograms and the summaries become, each alone.
    fn ask(&self, case: &Case) -> Vec<Case> {
        let is_there = format!("{:?}", case.payload).contains(RESERVED_VALUE)
            || case.options.configuration().contains(RESERVED_VALUE);
        if !is_there {
            return Vec::new();
        }
        TYPES
            .iter()
            .map(|(_, is_type)| {
                let mut only = case.clone();
                only.options.set("target_info", json!({ "enabled": false }));
                only.metrics_mut().filter(|metric| !is_type(metric)).for_each(|metric| metric.data = None);
                only
            })
            .collect()
    }

    fn apply(&self, case: &Case, answer: &mut Canonical, further: Vec<Canonical>) -> anyhow::Result<usize> {
        let mut found = 0;
        for ((own_label, _), mut part) in TYPES.iter().zip(further) {
            answer.subtract(&part)?;
            // A native histogram has no bounds in labels.
            let is_native = *own_label == "le" && !case.options.writes_classic_histograms();
            let own_label = if is_native { "__name__" } else { own_label };
            for series in &mut part.series {
                let before = series.labels.len();
                let is_own = |name: &str| name == "__name__" || name == own_label;
                series.labels.retain(|(name, value)| !(is_own(name) && value.starts_with(RESERVED_VALUE)));
                found += before - series.labels.len();
            }
            answer.series.append(&mut part.series);
        }
        // Without those labels, more are equal.
        *answer = std::mem::take(answer).joined();
        Ok(found)
    }
}

type IsType = fn(&Metric) -> bool;

/// The types whose series have a label of their own beside the metric name.
const TYPES: [(&str, IsType); 2] = [
    ("le", |metric| matches!(metric.data, Some(Data::Histogram(_)))),
    ("quantile", |metric| matches!(metric.data, Some(Data::Summary(_)))),
];

/// A scope attribute whose value is the empty text makes no label.
pub struct EmptyScopeAttribute;

impl Difference for EmptyScopeAttribute {
    fn heading(&self) -> &'static str {
        "Scope attributes with an empty value are no labels"
    }

    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        for resource in &mut case.payload.resource_metrics {
            for scope in resource.scope_metrics.iter_mut().filter_map(|metrics| metrics.scope.as_mut()) {
                let before = scope.attributes.len();
                scope.attributes.retain(|attribute| !is_empty_text(attribute.value.as_ref()));
                found += before - scope.attributes.len();
            }
        }
        found
    }
}

/// Whether a value becomes the empty text: it is empty, or JSON cannot hold it.
pub(super) fn is_empty_text(value: Option<&AnyValue>) -> bool {
    match value.and_then(|value| value.value.as_ref()) {
        None => true,
        Some(Value::StringValue(text)) => text.is_empty(),
        Some(Value::BytesValue(bytes)) => bytes.is_empty(),
        Some(composed @ (Value::ArrayValue(_) | Value::KvlistValue(_))) => !is_json(composed),
        Some(_) => false,
    }
}

fn is_json(value: &Value) -> bool {
    let inner = |value: Option<&AnyValue>| value.and_then(|value| value.value.as_ref()).is_none_or(is_json);
    match value {
        Value::DoubleValue(double) => double.is_finite(),
        Value::ArrayValue(array) => array.values.iter().all(|value| inner(Some(value))),
        Value::KvlistValue(map) => {
            // Of equal keys the last one counts.
            let counts = |at: usize| map.values[at + 1..].iter().all(|later| later.key != map.values[at].key);
            (0..map.values.len()).filter(|at| counts(*at)).all(|at| inner(map.values[at].value.as_ref()))
        }
        _ => true,
    }
}

/// Bytes of length zero inside an array or map are an empty text.
pub struct EmptyBytes;

impl Difference for EmptyBytes {
    fn heading(&self) -> &'static str {
        "Empty bytes inside an array or map are an empty text"
    }

    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        case.visit_attributes(&mut |attributes| {
            let values = attributes.iter_mut().filter_map(|attribute| attribute.value.as_mut());
            found += values.map(empty_bytes_within).sum::<usize>();
        });
        found
    }
}

fn empty_bytes_within(value: &mut AnyValue) -> usize {
    let inner: Vec<&mut AnyValue> = match &mut value.value {
        Some(Value::ArrayValue(array)) => array.values.iter_mut().collect(),
        Some(Value::KvlistValue(map)) => map.values.iter_mut().filter_map(|e| e.value.as_mut()).collect(),
        _ => return 0,
    };
    let mut found = 0;
    for value in inner {
        match &mut value.value {
            Some(Value::BytesValue(bytes)) if bytes.is_empty() => {
                value.value = Some(Value::StringValue(String::new()));
                found += 1;
            }
            _ => found += empty_bytes_within(value),
        }
    }
    found
}
