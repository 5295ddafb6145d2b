//! The canonical request: one text for all spellings of the same request (AWS IAM user guide,
//! "Create a signed AWS API request", step 1).

/// What of a request is signed. Not for `Debug`: a session token is among the fields.
#[derive(Clone, Copy)]
pub struct Signable<'a> {
    /// HTTP method, in capitals.
    pub method: &'a str,
    /// The path as sent, percent-encoded; at least `/`.
    pub path: &'a str,
    /// The query as sent, without the question mark; empty if there is none.
    pub query: &'a str,
    /// The header fields to sign, in the order sent: `host` and every `x-amz-` field must be there.
    /// Capitals, order of names and white space do not matter.
    pub headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body as sent.
    pub payload_sha256: &'a [u8; 32],
}

/// How the path becomes canonical. The default is right for every AWS service but S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathRules {
    /// Encode the path, which is percent-encoded as sent, once more.
    pub double_encode: bool,
    /// Resolve dot segments (RFC 3986, section 5.2.4) and drop empty ones.
    pub normalize: bool,
}

impl Default for PathRules {
    fn default() -> PathRules {
        PathRules { double_encode: true, normalize: true }
    }
}

/// A canonical request, and the list of signed fields that stands in it and in the signature.
pub(super) struct Canonical {
    pub(super) text: String,
    pub(super) signed_headers: String,
}

impl Canonical {
    pub(super) fn new(request: &Signable, rules: PathRules) -> Canonical {
        let (fields, signed_headers) = canonical_headers(request.headers);
        let mut text = String::with_capacity(512);
        for line in [
            request.method,
            &canonical_path(request.path, rules),
            &canonical_query(request.query),
            &fields,
            &signed_headers,
        ] {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&hex::encode(request.payload_sha256));
        Canonical { text, signed_headers }
    }
}

fn canonical_path(path: &str, rules: PathRules) -> String {
    let path = if rules.normalize { normalized(path) } else { path.to_owned() };
    if !rules.double_encode {
        return path;
    }
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' => encoded.push('/'),
            _ => push_encoded(&mut encoded, byte),
        }
    }
    encoded
}

fn normalized(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    // A path that ends in a dot segment names a folder, as one that ends in a slash does.
    let is_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let mut normal = String::with_capacity(path.len());
    for segment in &kept {
        normal.push('/');
        normal.push_str(segment);
    }
    if is_folder || kept.is_empty() {
        normal.push('/');
    }
    normal
}

/// Sorts the parameters by encoded name, then by encoded value.
fn canonical_query(query: &str) -> String {
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (reencoded(name), reencoded(value))
        })
        .collect();
    parameters.sort_unstable();
    let mut canonical = String::with_capacity(query.len());
    for (name, value) in &parameters {
        if !canonical.is_empty() {
            canonical.push('&');
        }
        canonical.push_str(name);
        canonical.push('=');
        canonical.push_str(value);
    }
    canonical
}

/// Brings a percent-encoded text into the one spelling that AWS signs: nothing encoded that need
/// not be, capital hex digits, a space as `%20`.
fn reencoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = after;
                push_encoded(&mut encoded, hex_value(*high) << 4 | hex_value(*low));
            }
            (b'+', _) => push_encoded(&mut encoded, b' '),
            _ => push_encoded(&mut encoded, *first),
        }
    }
    encoded
}

/// The value of an ASCII hex digit.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Appends a byte as it is if it is unreserved (RFC 3986, section 2.3), else percent-encoded.
fn push_encoded(encoded: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        encoded.push(char::from(byte));
    } else {
        encoded.push('%');
        encoded.push(char::from(HEX[usize::from(byte >> 4)]));
        encoded.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// The canonical fields, a line each, and the list of their names.
fn canonical_headers(headers: &[(&str, &str)]) -> (String, String) {
    let mut sorted: Vec<(String, &str)> =
        headers.iter().map(|(name, value)| (name.trim().to_ascii_lowercase(), *value)).collect();
    // Stable: the values of a repeated field are signed in the order sent.
    sorted.sort_by(|a, b| a.0.cmp(&b.0));

    let mut fields = String::with_capacity(256);
    let mut names = String::with_capacity(128);
    for same_name in sorted.chunk_by(|a, b| a.0 == b.0) {
        let name = &same_name[0].0;
        if !names.is_empty() {
            names.push(';');
        }
        names.push_str(name);
        fields.push_str(name);
        for (position, (_, value)) in same_name.iter().enumerate() {
            fields.push(if position == 0 { ':' } else { ',' });
            push_trimmed(&mut fields, value);
        }
        fields.push('\n');
    }
    (fields, names)
}

/// Appends a field value without white space around it and with single spaces inside.
fn push_trimmed(fields: &mut String, value: &str) {
    for (position, word) in value.split_ascii_whitespace().enumerate() {
        if position > 0 {
            fields.push(' ');
        }
        fields.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_encoded_again() {
        let rules = PathRules::default();
        for (sent, canonical) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a//b//", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b/"),
            ("/../../a", "/a"),
            ("/a%20b", "/a%2520b"),
            ("/a@b~c", "/a%40b~c"),
            ("/é", "/%C3%A9"),
        ] {
            assert_eq!(canonical_path(sent, rules), canonical, "{sent}");
        }
    }

    #[test]
    fn each_path_rule_can_be_switched_off() {
        let s3 = PathRules { double_encode: false, normalize: false };
        assert_eq!(canonical_path("//a/../b%20c", s3), "//a/../b%20c");
        assert_eq!(
            canonical_path("//a%20b", PathRules { double_encode: false, ..Default::default() }),
            "/a%20b"
        );
        assert_eq!(
            canonical_path("//a%20b", PathRules { normalize: false, ..Default::default() }),
            "//a%2520b"
        );
    }

    #[test]
    fn queries_are_sorted_and_spelled_alike() {
        for (sent, canonical) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a", "a=&a=1&a=2"),
            ("a%2db=%7e&c=x+y", "a-b=~&c=x%20y"),
            ("ሴ=%e1%88%b4", "%E1%88%B4=%E1%88%B4"),
            ("a=b=c&&d=%zz%4", "a=b%3Dc&d=%25zz%254"),
            ("A=1&a=1&Z-=1&Z=1", "A=1&Z=1&Z-=1&a=1"),
        ] {
            assert_eq!(canonical_query(sent), canonical, "{sent}");
        }
    }

    #[test]
    fn headers_are_lower_cased_sorted_joined_and_trimmed() {
        let (fields, names) = canonical_headers(&[
            ("X-B", "  two   words\t"),
            ("host", "h"),
            ("x-a", "2"),
            ("X-A", "1"),
            ("x-empty", "  "),
        ]);
        assert_eq!(fields, "host:h\nx-a:2,1\nx-b:two words\nx-empty:\n");
        assert_eq!(names, "host;x-a;x-b;x-empty");
    }
}
