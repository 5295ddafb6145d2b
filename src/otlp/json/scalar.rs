//! Values of JSON as protobuf writes them.

use super::schema::Scalar;
use crate::otlp::wire::zigzag;
use prost::encoding::encode_varint;

impl Scalar {
    /// The wire type of protobuf.
    pub fn wire_type(self) -> u32 {
        match self {
            Scalar::Fixed64 | Scalar::Sfixed64 | Scalar::Double => 1,
            _ => 0,
        }
    }

    /// What is wrong with anything else.
    pub fn expected(self) -> &'static str {
        match self {
            Scalar::Bool => "expected true or false",
            Scalar::Enum(_) => "expected a number or a name of this enum",
            Scalar::Uint32 => "expected a whole number of 32 bits, not negative",
            Scalar::Uint64 | Scalar::Fixed64 => "expected a whole number of 64 bits, not negative",
            Scalar::Int64 | Scalar::Sfixed64 => "expected a whole number of 64 bits",
            Scalar::Sint32 => "expected a whole number of 32 bits",
            Scalar::Double => "expected a number that a double can hold",
        }
    }

    /// Writes a value, without a tag. `text` is as it stands in the document, where it may also stand
    /// in quotes. `None` if it is no value of this type.
    pub fn write(self, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Scalar::Bool => out.push(u8::from(text.parse::<bool>().ok()?)),
            Scalar::Enum(names) => {
                let named = names.iter().position(|name| *name == text);
                let value = named.map(|index| index as i64).or_else(|| signed(text))?;
                // Protobuf writes the sign of an enum in 64 bits.
                encode_varint(i64::from(i32::try_from(value).ok()?).cast_unsigned(), out);
            }
            Scalar::Uint32 => encode_varint(u64::from(u32::try_from(unsigned(text)?).ok()?), out),
            Scalar::Uint64 => encode_varint(unsigned(text)?, out),
            Scalar::Int64 => encode_varint(signed(text)?.cast_unsigned(), out),
            Scalar::Sint32 => encode_varint(zigzag(i32::try_from(signed(text)?).ok()?.into()), out),
            Scalar::Fixed64 => out.extend_from_slice(&unsigned(text)?.to_le_bytes()),
            Scalar::Sfixed64 => out.extend_from_slice(&signed(text)?.to_le_bytes()),
            Scalar::Double => out.extend_from_slice(&double(text)?.to_le_bytes()),
        }
        Some(())
    }
}

/// The value of a field that is not there, in a list that has `null` in its place: all of them are 0.
pub const NULL: &str = "0";

/// A double, which may be NaN, Infinity or -Infinity, but only where the text says so: a number that is too large
/// for a double is none.
fn double(text: &str) -> Option<f64> {
    let double = text.parse::<f64>().ok()?;
    let is_too_large = double.is_infinite() && text.bytes().any(|b| b.is_ascii_digit());
    (!is_too_large).then_some(double)
}

fn unsigned(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| {
        let double = whole(text)?;
        (0.0..TWO_POW_64).contains(&double).then_some(double as u64)
    })
}

fn signed(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let double = whole(text)?;
        (-TWO_POW_63..TWO_POW_63).contains(&double).then_some(double as i64)
    })
}

const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_POW_64: f64 = 2.0 * TWO_POW_63;

/// A whole number in another notation, such as `1e3`, `5.0` or `-0`.
fn whole(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|double| double.trunc() == *double)
}

/// Decodes hexadecimal digits in either case, behind `out`.
pub fn write_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend(hex::decode(text).ok()?);
    Some(())
}

/// Decodes base64 behind `out`: the standard alphabet or that for URLs, padded or not (RFC 4648,
/// sections 4 and 5).
pub fn write_base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &text[..text.len() - padding];
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) || digits.len() % 4 == 1 {
        return None;
    }
    for group in digits.chunks(4) {
        let mut bits = 0u32;
        for index in 0..4 {
            bits = bits << 6 | group.get(index).map_or(Some(0), |digit| base64_digit(*digit))?;
        }
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(())
}

fn base64_digit(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_both_alphabets_with_and_without_padding() {
        let decoded = |text: &str| {
            let mut out = Vec::new();
            write_base64(text.as_bytes(), &mut out).map(|()| out)
        };
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zg", b"f"),
            ("Zm8=", b"fo"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("+/8=", b"\xfb\xff"),
            ("-_8", b"\xfb\xff"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["Z", "Zg=", "Zg===", "=", "Zm9v=", "Zm9vZ", "Zm 8", "Zm8*"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
