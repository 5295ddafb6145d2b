//! Resources of a payload in OTLP/JSON. Everything else is copied as the text that it is.

use super::Actions;
use super::actions::{Attribute, Value};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// An object of which only some members are read.
type Object = BTreeMap<String, Box<RawValue>>;

/// The payload with other resources; `None` if it cannot be read.
pub(super) fn rewrite(actions: &Actions, payload: &Bytes) -> Option<Bytes> {
    let mut request: Object = serde_json::from_slice(payload).ok()?;
    // The Collector takes the names of the protobuf fields too.
    for name in ["resourceMetrics", "resource_metrics"] {
        let Some(list) = request.get_mut(name) else { continue };
        let Some(mut all) = parsed::<Option<Vec<Object>>>(list)? else { continue };
        for resource_metrics in &mut all {
            rewrite_resource(actions, resource_metrics)?;
        }
        *list = to_raw_value(&all).ok()?;
    }
    serde_json::to_vec(&request).ok().map(Bytes::from)
}

fn rewrite_resource(actions: &Actions, resource_metrics: &mut Object) -> Option<()> {
    let mut resource = match resource_metrics.get("resource") {
        Some(resource) => parsed::<Option<Object>>(resource)?.unwrap_or_default(),
        None => Object::new(),
    };
    let attributes = match resource.get("attributes") {
        Some(attributes) => parsed::<Option<Vec<KeyValue>>>(attributes)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let mut attributes: Vec<_> = attributes.into_iter().map(attribute).collect();
    actions.apply(&mut attributes);
    let attributes: Vec<_> = attributes.into_iter().map(key_value).collect();
    resource.insert("attributes".to_owned(), to_raw_value(&attributes).ok()?);
    resource_metrics.insert("resource".to_owned(), to_raw_value(&resource).ok()?);
    Some(())
}

fn parsed<'t, T: Deserialize<'t>>(text: &'t RawValue) -> Option<T> {
    serde_json::from_str(text.get()).ok()
}

#[derive(Serialize, Deserialize)]
struct KeyValue {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Json,
}

fn attribute(KeyValue { key, value }: KeyValue) -> Attribute<Json> {
    let member = |camel: &str, snake: &str| value.get(camel).or_else(|| value.get(snake));
    let simple = member("stringValue", "string_value")
        .and_then(Json::as_str)
        .map(|text| Value::String(text.to_owned()));
    let simple = simple
        .or_else(|| member("boolValue", "bool_value").and_then(Json::as_bool).map(Value::Bool))
        .or_else(|| member("intValue", "int_value").and_then(integer).map(Value::Int))
        .or_else(|| member("doubleValue", "double_value").and_then(Json::as_f64).map(Value::Double));
    Attribute { key, value: simple.unwrap_or(Value::Other(value)) }
}

/// Integers of 64 bits may be texts.
fn integer(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn key_value(Attribute { key, value }: Attribute<Json>) -> KeyValue {
    let value = match value {
        Value::String(text) => json!({ "stringValue": text }),
        Value::Int(number) => json!({ "intValue": number.to_string() }),
        Value::Double(number) if number.is_finite() => json!({ "doubleValue": number }),
        Value::Double(number) if number.is_nan() => json!({ "doubleValue": "NaN" }),
        Value::Double(number) => {
            json!({ "doubleValue": if number > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Other(other) => other,
    };
    KeyValue { key, value }
}
