//! Values of logfmt: `key=value key="a value with spaces"`, as `slog` of Go and `go-logfmt` write and read them.

use crate::printable::is_printable;
use std::fmt::{self, Display, Write as _};

/// A value of logfmt: as it is, or as a JSON string where a reader would take it for something else.
#[derive(Clone, Copy, Debug)]
pub struct Value<'t>(pub &'t str);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Value(text) = self;
        if is_bare(text) {
            return f.write_str(text);
        }
        f.write_char('"')?;
        for character in text.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                _ if is_printable(character) && character != '\u{fffd}' => f.write_char(character)?,
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(f, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        f.write_char('"')
    }
}

/// Whether a value needs no quotes.
fn is_bare(text: &str) -> bool {
    let is_special = |c: char| c.is_whitespace() || matches!(c, '=' | '"' | '\\' | '\u{fffd}');
    !text.is_empty() && text.chars().all(|c| is_printable(c) && !is_special(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_stand_bare_and_all_others_in_quotes() {
        for bare in ["ready", "127.0.0.1:4317", "[::1]:4317", "http://h/p?", "日本", "{a:1}", "-1.5"] {
            assert_eq!(Value(bare).to_string(), bare);
        }
        for (text, quoted) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a=b", r#""a=b""#),
            ("say \"x\"", r#""say \"x\"""#),
            ("C:\\x", r#""C:\\x""#),
            ("a\nINFO forged\r\t", r#""a\nINFO forged\r\t""#),
            ("\x1b[31m\u{202e}", r#""\u001b[31m\u202e""#),
            ("\u{e0041}", r#""\udb40\udc41""#),
            ("a\u{a0}b", "\"a\u{a0}b\""),
        ] {
            assert_eq!(Value(text).to_string(), quoted, "{text:?}");
            // The quoted form is a string of JSON.
            assert_eq!(serde_json::from_str::<String>(quoted).ok().as_deref(), Some(text));
        }
    }
}
