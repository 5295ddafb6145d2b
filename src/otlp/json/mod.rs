//! OTLP/JSON as the protobuf message that says the same, so that all that follows sees only one
//! encoding. (OTLP specification, "JSON Protobuf Encoding"; what it leaves open is taken as the
//! Collector takes it.)
//!
//! The document is read once, from front to back, and what is read is written at once: no tree is
//! built. Fields keep the order of the document. Where a name comes twice, values count as protobuf
//! counts fields that come twice: the last one, and for lists the items of both.

mod scalar;
mod schema;
#[cfg(test)]
mod tests;

use crate::types::Refusal;
use prost::encoding::{encode_varint, encoded_len_varint};
use schema::{Field, Kind, Message, Scalar};
use serde_core::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;
use std::fmt::{self, Write as _};

/// How many messages may stand one in the other. Values of attributes are the only ones that nest
/// without end, and those cut off here are too deep to become labels
/// ([`DEPTH_MAX`](super::value)), so they are left empty.
const DEPTH_MAX: usize = 128;

/// Length-delimited, a wire type of protobuf.
const DELIMITED: u32 = 2;

/// Transcodes an `ExportMetricsServiceRequest` from JSON to protobuf.
///
/// # Errors
///
/// The text is no JSON, or a field is of another type than OTLP says; or it is a request of another
/// signal.
pub fn transcode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut transcoder = Transcoder { out: Vec::with_capacity(text.len() / 2), ..Transcoder::default() };
    let mut document = serde_json::Deserializer::from_slice(text);
    // What is known nests only so deep, and what is not known is skipped without recursion.
    document.disable_recursion_limit();
    let read = Request(&mut transcoder).deserialize(&mut document).and_then(|()| document.end());
    match (read, transcoder.other_signal) {
        (_, Some(signal)) => Err(Refusal::WrongSignal(signal)),
        (Err(error), None) => Err(Refusal::Malformed(transcoder.describe(&error))),
        (Ok(()), None) => Ok(transcoder.out),
    }
}

/// What was written, and where the reading stands.
#[derive(Default)]
struct Transcoder {
    out: Vec<u8>,
    path: Vec<Step>,
    other_signal: Option<&'static str>,
}

/// A field on the way from the document to what is being read.
struct Step {
    name: &'static str,
    /// Which item, if the field is a list.
    index: Option<usize>,
}

impl Transcoder {
    fn describe(&self, error: &serde_json::Error) -> String {
        let mut text = String::new();
        for (depth, Step { name, index }) in self.path.iter().enumerate() {
            let dot = if depth > 0 { "." } else { "" };
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{dot}{name}");
            if let Some(index) = index {
                let _infallible = write!(text, "[{index}]");
            }
        }
        let colon = if text.is_empty() { "" } else { ": " };
        format!("{text}{colon}{error}")
    }

    fn tag(&mut self, number: u32, wire_type: u32) {
        encode_varint(u64::from(number << 3 | wire_type), &mut self.out);
    }

    /// Begins a message, a text or a packed list, and returns where its content begins.
    fn open(&mut self, number: u32) -> usize {
        self.tag(number, DELIMITED);
        // The length is known at the end; nearly always it takes one byte.
        self.out.push(0);
        self.out.len()
    }

    fn close(&mut self, start: usize) {
        let end = self.out.len();
        let length = (end - start) as u64;
        let more = encoded_len_varint(length) - 1;
        if more > 0 {
            self.out.resize(end + more, 0);
            self.out.copy_within(start..end, start + more);
        }
        encode_varint(length, &mut &mut self.out[start - 1..]);
    }

    /// Reads the fields of a message.
    fn fields<'de, A: MapAccess<'de>>(
        &mut self,
        message: &'static Message,
        mut object: A,
    ) -> Result<(), A::Error> {
        while let Some(field) = object.next_key_seed(Key(message))? {
            let Some(field) = field else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            self.path.push(Step { name: field.name, index: None });
            object.next_value_seed(Slot { transcoder: self, field, list: field.repeated })?;
            // An error leaves the path as it is.
            self.path.pop();
        }
        Ok(())
    }

