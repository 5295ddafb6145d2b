//! Resources of a payload in OTLP/JSON. Everything else is copied as the text that it is.

use super::actions::{Attribute, Value};
use super::{ATTRIBUTES_MAX, Actions, Output, Problem};
use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use serde_json::value::RawValue;
use std::fmt;

/// Writes the payload with other resources.
pub(super) fn rewrite(actions: &Actions, payload: &[u8], output: &mut Output<'_>) -> Result<(), Problem> {
    let request: &RawValue = serde_json::from_slice(payload).map_err(|_| Problem::Unreadable)?;
    // The Collector takes the names of the protobuf fields too.
    let lists = ["resourceMetrics", "resource_metrics"];
    rewrite_members(request.get(), output, &lists, &mut |list, output| {
        rewrite_items(list, output, &mut |item, output| {
            rewrite_member(item, output, "resource", &mut |resource, output| {
                rewrite_member(resource, output, "attributes", &mut |attributes, output| {
                    rewrite_attributes(actions, attributes, output)
                })
            })
        })
    })?;
    output.put(b"}")
}

/// Writes something in place of a value.
type Rewrite<'f> = &'f mut dyn FnMut(&str, &mut Output<'_>) -> Result<(), Problem>;

/// Writes an object up to its last brace, with other members of these names. Returns how many it wrote, and whether
/// there were any of these names.
fn rewrite_members(
    object: &str,
    output: &mut Output<'_>,
    names: &[&str],
    rewrite: Rewrite<'_>,
) -> Result<(usize, bool), Problem> {
    let (mut written, mut found) = (0, false);
    output.put(b"{")?;
    for_each_member(object, &mut |name, value| {
        put_name(name, written > 0, output)?;
        written += 1;
        if names.contains(&name) {
            found = true;
            rewrite(value, output)
        } else {
            output.put(value.as_bytes())
        }
    })?;
    Ok((written, found))
}

/// Writes an object with another member of this name, which is null if it is not there, as the object itself may be.
fn rewrite_member(
    object: &str,
    output: &mut Output<'_>,
    name: &str,
    rewrite: Rewrite<'_>,
) -> Result<(), Problem> {
    let object = if object == "null" { "{}" } else { object };
    let (written, found) = rewrite_members(object, output, &[name], rewrite)?;
    if !found {
        put_name(name, written > 0, output)?;
        rewrite("null", output)?;
    }
    output.put(b"}")
}

/// Writes a list of other items.
fn rewrite_items(list: &str, output: &mut Output<'_>, rewrite: Rewrite<'_>) -> Result<(), Problem> {
    if list == "null" {
        return output.put(list.as_bytes());
    }
    let mut is_first = true;
    output.put(b"[")?;
    for_each_item(list, &mut |item| {
        if !std::mem::take(&mut is_first) {
            output.put(b",")?;
        }
        rewrite(item, output)
    })?;
    output.put(b"]")
}

fn rewrite_attributes(actions: &Actions, list: &str, output: &mut Output<'_>) -> Result<(), Problem> {
    let mut attributes = Vec::new();
    if list != "null" {
        for_each_item(list, &mut |item| {
            if attributes.len() == ATTRIBUTES_MAX {
                return Err(Problem::TooManyAttributes);
            }
            attributes.push(attribute(item)?);
            Ok(())
        })?;
    }
    actions.apply(&mut attributes);
    output.put(b"[")?;
    for (index, attribute) in attributes.into_iter().enumerate() {
        if index > 0 {
            output.put(b",")?;
        }
        output.put(key_value(attribute).as_bytes())?;
    }
    output.put(b"]")
}

#[derive(Deserialize)]
struct KeyValue<'t> {
    #[serde(default)]
    key: String,
    #[serde(borrow)]
    value: Option<&'t RawValue>,
}

/// The members of an `AnyValue` that is a text, a number or a boolean.
#[derive(Deserialize)]
struct Simple<'t> {
    #[serde(borrow, rename = "stringValue", alias = "string_value")]
    string: Option<&'t RawValue>,
    #[serde(borrow, rename = "boolValue", alias = "bool_value")]
    bool: Option<&'t RawValue>,
    #[serde(borrow, rename = "intValue", alias = "int_value")]
    int: Option<&'t RawValue>,
    #[serde(borrow, rename = "doubleValue", alias = "double_value")]
    double: Option<&'t RawValue>,
}

