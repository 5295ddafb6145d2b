//! JSON text, read from front to back (RFC 8259).
//!
//! The component has a JSON library for configurations. For payloads it would have to be built a
//! second time, with the means to see numbers as they are written and texts that are not Unicode:
//! that costs three times as much of the component as this, which knows only what is needed here.

use std::ops::Range;

/// What is wrong where the reading stands.
pub type Wrong = &'static str;

/// A JSON document and how far it is read.
#[derive(Debug)]
pub struct Text<'a> {
    text: &'a [u8],
    at: usize,
    unescaped: Vec<u8>,
}

impl<'a> Text<'a> {
    /// Starts at the beginning.
    pub fn new(text: &'a [u8]) -> Text<'a> {
        Text { text, at: 0, unescaped: Vec::new() }
    }

    /// How many bytes are read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Whether this byte is next, which is read then.
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Reads this byte, or says what is missing.
    pub fn expect(&mut self, byte: u8, missing: &'static str) -> Result<(), Wrong> {
        if self.take(byte) { Ok(()) } else { Err(missing) }
    }

    /// Whether `null` is next, which is read then.
    pub fn take_null(&mut self) -> bool {
        let found = self.peek().is_some() && self.text[self.at..].starts_with(b"null");
        self.at += if found { 4 } else { 0 };
        found
    }

    /// Reads to the end, where nothing may follow.
    pub fn end(&mut self) -> Result<(), Wrong> {
        if self.peek().is_none() { Ok(()) } else { Err("expected nothing more") }
    }

    /// Reads what follows an item: true before the next one, false behind `close`.
    pub fn more(&mut self, close: u8) -> Result<bool, Wrong> {
        if self.take(b',') {
            return Ok(true);
        }
        self.expect(close, if close == b'}' { "expected , or }" } else { "expected , or ]" })?;
        Ok(false)
    }

    /// Reads a name and the colon behind it.
    pub fn name(&mut self) -> Result<&[u8], Wrong> {
        let string = self.find_string("expected a name in quotes")?;
        self.expect(b':', "expected a colon")?;
        self.resolve(string)
    }

    /// Reads a string. It is UTF-8 if the document is, but for halves of surrogate pairs.
    pub fn string(&mut self) -> Result<&[u8], Wrong> {
        let string = self.find_string("expected a string")?;
        self.resolve(string)
    }

    /// Reads a number, `true`, `false`, or a string without its quotes. What number it is, and
    /// whether it is one, is for the caller to find out. Anything else is not what was `expected`.
    pub fn scalar(&mut self, expected: Wrong) -> Result<&str, Wrong> {
        let text = match self.peek() {
            Some(b'"') => self.string()?,
            Some(b't' | b'f') => self.run(|byte| byte.is_ascii_alphabetic()),
            Some(b'-' | b'0'..=b'9') => self.run(is_of_number),
            _ => return Err(expected),
        };
        str::from_utf8(text).map_err(|_| expected)
    }

    fn run(&mut self, belongs: fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Skips a value of any kind. Arrays and objects nest without end, but this does not recurse.
    pub fn skip(&mut self) -> Result<(), Wrong> {
        let mut open = Vec::new();
        loop {
            if self.take(b'{') {
                if !self.take(b'}') {
                    open.push(b'}');
                    self.name()?;
                    continue;
                }
            } else if self.take(b'[') {
                if !self.take(b']') {
                    open.push(b']');
                    continue;
                }
            } else if !self.take_null() {
                self.scalar("expected a value")?;
            }
            // A value ended here, and with it perhaps what holds it.
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                if self.more(close)? {
                    if close == b'}' {
                        self.name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Reads past a string.
    fn find_string(&mut self, missing: &'static str) -> Result<QuotedText, Wrong> {
        self.expect(b'"', missing)?;
        let start = self.at;
        let mut is_escaped = false;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_escaped = true;
                    self.at += 2;
                }
                Some(..b' ') => return Err("a control character in a string"),
                Some(_) => self.at += 1,
                None => {
                    self.at = self.text.len();
                    return Err("a string that does not end");
                }
            }
        }
        let range = start..self.at;
        self.at += 1;
        Ok(QuotedText { range, is_escaped })
    }

    fn resolve(&mut self, found: QuotedText) -> Result<&[u8], Wrong> {
        let text = &self.text[found.range];
        if !found.is_escaped {
            return Ok(text);
        }
        self.unescaped.clear();
        unescape(text, &mut self.unescaped).ok_or("an unknown escape in a string")?;
        Ok(&self.unescaped)
    }
}

/// Where a string stands between its quotes.
struct QuotedText {
    range: Range<usize>,
    is_escaped: bool,
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

fn unescape(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (kind, behind) = rest.split_first()?;
        rest = behind;
        match kind {
            b'"' | b'\\' | b'/' => out.push(*kind),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => rest = unescape_unicode(rest, out)?,
            _ => return None,
        }
    }
    Some(())
}

/// Reads the digits behind `\u`, and of a surrogate pair both halves. A half that stands alone is
/// written as UTF-8 would write it if it could: that is no Unicode, and who looks for that finds it.
fn unescape_unicode<'r>(text: &'r [u8], out: &mut Vec<u8>) -> Option<&'r [u8]> {
    let (mut code, mut rest) = code_unit(text)?;
    if let 0xd800..0xdc00 = code
        && let [b'\\', b'u', behind @ ..] = rest
        && let Some((low @ 0xdc00..0xe000, behind)) = code_unit(behind)
    {
        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        rest = behind;
    }
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend([
            0xe0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
    Some(rest)
}

fn code_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    let code = digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))?;
    Some((code, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_with_every_escape() {
        for (json, bytes) in [
            (r#""""#, &b""[..]),
            (r#""a\"\\\/\b\f\n\r\tz""#, b"a\"\\/\x08\x0c\n\r\tz"),
            (r#""\u0041\u00e9\u20AC""#, "Aé€".as_bytes()),
            (r#""\ud83e\udd80""#, "🦀".as_bytes()),
            (r#""\ud83e""#, b"\xed\xa0\xbe"),
            (r#""\ud83ex""#, b"\xed\xa0\xbex"),
            (r#""\ud83e\u0041""#, b"\xed\xa0\xbeA"),
            (r#""\udd80\ud83e""#, b"\xed\xb6\x80\xed\xa0\xbe"),
        ] {
            assert_eq!(Text::new(json.as_bytes()).string(), Ok(bytes), "{json}");
        }
        for (json, what) in [
            (r#""abc"#, "a string that does not end"),
            (r#""abc\"#, "a string that does not end"),
            (r#""abc\""#, "a string that does not end"),
            (r#""\x""#, "an unknown escape in a string"),
            (r#""\u12""#, "an unknown escape in a string"),
            (r#""\u12g4""#, "an unknown escape in a string"),
            ("\"a\nb\"", "a control character in a string"),
            ("abc", "expected a string"),
            ("", "expected a string"),
        ] {
            assert_eq!(Text::new(json.as_bytes()).string(), Err(what), "{json}");
        }
    }

    #[test]
    fn skips_values_that_are_well_formed_and_no_others() {
        let skipped = |json: &str| {
            let mut text = Text::new(json.as_bytes());
            text.skip().and_then(|()| text.end())
        };
        for json in [
            "{}",
            "[]",
            " [ ] ",
            "null",
            "true",
            "false",
            "-1.5e+3",
            r#""}""#,
            r#"{"a":1}"#,
            "[[],[{}]]",
            r#" { "a" : [ 1 , { "b" : null } , "]" ] , "c" : { } } "#,
        ] {
            assert_eq!(skipped(json), Ok(()), "{json}");
        }
        for (json, what) in [
            ("", "expected a value"),
            ("[", "expected a value"),
            ("[1", "expected , or ]"),
            ("[1 2]", "expected , or ]"),
            ("[1,]", "expected a value"),
            ("[}", "expected a value"),
            ("[1}", "expected , or ]"),
            (r#"{"a":1]"#, "expected , or }"),
            ("{1:2}", "expected a name in quotes"),
            (r#"{"a" 1}"#, "expected a colon"),
            (r#"{"a":1,}"#, "expected a name in quotes"),
            ("NaN", "expected a value"),
            ("1 2", "expected nothing more"),
        ] {
            assert_eq!(skipped(json), Err(what), "{json}");
        }
    }
}