    /// Reads the items of a list of messages.
    fn items<'de, A: SeqAccess<'de>>(&mut self, field: &'static Field, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            if let Some(step) = self.path.last_mut() {
                step.index = Some(index);
            }
            if items.next_element_seed(Slot { transcoder: self, field, list: false })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Reads a list of numbers, which protobuf packs.
    fn numbers<'de, A: SeqAccess<'de>>(
        &mut self,
        number: u32,
        scalar: Scalar,
        mut items: A,
    ) -> Result<(), A::Error> {
        let start = self.open(number);
        while let Some(item) = items.next_element::<&RawValue>()? {
            let text = if item.get() == "null" { scalar::NULL } else { item.get() };
            scalar.write(text, &mut self.out).ok_or_else(|| unfit(scalar))?;
        }
        self.close(start);
        Ok(())
    }
}

#[cold]
fn unfit<E: Error>(scalar: Scalar) -> E {
    E::custom(format_args!("expected {}", scalar.expected()))
}

/// The document as a whole.
struct Request<'t>(&'t mut Transcoder);

impl<'de> DeserializeSeed<'de> for Request<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Request<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.fields(&schema::REQUEST, object)
    }
}

/// The name of a field of this message.
struct Key(&'static Message);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.field(name))
    }
}

/// The place of a value: that of a field, or of an item in a field that is a list.
struct Slot<'t> {
    transcoder: &'t mut Transcoder,
    field: &'static Field,
    /// Whether a list stands here.
    list: bool,
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self.field.kind {
            _ if self.list => "an array",
            Kind::Message(_) => "an object",
            _ => "a string",
        })
    }

    /// `null`: a field that is not set, or an item that is empty.
    fn visit_none<E: Error>(self) -> Result<(), E> {
        if self.field.repeated && !self.list {
            let start = self.transcoder.open(self.field.number);
            self.transcoder.close(start);
        }
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        match self.field.kind {
            Kind::OtherSignal(signal) => {
                self.transcoder.other_signal = Some(signal);
                Err(D::Error::custom(signal))
            }
            _ if self.list => value.deserialize_seq(self),
            Kind::Message(_) if self.transcoder.path.len() > DEPTH_MAX => {
                IgnoredAny::deserialize(value)?;
                self.visit_none()
            }
            Kind::Message(_) => value.deserialize_map(self),
            // As bytes, since a text that is not Unicode costs its point, and not the request.
            Kind::Text | Kind::Hex | Kind::Base64 => value.deserialize_bytes(self),
            Kind::Scalar(scalar) => {
                let text = <&RawValue>::deserialize(value)?.get();
                if text == "null" {
                    return Ok(());
                }
                self.transcoder.tag(self.field.number, scalar.wire_type());
                scalar.write(text, &mut self.transcoder.out).ok_or_else(|| unfit(scalar))
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        match self.field.kind {
            _ if !self.list => Err(A::Error::invalid_type(Unexpected::Seq, &self)),
            Kind::Scalar(scalar) => self.transcoder.numbers(self.field.number, scalar, items),
            _ => self.transcoder.items(self.field, items),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.field.kind else {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        };
        let start = self.transcoder.open(self.field.number);
        self.transcoder.fields(message, object)?;
        self.transcoder.close(start);
        Ok(())
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<(), E> {
        let Slot { transcoder, field, .. } = self;
        let start = transcoder.open(field.number);
        let written = match field.kind {
            Kind::Hex => scalar::write_hex(text, &mut transcoder.out),
            Kind::Base64 => scalar::write_base64(text, &mut transcoder.out),
            _ => {
                transcoder.out.extend_from_slice(text);
                Some(())
            }
        };
        transcoder.close(start);
        written.ok_or_else(|| match field.kind {
            Kind::Hex => E::custom("expected hexadecimal digits in pairs"),
            _ => E::custom("expected base64"),
        })
    }
}