/// An attribute, with the texts of values that are not changed.
fn attribute(text: &str) -> Result<Attribute<String>, Problem> {
    let KeyValue { key, value } = serde_json::from_str(text).map_err(|_| Problem::Unreadable)?;
    let text = value.map_or("null", RawValue::get);
    let value = serde_json::from_str(text).ok().and_then(|simple| read_simple(&simple));
    Ok(Attribute { key, value: value.unwrap_or_else(|| Value::Other(text.to_owned())) })
}

fn read_simple<O>(simple: &Simple<'_>) -> Option<Value<O>> {
    let string = || read(simple.string?).map(Value::String);
    let bool = || read(simple.bool?).map(Value::Bool);
    // Integers of 64 bits may be texts.
    let int = || {
        let text = simple.int?;
        read(text).or_else(|| read::<String>(text)?.parse().ok()).map(Value::Int)
    };
    let double = || read(simple.double?).map(Value::Double);
    string().or_else(bool).or_else(int).or_else(double)
}

fn read<'t, T: Deserialize<'t>>(text: &'t RawValue) -> Option<T> {
    serde_json::from_str(text.get()).ok()
}

fn key_value(Attribute { key, value }: Attribute<String>) -> String {
    let value = match value {
        Value::String(text) => json!({ "stringValue": text }).to_string(),
        Value::Int(number) => json!({ "intValue": number.to_string() }).to_string(),
        Value::Double(number) if number.is_finite() => json!({ "doubleValue": number }).to_string(),
        Value::Double(number) if number.is_nan() => json!({ "doubleValue": "NaN" }).to_string(),
        Value::Double(number) => {
            json!({ "doubleValue": if number > 0.0 { "Infinity" } else { "-Infinity" } }).to_string()
        }
        Value::Bool(flag) => json!({ "boolValue": flag }).to_string(),
        Value::Other(text) => text,
    };
    format!(r#"{{"key":{},"value":{value}}}"#, json!(key))
}

fn put_name(name: &str, is_further: bool, output: &mut Output<'_>) -> Result<(), Problem> {
    if is_further {
        output.put(b",")?;
    }
    output.put(json!(name).to_string().as_bytes())?;
    output.put(b":")
}

/// Calls for the name and the text of each member of an object.
fn for_each_member(
    object: &str,
    call: &mut dyn FnMut(&str, &str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut problem = None;
    let visitor = Members { call, problem: &mut problem };
    let visited = serde_json::Deserializer::from_str(object).deserialize_map(visitor);
    visited.map_err(|_| problem.unwrap_or(Problem::Unreadable))
}

/// Calls for the text of each item of a list.
fn for_each_item(list: &str, call: &mut dyn FnMut(&str) -> Result<(), Problem>) -> Result<(), Problem> {
    let mut problem = None;
    let visitor = Items { call, problem: &mut problem };
    let visited = serde_json::Deserializer::from_str(list).deserialize_seq(visitor);
    visited.map_err(|_| problem.unwrap_or(Problem::Unreadable))
}

/// Visits the members of an object without keeping them: there may be millions.
struct Members<'f> {
    call: &'f mut dyn FnMut(&str, &str) -> Result<(), Problem>,
    problem: &'f mut Option<Problem>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some((name, value)) = members.next_entry::<String, &RawValue>()? {
            (self.call)(&name, value.get()).map_err(|problem| stop(self.problem, problem))?;
        }
        Ok(())
    }
}

/// Visits the items of a list without keeping them.
struct Items<'f> {
    call: &'f mut dyn FnMut(&str) -> Result<(), Problem>,
    problem: &'f mut Option<Problem>,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&RawValue>()? {
            (self.call)(item.get()).map_err(|problem| stop(self.problem, problem))?;
        }
        Ok(())
    }
}

/// Keeps what went wrong, since the error of serde can hold a text only.
fn stop<E: serde::de::Error>(kept: &mut Option<Problem>, problem: Problem) -> E {
    *kept = Some(problem);
    E::custom("stopped")
}
