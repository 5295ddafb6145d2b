//! Attributes: `KeyValue` messages and the text their `AnyValue` becomes as a label.
//! (OpenTelemetry specification, "Common concepts", attribute representation for non-OTLP
//! protocols.)

use super::wire::{Field, Fields, Malformed};
use std::fmt::Write;
use std::ops::Range;

/// How deep arrays and maps may nest; deeper ones become an empty text.
const DEPTH_MAX: u32 = 32;

/// An attribute whose value is ready to be a label.
#[derive(Clone, Debug)]
pub struct Attribute<'a> {
    /// `key`.
    pub key: &'a [u8],
    /// The value as text.
    pub value: Text<'a>,
}

/// The text of a value: in the payload where it is a string there, else in scratch memory.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// A string of the payload.
    Borrowed(&'a [u8]),
    /// A range of the scratch memory that [`Attribute::read`] wrote to.
    Scratch(Range<usize>),
}

impl<'a> Text<'a> {
    /// The text itself.
    #[inline]
    pub fn resolve<'s>(&'s self, scratch: &'s [u8]) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Text::Borrowed(text) => text,
            Text::Scratch(range) => scratch.get(range.clone()).unwrap_or_default(),
        }
    }

    /// Whether there is no text.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self {
            Text::Borrowed(text) => text.is_empty(),
            Text::Scratch(range) => range.is_empty(),
        }
    }
}

impl<'a> Attribute<'a> {
    /// Reads a `KeyValue`. Values other than strings are written behind `scratch`.
    #[inline]
    pub fn read(message: &'a [u8], scratch: &mut Vec<u8>) -> Result<Attribute<'a>, Malformed> {
        match Self::read_short_string(message) {
            Some(attribute) => Ok(attribute),
            None => Self::read_any(message, scratch),
        }
    }

    /// The form nearly all attributes have: key before value, the value a string, all lengths in
    /// one byte.
    #[inline]
    fn read_short_string(message: &'a [u8]) -> Option<Attribute<'a>> {
        let (key, rest) = split_short(KEY, message)?;
        let (value, rest) = split_short(VALUE, rest)?;
        let (text, value_rest) = split_short(STRING, value)?;
        (rest.is_empty() && value_rest.is_empty()).then_some(Attribute { key, value: Text::Borrowed(text) })
    }

    fn read_any(message: &'a [u8], scratch: &mut Vec<u8>) -> Result<Attribute<'a>, Malformed> {
        let mut attribute = Attribute { key: b"", value: Text::Borrowed(b"") };
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => attribute.key = field.bytes()?,
                2 => attribute.value = read_value(field.bytes()?, scratch)?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

/// The value of a `KeyValue` with this key, if it is a string.
pub fn string_of<'a>(key: &[u8], message: &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let mut scratch = Vec::new();
    let attribute = Attribute::read(message, &mut scratch)?;
    Ok(match attribute.value {
        Text::Borrowed(text) if attribute.key == key => Some(text),
        _ => None,
    })
}

/// `KeyValue.key`, length-delimited.
const KEY: u8 = 1 << 3 | 2;
/// `KeyValue.value`, length-delimited.
const VALUE: u8 = 2 << 3 | 2;
/// `AnyValue.string_value`, length-delimited.
const STRING: u8 = 1 << 3 | 2;

/// Splits off a field with this tag and a length under 128.
#[inline]
fn split_short(tag: u8, message: &[u8]) -> Option<(&[u8], &[u8])> {
    match message {
        [first, length @ ..0x80, rest @ ..] if *first == tag => rest.split_at_checked(usize::from(*length)),
        _ => None,
    }
}

fn read_value<'a>(message: &'a [u8], scratch: &mut Vec<u8>) -> Result<Text<'a>, Malformed> {
    let mut text = Text::Borrowed(b"".as_slice());
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_field()? {
        text = match field.number {
            number::STRING => Text::Borrowed(field.bytes()?),
            number::BOOL..=number::BYTES => {
                let start = scratch.len();
                if !write_value(&field, Nesting::None, scratch)? {
                    scratch.truncate(start);
                }
                Text::Scratch(start..scratch.len())
            }
            _ => continue,
        };
    }
    Ok(text)
}

/// Field numbers of `AnyValue`.
mod number {
    pub const STRING: u32 = 1;
    pub const BOOL: u32 = 2;
    pub const INT: u32 = 3;
    pub const DOUBLE: u32 = 4;
    pub const ARRAY: u32 = 5;
    pub const MAP: u32 = 6;
    pub const BYTES: u32 = 7;
}

/// Whether a value stands alone or inside JSON, and how deep.
#[derive(Clone, Copy)]
enum Nesting {
    None,
    Json(u32),
}

impl Nesting {
    fn deeper(self) -> Option<Nesting> {
        match self {
            Nesting::None => Some(Nesting::Json(1)),
            Nesting::Json(depth) if depth < DEPTH_MAX => Some(Nesting::Json(depth + 1)),
            Nesting::Json(_) => None,
        }
    }
}

/// Writes a value as text. False if it has none: a number inside JSON that is not finite, or a
/// value nested too deep.
fn write_value(value: &Field, nesting: Nesting, out: &mut Vec<u8>) -> Result<bool, Malformed> {
    let quoted = matches!(nesting, Nesting::Json(_));
    match value.number {
        number::STRING => write_json_string(value.bytes()?, out),
        number::BOOL => out.extend_from_slice(if value.varint()? != 0 { b"true" } else { b"false" }),
        number::INT => write(out, format_args!("{}", value.varint()?.cast_signed())),
        number::DOUBLE => {
            let double = value.double()?;
            if quoted && !double.is_finite() {
                return Ok(false);
            }
            write_double(double, out);
        }
        number::ARRAY => return write_array(value.bytes()?, nesting, out),
        number::MAP => return write_map(value.bytes()?, nesting, out),
        number::BYTES => {
            let quote: &[u8] = if quoted { b"\"" } else { b"" };
            out.extend_from_slice(quote);
            write_base64(value.bytes()?, out);
            out.extend_from_slice(quote);
        }
        _ => {}
    }
    Ok(true)
}

fn write_array(array: &[u8], nesting: Nesting, out: &mut Vec<u8>) -> Result<bool, Malformed> {
    let Some(nesting) = nesting.deeper() else { return Ok(false) };
    out.push(b'[');
    let mut separator: &[u8] = b"";
    let mut fields = Fields::of(array);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            out.extend_from_slice(separator);
            if !write_any(field.bytes()?, nesting, out)? {
                return Ok(false);
            }
            separator = b",";
        }
    }
    out.push(b']');
    Ok(true)
}

