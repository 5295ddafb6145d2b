//! What a capture is, told from its first bytes.

use super::compression::rejoined;
use preamp_contract::Encoding;
use std::io::{self, BufRead, Read};

/// How much is looked at.
const START_BYTES: usize = 4096;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How the payloads of a capture stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// There is none.
    Nothing,
    /// One protobuf message, to the end. (Messages of a repeated field join by concatenation, so that
    /// several requests one after another are one as well.)
    Protobuf,
    /// JSON objects, one a line or one after another.
    Json,
    /// Messages, each behind its length in four bytes, the most significant first: the Collector's
    /// file exporter with `format: proto`, or with compression.
    Frames,
}

/// The first bytes of an input, and the whole of it.
pub(super) fn peek<'r>(mut input: impl Read + 'r) -> io::Result<(Vec<u8>, Box<dyn BufRead + 'r>)> {
    let mut start = Vec::with_capacity(START_BYTES);
    input.by_ref().take(START_BYTES as u64).read_to_end(&mut start)?;
    Ok((start.clone(), rejoined(start, input)))
}

/// Recognizes what starts so. The message of the error says what was seen.
///
/// These rules cannot mistake one form for another: text has none of the control characters that protobuf
/// tags and lengths are full of; and a length below 2^27 starts with a byte that would be the tag of
/// field 0, which protobuf does not have.
pub(super) fn recognize(start: &[u8], encoding: Option<Encoding>) -> Result<Form, String> {
    if start.is_empty() {
        return Ok(Form::Nothing);
    }
    let is_length = start[0] < 8;
    match encoding {
        _ if is_length => Ok(Form::Frames),
        Some(Encoding::Json) => Ok(Form::Json),
        Some(Encoding::Protobuf) => Ok(Form::Protobuf),
        None => match text(start) {
            Some(text) => recognize_text(text),
            None => recognize_binary(start),
        },
    }
}

/// Recognizes one message of [`Form::Frames`].
pub(super) fn recognize_message(message: &[u8]) -> Result<Encoding, String> {
    match recognize(&message[..message.len().min(START_BYTES)], None)? {
        Form::Json => Ok(Encoding::Json),
        // An empty message is a request without anything in it.
        Form::Protobuf | Form::Nothing => Ok(Encoding::Protobuf),
        Form::Frames => Err(format!("is no OTLP: it starts with {}", hexadecimal(message))),
    }
}

fn recognize_text(text: &str) -> Result<Form, String> {
    let text = text.trim_start();
    match text.chars().next() {
        None => Ok(Form::Nothing),
        Some('{') => Ok(Form::Json),
        Some('[') => Err("holds a JSON array: expected one OTLP/JSON object, or one a line \
                          (`jq -c .[] FILE` writes the elements so)"
            .to_owned()),
        Some(_) => Err(format!("holds text that starts with `{}`: expected {EXPECTED}", excerpt(text))),
    }
}

/// Wire types 3, 4, 6 and 7 are out of use or were never assigned.
fn recognize_binary(start: &[u8]) -> Result<Form, String> {
    match start[0] & 7 {
        0 | 1 | 2 | 5 => Ok(Form::Protobuf),
        _ => Err(format!("holds bytes that start with {}: expected {EXPECTED}", hexadecimal(start))),
    }
}

const EXPECTED: &str = "an OTLP metrics payload as protobuf or JSON, or a file of the Collector's file \
                        exporter, as it is or compressed with gzip or zstd";

/// The bytes as text, if that is what they are. The last character may be cut off.
fn text(start: &[u8]) -> Option<&str> {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
    text.chars().all(is_text).then_some(text)
}

fn excerpt(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(40).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let shown: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ")
}

/// Drops the mark that some editors start UTF-8 files with.
pub(super) fn without_mark(start: &[u8]) -> &[u8] {
    start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start)
}
