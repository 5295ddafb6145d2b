//! Text that a terminal and the reader of a log show as it is, wherever it came from.
//!
//! Names, paths and what other programs say may hold characters that move the cursor, colour what follows, turn the
//! direction of writing, or are not seen at all. They are escaped where text leaves the process: on standard output,
//! standard error, and in log lines.

use std::fmt::{self, Display, Write as _};
use std::io::{self, StderrLock, StdoutLock};

/// Whether a character shows as what it is, and does nothing to those around it.
#[must_use]
pub fn is_printable(character: char) -> bool {
    !matches!(character,
        // Controls of ASCII and Latin-1.
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Directions of writing.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Breaks of lines.
        | '\u{2028}' | '\u{2029}'
        // What has no width.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Something as one line: breaks are escaped too.
#[derive(Clone, Copy, Debug)]
pub struct Line<T>(pub T);

impl<T: Display> Display for Line<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { to: f, form: Form::Line }, "{}", self.0)
    }
}

/// What is escaped, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Everything, as `\n` and `\u{202e}`.
    Line,
    /// The same, but for line breaks.
    Lines,
    /// As JSON has it, where such characters stand in strings only. Line breaks stand between documents.
    Json,
}

impl Form {
    fn keeps(self, character: char) -> bool {
        is_printable(character) || (character == '\n' && self != Form::Line)
    }

    /// Whether all bytes stand for themselves, which spares looking at characters.
    fn keeps_all(self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| byte.is_ascii() && self.keeps(char::from(*byte)))
    }

    fn escape(self, character: char, to: &mut impl fmt::Write) -> fmt::Result {
        if self == Form::Json {
            return character
                .encode_utf16(&mut [0; 2])
                .iter()
                .try_for_each(|unit| write!(to, "\\u{unit:04x}"));
        }
        match character {
            '\n' | '\r' | '\t' => write!(to, "{}", character.escape_default()),
            _ => write!(to, "{}", character.escape_unicode()),
        }
    }
}

/// Escapes what is written through it.
struct Escaping<'w, W> {
    to: &'w mut W,
    form: Form,
}

impl<W: fmt::Write> fmt::Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, character)) = rest.char_indices().find(|(_, c)| !self.form.keeps(*c)) {
            self.to.write_str(&rest[..at])?;
            self.form.escape(character, self.to)?;
            rest = &rest[at + character.len_utf8()..];
        }
        self.to.write_str(rest)
    }
}

/// A stream for people or programs; what is written to it is escaped.
#[derive(Debug)]
pub struct Printable<W> {
    to: W,
    form: Form,
    /// The beginning of a character whose other bytes have not come yet.
    begun: Vec<u8>,
}

impl<W: io::Write> Printable<W> {
    /// Lines for people.
    pub fn lines(to: W) -> Self {
        Self { to, form: Form::Lines, begun: Vec::new() }
    }

    /// JSON documents.
    pub fn json(to: W) -> Self {
        Self { to, form: Form::Json, begun: Vec::new() }
    }

    /// The stream itself, for what this program writes to steer a terminal.
    pub fn raw(&mut self) -> &mut W {
        &mut self.to
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let mut escaped = String::with_capacity(text.len());
        // Nothing fails that is written to a text.
        let _written = Escaping { to: &mut escaped, form: self.form }.write_str(text);
        self.to.write_all(escaped.as_bytes())
    }
}

impl<W: io::Write> io::Write for Printable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.begun.is_empty() && self.form.keeps_all(bytes) {
            self.to.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        for chunk in all.utf8_chunks() {
            self.put(chunk.valid())?;
            let invalid = chunk.invalid();
            // At the very end it may be a character that was cut.
            let ends_here = std::ptr::eq(invalid.as_ptr_range().end, all.as_ptr_range().end);
            match invalid {
                [] => {}
                _ if ends_here && is_begun(invalid) => self.begun = invalid.to_vec(),
                _ => self.put("\u{fffd}")?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Whether bytes are the beginning of a character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

/// Standard output, for people.
#[must_use]
pub fn stdout() -> Printable<StdoutLock<'static>> {
    Printable::lines(io::stdout().lock())
}

/// Standard output, for programs that read JSON.
#[must_use]
pub fn stdout_json() -> Printable<StdoutLock<'static>> {
    Printable::json(io::stdout().lock())
}

/// Standard error.
#[must_use]
pub fn stderr() -> Printable<StderrLock<'static>> {
    Printable::lines(io::stderr().lock())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// What steers a terminal, breaks a line, turns the direction of writing, or is not seen.
    const HARMFUL: [char; 16] = [
        '\x1b',
        '\x07',
        '\r',
        '\x7f',
        '\u{9b}',
        '\u{61c}',
        '\u{200b}',
        '\u{200e}',
        '\u{202e}',
        '\u{2028}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{ad}',
        '\u{e0041}',
        '\0',
    ];

    fn written(mut to: Printable<Vec<u8>>, text: &str) -> String {
        to.write_all(text.as_bytes()).unwrap();
        String::from_utf8(to.to).unwrap()
    }

    #[test]
    fn what_is_harmless_stays() {
        let text = "a \"b\" \\ ü 日本 😀 → …";
        assert_eq!(Line(text).to_string(), text);
        assert_eq!(written(Printable::lines(Vec::new()), &format!("{text}\n")), format!("{text}\n"));
        assert_eq!(written(Printable::json(Vec::new()), &format!("{text}\n")), format!("{text}\n"));
    }

    #[test]
    fn what_is_harmful_is_escaped() {
        assert_eq!(Line("a\x1b[31m\u{202e}\nb\t").to_string(), "a\\u{1b}[31m\\u{202e}\\nb\\t");
        let text: String = HARMFUL.iter().collect();
        for shown in [
            Line(&text).to_string(),
            written(Printable::lines(Vec::new()), &text),
            written(Printable::json(Vec::new()), &text),
        ] {
            assert!(shown.chars().all(is_printable), "{shown:?}");
        }
    }

    #[test]
    fn json_stays_the_same_document() {
        let text: String = HARMFUL.iter().collect();
        let document = serde_json::json!({ &text: [&text] });
        let shown = written(Printable::json(Vec::new()), &format!("{document:#}\n"));
        assert!(shown.chars().all(|c| c == '\n' || is_printable(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), document);
    }

    #[test]
    fn characters_may_come_in_parts() {
        let text = "ü\u{202e}😀\u{1}日";
        let mut to = Printable::lines(Vec::new());
        for byte in text.as_bytes() {
            to.write_all(&[*byte]).unwrap();
        }
        to.write_all(&[b'x', 0xff, 0xc3, b'y']).unwrap();
        assert_eq!(String::from_utf8(to.to).unwrap(), "ü\\u{202e}😀\\u{1}日x\u{fffd}\u{fffd}y");
    }
}
