//! Label names: from an attribute key to what Prometheus takes as a label name.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", attributes; details as
//! the Collector's exporter has them.)

/// Appends the label name for an attribute key. False, and nothing appended, if none is left.
///
/// Without `escape` the key stays as it is, provided that it is UTF-8 and more than underscores.
pub fn push_label_name(key: &[u8], escape: bool, out: &mut Vec<u8>) -> bool {
    if escape {
        return push_sanitized(key, out);
    }
    let valid = !key.iter().all(|b| *b == b'_') && std::str::from_utf8(key).is_ok();
    if valid {
        out.extend_from_slice(key);
    }
    valid
}

/// Appends the name as classic Prometheus names are.
///
/// Each run of bytes other than ASCII letters and digits becomes one underscore; a key of four or
/// more bytes with two underscores at both ends keeps those. A digit in front gets `key_`, a single
/// underscore `key`.
pub fn push_sanitized(key: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    match key.strip_prefix(b"__").and_then(|rest| rest.strip_suffix(b"__")) {
        Some(inner) => {
            out.extend_from_slice(b"__");
            push_collapsed(inner, out);
            out.extend_from_slice(b"__");
        }
        None => {
            let prefix: &[u8] = match key.first() {
                Some(b) if b.is_ascii_digit() => b"key_",
                Some(b) if !b.is_ascii_alphabetic() => b"key",
                _ => b"",
            };
            out.extend_from_slice(prefix);
            push_collapsed(key, out);
        }
    }
    let valid = !out[start..].iter().all(|b| *b == b'_');
    if !valid {
        out.truncate(start);
    }
    valid
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
        for (key, expected) in [
            ("http.method", Some("http_method")),
            ("a..b", Some("a_b")),
            ("a__b", Some("a_b")),
            ("_foo", Some("key_foo")),
            ("__foo", Some("key_foo")),
            ("__foo__", Some("__foo__")),
            ("__a..b__", Some("__a_b__")),
            ("__replica__", Some("__replica__")),
            ("1x", Some("key_1x")),
            ("-x", Some("key_x")),
            ("é", Some("key_")),
            ("éa", Some("key_a")),
            ("___", Some("key_")),
            ("____", None),
            ("", None),
        ] {
            let mut out = b"before".to_vec();
            let valid = push_sanitized(key.as_bytes(), &mut out);
            assert_eq!(valid.then_some(&out[6..]), expected.map(str::as_bytes), "{key}");
            assert!(valid || out == b"before");
        }
    }
}
