//! Label names: from an attribute key to what Prometheus takes as a label name.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", attributes; details as
//! the Collector's exporter has them.)

use crate::config::LabelStyle;

/// Appends the label name for an attribute key. False, and nothing appended, if the key is empty, or if the
/// name would have nothing but underscores.
pub fn push_label_name(key: &[u8], style: LabelStyle, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    match style {
        LabelStyle::Escaped => push_escaped(key, out),
        LabelStyle::Contrib156 => push_as_in_156(key, out),
        LabelStyle::Utf8 if std::str::from_utf8(key).is_ok() => out.extend_from_slice(key),
        LabelStyle::Utf8 => {}
    }
    let is_valid = !out[start..].iter().all(|b| *b == b'_');
    if !is_valid {
        out.truncate(start);
    }
    is_valid
}

/// Each character other than ASCII letters and digits becomes an underscore, wherever it stands. A digit in
/// front gets `key_`.
fn push_escaped(key: &[u8], out: &mut Vec<u8>) {
    if key.first().is_some_and(u8::is_ascii_digit) {
        out.extend_from_slice(b"key_");
    }
    let escaped = |c: char| if c.is_ascii_alphanumeric() { c as u8 } else { b'_' };
    for chunk in key.utf8_chunks() {
        out.extend(chunk.valid().chars().map(escaped));
        // Of what is not UTF-8, each byte counts as a character.
        out.extend(chunk.invalid().iter().map(|_| b'_'));
    }
}

/// As the Collector's exporter had it until contrib v0.156: each run of bytes other than ASCII letters and
/// digits becomes one underscore; a key of four or more bytes with two underscores at both ends keeps those. A
/// digit in front gets `key_`, a single underscore `key`.
fn push_as_in_156(key: &[u8], out: &mut Vec<u8>) {
    if let Some(inner) = key.strip_prefix(b"__").and_then(|rest| rest.strip_suffix(b"__")) {
        out.extend_from_slice(b"__");
        push_collapsed(inner, out);
        out.extend_from_slice(b"__");
        return;
    }
    let prefix: &[u8] = match key.first() {
        Some(b) if b.is_ascii_digit() => b"key_",
        Some(b) if !b.is_ascii_alphabetic() => b"key",
        _ => b"",
    };
    out.extend_from_slice(prefix);
    push_collapsed(key, out);
}

fn push_collapsed(key: &[u8], out: &mut Vec<u8>) {
    let mut in_gap = false;
    for &b in key {
        if b.is_ascii_alphanumeric() {
            out.push(b);
            in_gap = false;
        } else if !in_gap {
            out.push(b'_');
            in_gap = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        for (key, escaped, as_in_156, utf8) in [
            ("http.method", Some("http_method"), Some("http_method"), Some("http.method")),
            ("a..b", Some("a__b"), Some("a_b"), Some("a..b")),
            ("a__b", Some("a__b"), Some("a_b"), Some("a__b")),
            ("_foo", Some("_foo"), Some("key_foo"), Some("_foo")),
            ("__foo", Some("__foo"), Some("key_foo"), Some("__foo")),
            ("__foo__", Some("__foo__"), Some("__foo__"), Some("__foo__")),
            ("__a..b__", Some("__a__b__"), Some("__a_b__"), Some("__a..b__")),
            ("a.", Some("a_"), Some("a_"), Some("a.")),
            ("1x", Some("key_1x"), Some("key_1x"), Some("1x")),
            ("1..x", Some("key_1__x"), Some("key_1_x"), Some("1..x")),
            ("-x", Some("_x"), Some("key_x"), Some("-x")),
            ("é", None, Some("key_"), Some("é")),
            ("éa", Some("_a"), Some("key_a"), Some("éa")),
            ("日本x", Some("__x"), Some("key_x"), Some("日本x")),
            ("٣", None, Some("key_"), Some("٣")),
            ("_", None, Some("key_"), None),
            ("___", None, Some("key_"), None),
            ("____", None, None, None),
            ("...", None, Some("key_"), Some("...")),
            ("", None, None, None),
        ] {
            let styles = [
                (LabelStyle::Escaped, escaped),
                (LabelStyle::Contrib156, as_in_156),
                (LabelStyle::Utf8, utf8),
            ];
            for (style, expected) in styles {
                let mut out = b"before".to_vec();
                let is_valid = push_label_name(key.as_bytes(), style, &mut out);
                assert_eq!(is_valid.then_some(&out[6..]), expected.map(str::as_bytes), "{key}, {style:?}");
                assert!(is_valid || out == b"before");
            }
        }
    }

    #[test]
    fn bytes_that_are_not_utf8() {
        let name = |key: &[u8], style| {
            let mut out = Vec::new();
            push_label_name(key, style, &mut out).then_some(out)
        };
        assert_eq!(name(b"a\xe6\x97b", LabelStyle::Escaped).as_deref(), Some(&b"a__b"[..]));
        assert_eq!(name(b"\xff", LabelStyle::Escaped), None);
        assert_eq!(name(b"a\xff", LabelStyle::Utf8), None);
    }
}
