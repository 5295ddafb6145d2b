//! Resources of a payload in protobuf (`opentelemetry/proto/collector/metrics/v1/metrics_service.proto`).

use super::Actions;
use super::actions::{Attribute, Value};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost::encoding::{encoded_len_varint, key_len, skip_field};
use std::ops::Range;

/// `ExportMetricsServiceRequest.resource_metrics`.
const RESOURCE_METRICS: u32 = 1;
/// `ResourceMetrics.resource`.
const RESOURCE: u32 = 1;
/// `Resource.attributes`.
const ATTRIBUTES: u32 = 1;

/// The payload with other resources; `None` if it cannot be read.
pub(super) fn rewrite(actions: &Actions, payload: &Bytes) -> Option<Bytes> {
    let mut rewritten = BytesMut::with_capacity(payload.len() + payload.len() / 16);
    for Field { number, whole, content } in fields(payload)? {
        match (number, content) {
            (RESOURCE_METRICS, Some(content)) => {
                put_resource_metrics(actions, &payload[content], &mut rewritten)?
            }
            _ => rewritten.put_slice(&payload[whole]),
        }
    }
    Some(rewritten.freeze())
}

fn put_resource_metrics(actions: &Actions, message: &[u8], into: &mut BytesMut) -> Option<()> {
    let fields = fields(message)?;
    // One that stands there in parts is the sum of them.
    let is_resource = |field: &&Field| field.number == RESOURCE && field.content.is_some();
    let parts = fields.iter().filter(is_resource).filter_map(|field| field.content.clone());
    let resource = rewritten_resource(actions, parts.map(|part| &message[part]))?;
    let rest: Vec<_> =
        fields.iter().filter(|field| !is_resource(field)).map(|field| field.whole.clone()).collect();
    let length = field_len(RESOURCE, resource.len()) + rest.iter().map(ExactSizeIterator::len).sum::<usize>();
    encode_key(RESOURCE_METRICS, WireType::LengthDelimited, into);
    encode_varint(length as u64, into);
    put_field(RESOURCE, &resource, into);
    rest.into_iter().for_each(|range| into.put_slice(&message[range]));
    Some(())
}

fn rewritten_resource<'m>(actions: &Actions, parts: impl Iterator<Item = &'m [u8]>) -> Option<BytesMut> {
    let mut attributes = Vec::new();
    let mut rest = BytesMut::new();
    for part in parts {
        for Field { number, whole, content } in fields(part)? {
            match (number, content) {
                (ATTRIBUTES, Some(content)) => {
                    attributes.push(attribute(KeyValue::decode(&part[content]).ok()?))
                }
                _ => rest.put_slice(&part[whole]),
            }
        }
    }
    actions.apply(&mut attributes);
    let mut resource = BytesMut::new();
    for attribute in attributes {
        put_field(ATTRIBUTES, &key_value(attribute).encode_to_vec(), &mut resource);
    }
    resource.unsplit(rest);
    Some(resource)
}

fn attribute(KeyValue { key, value, .. }: KeyValue) -> Attribute<Option<AnyValue>> {
    let value = match value {
        Some(AnyValue { value: Some(any_value::Value::StringValue(text)), .. }) => Value::String(text),
        Some(AnyValue { value: Some(any_value::Value::IntValue(number)), .. }) => Value::Int(number),
        Some(AnyValue { value: Some(any_value::Value::DoubleValue(number)), .. }) => Value::Double(number),
        Some(AnyValue { value: Some(any_value::Value::BoolValue(flag)), .. }) => Value::Bool(flag),
        other => Value::Other(other),
    };
    Attribute { key, value }
}

fn key_value(Attribute { key, value }: Attribute<Option<AnyValue>>) -> KeyValue {
    let of = |value| Some(AnyValue { value: Some(value) });
    let value = match value {
        Value::String(text) => of(any_value::Value::StringValue(text)),
        Value::Int(number) => of(any_value::Value::IntValue(number)),
        Value::Double(number) => of(any_value::Value::DoubleValue(number)),
        Value::Bool(flag) => of(any_value::Value::BoolValue(flag)),
        Value::Other(other) => other,
    };
    KeyValue { key, value, ..KeyValue::default() }
}

/// Where a field of a message is.
struct Field {
    number: u32,
    whole: Range<usize>,
    /// Without key and length, if it has a length.
    content: Option<Range<usize>>,
}

/// The fields of a message; `None` if it is none.
fn fields(message: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut rest = message;
    while rest.has_remaining() {
        let start = message.len() - rest.len();
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let content = if wire_type == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
            let begin = message.len() - rest.len();
            rest = rest.get(length..)?;
            Some(begin..begin + length)
        } else {
            skip_field(wire_type, number, &mut rest, DecodeContext::default()).ok()?;
            None
        };
        fields.push(Field { number, whole: start..message.len() - rest.len(), content });
    }
    Some(fields)
}

fn put_field(number: u32, content: &[u8], into: &mut BytesMut) {
    encode_key(number, WireType::LengthDelimited, into);
    encode_varint(content.len() as u64, into);
    into.put_slice(content);
}

fn field_len(number: u32, content: usize) -> usize {
    key_len(number) + encoded_len_varint(content as u64) + content
}
