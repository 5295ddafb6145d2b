//! Resources of a payload in protobuf (`opentelemetry/proto/collector/metrics/v1/metrics_service.proto`).

use super::actions::{Attribute, Value};
use super::{ATTRIBUTES_MAX, Actions, Output, Problem};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use prost::Message as _;
use prost::encoding::{DecodeContext, encoded_len_varint, key_len, skip_field};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// `ExportMetricsServiceRequest.resource_metrics`.
const RESOURCE_METRICS: u32 = 1;
/// `ResourceMetrics.resource`.
const RESOURCE: u32 = 1;
/// `Resource.attributes`.
const ATTRIBUTES: u32 = 1;
/// `KeyValue.key` and `KeyValue.value`.
const KEY: u32 = 1;
const VALUE: u32 = 2;

/// Writes the payload with other resources.
pub(super) fn rewrite(actions: &Actions, payload: &[u8], output: &mut Output<'_>) -> Result<(), Problem> {
    for field in Fields(payload) {
        match field? {
            Field { number: RESOURCE_METRICS, content: Some(content), .. } => {
                rewrite_resource_metrics(actions, content, output)?;
            }
            Field { whole, .. } => output.put(whole)?,
        }
    }
    Ok(())
}

fn rewrite_resource_metrics(
    actions: &Actions,
    message: &[u8],
    output: &mut Output<'_>,
) -> Result<(), Problem> {
    let mut resource = Resource::default();
    let mut rest = 0;
    for field in Fields(message) {
        match field? {
            // One that stands there in parts is the sum of them.
            Field { number: RESOURCE, content: Some(content), .. } => resource.read(content)?,
            Field { whole, .. } => rest += whole.len(),
        }
    }
    let resource = resource.rewritten(actions);
    let mut head = Vec::new();
    encode_key(RESOURCE_METRICS, WireType::LengthDelimited, &mut head);
    encode_varint((field_len(RESOURCE, resource.len()) + rest) as u64, &mut head);
    put_field(RESOURCE, &resource, &mut head);
    output.put(&head)?;
    for field in Fields(message) {
        let Field { number, whole, content } = field?;
        if number != RESOURCE || content.is_none() {
            output.put(whole)?;
        }
    }
    Ok(())
}

/// The parts of a resource that were read so far.
#[derive(Default)]
struct Resource<'m> {
    /// With the `AnyValue` messages of values that are not changed.
    attributes: Vec<Attribute<Option<&'m [u8]>>>,
    rest: Vec<u8>,
}

impl<'m> Resource<'m> {
    fn read(&mut self, part: &'m [u8]) -> Result<(), Problem> {
        for field in Fields(part) {
            match field? {
                Field { number: ATTRIBUTES, content: Some(content), .. } => {
                    if self.attributes.len() == ATTRIBUTES_MAX {
                        return Err(Problem::TooManyAttributes);
                    }
                    self.attributes.push(attribute(content)?);
                }
                Field { whole, .. } => self.rest.extend_from_slice(whole),
            }
        }
        Ok(())
    }

    fn rewritten(mut self, actions: &Actions) -> Vec<u8> {
        actions.apply(&mut self.attributes);
        let mut message = Vec::new();
        for attribute in self.attributes {
            put_field(ATTRIBUTES, &key_value(attribute), &mut message);
        }
        message.extend_from_slice(&self.rest);
        message
    }
}

fn attribute(message: &[u8]) -> Result<Attribute<Option<&[u8]>>, Problem> {
    let mut key = "";
    let mut value = None;
    for field in Fields(message) {
        match field? {
            Field { number: KEY, content: Some(content), .. } => {
                key = std::str::from_utf8(content).map_err(|_| Problem::Unreadable)?;
            }
            Field { number: VALUE, content: Some(content), .. } => value = Some(content),
            Field { .. } => {}
        }
    }
    let value = match value {
        Some(message) => simple(message)?.unwrap_or(Value::Other(Some(message))),
        None => Value::Other(None),
    };
    Ok(Attribute { key: key.to_owned(), value })
}

/// The value of an `AnyValue` that is a text, a number or a boolean.
fn simple(message: &[u8]) -> Result<Option<Value<Option<&[u8]>>>, Problem> {
    let mut last = 0;
    for field in Fields(message) {
        last = field?.number;
    }
    // The fields `string_value`, `bool_value`, `int_value` and `double_value`. All others may hold anything.
    if !(1..=4).contains(&last) {
        return Ok(None);
    }
    let AnyValue { value } = AnyValue::decode(message).map_err(|_| Problem::Unreadable)?;
    Ok(match value {
        Some(any_value::Value::StringValue(text)) => Some(Value::String(text)),
        Some(any_value::Value::IntValue(number)) => Some(Value::Int(number)),
        Some(any_value::Value::DoubleValue(number)) => Some(Value::Double(number)),
        Some(any_value::Value::BoolValue(flag)) => Some(Value::Bool(flag)),
        _ => None,
    })
}

fn key_value(Attribute { key, value }: Attribute<Option<&[u8]>>) -> Vec<u8> {
    let encoded = |value| Some(AnyValue { value: Some(value) }.encode_to_vec());
    let value = match value {
        Value::String(text) => encoded(any_value::Value::StringValue(text)),
        Value::Int(number) => encoded(any_value::Value::IntValue(number)),
        Value::Double(number) => encoded(any_value::Value::DoubleValue(number)),
        Value::Bool(flag) => encoded(any_value::Value::BoolValue(flag)),
        Value::Other(message) => message.map(<[u8]>::to_vec),
    };
    let mut message = Vec::new();
    put_field(KEY, key.as_bytes(), &mut message);
    if let Some(value) = value {
        put_field(VALUE, &value, &mut message);
    }
    message
}

/// A field of a message.
struct Field<'m> {
    number: u32,
    whole: &'m [u8],
    /// Without key and length, if it has a length.
    content: Option<&'m [u8]>,
}

/// The fields of a message, one after the other.
struct Fields<'m>(&'m [u8]);

impl<'m> Iterator for Fields<'m> {
    type Item = Result<Field<'m>, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = read_field(self.0);
        self.0 = field.as_ref().map_or(&[][..], |field| &self.0[field.whole.len()..]);
        Some(field.ok_or(Problem::Unreadable))
    }
}

/// The field that a text begins with; `None` if it begins with none.
fn read_field(message: &[u8]) -> Option<Field<'_>> {
    let mut rest = message;
    let (number, wire_type) = decode_key(&mut rest).ok()?;
    let content = if wire_type == WireType::LengthDelimited {
        let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (content, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(content)
    } else {
        skip_field(wire_type, number, &mut rest, DecodeContext::default()).ok()?;
        None
    };
    Some(Field { number, whole: &message[..message.len() - rest.len()], content })
}

fn put_field(number: u32, content: &[u8], into: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, into);
    encode_varint(content.len() as u64, into);
    into.extend_from_slice(content);
}

fn field_len(number: u32, content: usize) -> usize {
    key_len(number) + encoded_len_varint(content as u64) + content
}