fn write_map(map: &[u8], nesting: Nesting, out: &mut Vec<u8>) -> Result<bool, Malformed> {
    let Some(nesting) = nesting.deeper() else { return Ok(false) };
    let mut entries: Vec<(&[u8], &[u8])> = Vec::new();
    let mut fields = Fields::of(map);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            entries.push(read_entry(field.bytes()?)?);
        }
    }
    // Of equal keys the last one counts, as in a map.
    entries.sort_by(|a, b| a.0.cmp(b.0));
    out.push(b'{');
    let mut separator: &[u8] = b"";
    for (index, (key, value)) in entries.iter().enumerate() {
        if entries.get(index + 1).is_some_and(|next| next.0 == *key) {
            continue;
        }
        out.extend_from_slice(separator);
        write_json_string(key, out);
        out.push(b':');
        if !write_any(value, nesting, out)? {
            return Ok(false);
        }
        separator = b",";
    }
    out.push(b'}');
    Ok(true)
}

fn read_entry(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut entry: (&[u8], &[u8]) = (b"", b"");
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => entry.0 = field.bytes()?,
            2 => entry.1 = field.bytes()?,
            _ => {}
        }
    }
    Ok(entry)
}

fn write_any(message: &[u8], nesting: Nesting, out: &mut Vec<u8>) -> Result<bool, Malformed> {
    let mut last = None;
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_field()? {
        if (number::STRING..=number::BYTES).contains(&field.number) {
            last = Some(field);
        }
    }
    match last {
        Some(field) => write_value(&field, nesting, out),
        None => {
            out.extend_from_slice(b"null");
            Ok(true)
        }
    }
}

/// Writes to a vector, which cannot fail.
fn write(out: &mut Vec<u8>, text: std::fmt::Arguments) {
    struct Sink<'o>(&'o mut Vec<u8>);
    impl Write for Sink<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    let _infallible = Sink(out).write_fmt(text);
}

