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
mod text;

use preamp_contract::Refusal;
use prost::encoding::{encode_varint, encoded_len_varint};
use schema::{Field, Kind, Message, Scalar};
use std::fmt::Write as _;
use text::{Text, Wrong};

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
    let mut transcoder = Transcoder {
        text: Text::new(text),
        out: Vec::with_capacity(text.len() / 2),
        path: Vec::new(),
        other_signal: None,
    };
    let read = transcoder.fields(&schema::REQUEST).and_then(|()| transcoder.text.end());
    match (read, transcoder.other_signal) {
        (_, Some(signal)) => Err(Refusal::WrongSignal(signal.into())),
        (Err(what), None) => Err(Refusal::Malformed(transcoder.describe(what))),
        (Ok(()), None) => Ok(transcoder.out),
    }
}

/// What is read and what was written.
struct Transcoder<'a> {
    text: Text<'a>,
    out: Vec<u8>,
    /// The way from the document to what is being read.
    path: Vec<Step>,
    other_signal: Option<&'static str>,
}

/// A field, and which item of it if it is a list.
struct Step {
    name: &'static str,
    index: Option<usize>,
}

impl Transcoder<'_> {
    fn describe(&self, what: &str) -> String {
        let mut text = String::new();
        for Step { name, index } in &self.path {
            let dot = if text.is_empty() { "" } else { "." };
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{dot}{name}");
            if let Some(index) = index {
                let _infallible = write!(text, "[{index}]");
            }
        }
        let colon = if text.is_empty() { "" } else { ": " };
        format!("{text}{colon}{what} at byte {}", self.text.position())
    }

    /// Reads the fields of a message.
    fn fields(&mut self, message: &'static Message) -> Result<(), Wrong> {
        self.text.expect(b'{', "expected an object")?;
        if self.text.take(b'}') {
            return Ok(());
        }
        loop {
            match message.field(self.text.name()?) {
                None => self.text.skip()?,
                Some(field) => {
                    self.path.push(Step { name: field.name, index: None });
                    self.field(field)?;
                    // An error leaves the path as it is.
                    self.path.pop();
                }
            }
            if !self.text.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads what a field holds; `null` says that it is not set.
    fn field(&mut self, field: &'static Field) -> Result<(), Wrong> {
        match field.kind {
            _ if self.text.take_null() => Ok(()),
            Kind::OtherSignal(signal) => {
                self.other_signal = Some(signal);
                Err(signal)
            }
            Kind::Removed(what) => {
                let is_empty = self.text.take(b'[') && self.text.take(b']');
                if is_empty { Ok(()) } else { Err(what) }
            }
            Kind::Scalar(scalar) if field.repeated => {
                // Protobuf packs lists of numbers.
                let start = self.open(field.number);
                self.items(|transcoder| transcoder.scalar(scalar))?;
                self.close(start);
                Ok(())
            }
            _ if field.repeated => self.items(|transcoder| transcoder.value(field)),
            _ => self.value(field),
        }
    }

    fn items(&mut self, item: impl Fn(&mut Self) -> Result<(), Wrong>) -> Result<(), Wrong> {
        self.text.expect(b'[', "expected an array")?;
        if self.text.take(b']') {
            return Ok(());
        }
        for index in 0.. {
            if let Some(step) = self.path.last_mut() {
                step.index = Some(index);
            }
            item(self)?;
            if !self.text.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// Reads a value or an item and writes it as a field.
    fn value(&mut self, field: &'static Field) -> Result<(), Wrong> {
        if let Kind::Scalar(scalar) = field.kind {
            self.tag(field.number, scalar.wire_type());
            return self.scalar(scalar);
        }
        let start = self.open(field.number);
        match field.kind {
            // An item that is null keeps its place.
            Kind::Message(_) if self.text.take_null() => {}
            Kind::Message(_) if self.path.len() > DEPTH_MAX => self.text.skip()?,
            Kind::Message(message) => self.fields(message)?,
            Kind::Hex => scalar::write_hex(self.text.string()?, &mut self.out)
                .ok_or("expected hexadecimal digits in pairs")?,
            Kind::Base64 => {
                scalar::write_base64(self.text.string()?, &mut self.out).ok_or("expected base64")?;
            }
            _ => self.out.extend_from_slice(self.text.string()?),
        }
        self.close(start);
        Ok(())
    }

    /// Reads a scalar that is no text and writes it without a tag.
    fn scalar(&mut self, scalar: Scalar) -> Result<(), Wrong> {
        let expected = scalar.expected();
        let text = if self.text.take_null() { scalar::NULL } else { self.text.scalar(expected)? };
        scalar.write(text, &mut self.out).ok_or(expected)
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
}