/// The shortest text that reads back as the same double: fixed form from 1e-6 to below 1e21, else
/// with an exponent; as JSON has it in ECMAScript.
pub fn write_double(double: f64, out: &mut Vec<u8>) {
    let size = double.abs();
    if double.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if double.is_infinite() {
        out.extend_from_slice(if double > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let start = out.len();
        write(out, format_args!("{double:e}"));
        if let Some(exponent) = out[start..].iter().position(|b| *b == b'e')
            && out[start + exponent + 1] != b'-'
        {
            out.insert(start + exponent + 1, b'+');
        }
    } else {
        write(out, format_args!("{double}"));
    }
}

fn write_json_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\u{8}' => out.extend_from_slice(b"\\b"),
                '\u{c}' => out.extend_from_slice(b"\\f"),
                '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => write(out, format_args!("\\u{:04x}", c as u32)),
                _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

/// Standard base64 with padding (RFC 4648, section 4).
fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let mut word = [0u8; 4];
        word[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(word);
        for index in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * index)) as usize & 0x3f];
            out.push(if index <= group.len() { digit } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        write_double(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_as_the_specification_prints_them() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e20, "100000000000000000000"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn base64_with_padding() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob", "Zm9vYg==")]
        {
            let mut out = Vec::new();
            write_base64(bytes, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    /// Encodes an `AnyValue` or `KeyValue` field by hand: tag and length-delimited content.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, content.len() as u8];
        out.extend_from_slice(content);
        out
    }

    fn text_of(any_value: &[u8]) -> String {
        let message = [field(1, b"k"), field(2, any_value)].concat();
        let mut scratch = b"other".to_vec();
        let attribute = Attribute::read(&message, &mut scratch).unwrap();
        assert_eq!(attribute.key, b"k");
        String::from_utf8(attribute.value.resolve(&scratch).to_vec()).unwrap()
    }

    #[test]
    fn every_type_of_value_becomes_text() {
        let string = |text: &str| field(1, text.as_bytes());
        let nan = [&[0x21][..], &f64::NAN.to_le_bytes()].concat();
        let entry = |key: &str, value: &[u8]| field(1, &[field(1, key.as_bytes()), field(2, value)].concat());
        assert_eq!(text_of(b""), "");
        assert_eq!(text_of(&string("a")), "a");
        assert_eq!(text_of(&[0x10, 1]), "true");
        assert_eq!(text_of(&[0x18, 5]), "5");
        assert_eq!(text_of(&[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), "-1");
        assert_eq!(text_of(&nan), "NaN");
        assert_eq!(text_of(&field(7, b"fo")), "Zm8=");
        let array =
            field(5, &[field(1, &string("a\"\u{1}")), field(1, b""), field(1, &field(7, b"f"))].concat());
        assert_eq!(text_of(&array), r#"["a\"\u0001",null,"Zg=="]"#);
        let map =
            field(6, &[entry("b", &string("<a>&")), entry("a", &[0x18, 1]), entry("b", &[0x18, 2])].concat());
        assert_eq!(text_of(&map), r#"{"a":1,"b":2}"#);
        assert_eq!(text_of(&field(5, &field(1, &nan))), "");
        assert_eq!(text_of(&field(5, b"")), "[]");
    }

    #[test]
    fn nesting_is_bounded() {
        let mut value = field(5, b"");
        for _ in 0..DEPTH_MAX - 1 {
            let mut out = Vec::new();
            // Lengths pass 127 here, so the two-byte form is written throughout.
            let item = |number: u8, content: &[u8]| {
                let length = [content.len() as u8 | 0x80, (content.len() >> 7) as u8];
                [&[number << 3 | 2][..], &length, content].concat()
            };
            out.extend(item(5, &item(1, &value)));
            value = out;
        }
        let mut scratch = Vec::new();
        assert!(!read_value(&value, &mut scratch).unwrap().is_empty());
        let deeper = [
            &[0x2a, (value.len() + 3) as u8 | 0x80, ((value.len() + 3) >> 7) as u8, 0x0a][..],
            &[value.len() as u8 | 0x80, (value.len() >> 7) as u8],
            &value,
        ]
        .concat();
        assert!(read_value(&deeper, &mut scratch).unwrap().is_empty());
    }
}
