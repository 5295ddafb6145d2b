//! Which values of a configuration are secrets.

use super::path::{join, join_number};
use super::place::Place;
use super::yaml::{Entry, Node, Value};

/// What stands in place of a secret that is not shown.
pub(super) const REDACTED: &str = "(redacted)";

/// Parts of the names of keys that hold secrets, unless they name a file.
const SECRET_NAMES: [&str; 9] = [
    "secret",
    "password",
    "passphrase",
    "token",
    "credential",
    "authorization",
    "api_key",
    "key_pem",
    "inline",
];

/// Sections whose values are secrets, or may be.
const SECRET_SECTIONS: [&str; 2] = ["headers", "response_headers"];

/// Whether what stands at a key is a secret, or may be.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_SECTIONS.contains(&key.as_str())
        || (!key.ends_with("_file") && SECRET_NAMES.iter().any(|part| key.contains(part)))
}

/// Whether a header field of that name is a secret, or may be.
#[must_use]
pub fn is_secret_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    is_secret(&name) || ["cookie", "key", "auth"].iter().any(|part| name.contains(part))
}

/// Whether what stands at the end of a path is a secret, or may be.
pub(super) fn is_below_secret(path: &str) -> bool {
    path.split(['.', '[']).any(is_secret)
}

/// A URL with something else in place of its user and its query, which may hold secrets; any other text as it is.
pub(super) fn without_credentials(text: &str, instead: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority
        .rsplit_once('@')
        .map_or_else(|| authority.to_owned(), |(_, host)| format!("{instead}@{host}"));
    let query = query.map(|_| format!("?{instead}")).unwrap_or_default();
    format!("{scheme}://{authority}{path}{query}")
}

/// Whether a text, as it stands in a file, refers to something: `$$` stands for a `$`.
pub(super) fn has_reference(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        if after.starts_with('{') {
            return true;
        }
        rest = after.strip_prefix('$').unwrap_or(after);
    }
    false
}

/// Whether a value at such a key is a secret that stands in the document itself.
pub(super) fn stands_here(node: &Node, at_secret_key: bool) -> bool {
    let text = node.written.as_deref().unwrap_or(&node.text);
    match node.value {
        // What a reference leads to does not stand here.
        _ if has_reference(text) => false,
        Value::Text => (at_secret_key && !text.is_empty()) || without_credentials(text, "") != text,
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => at_secret_key,
        Value::Null | Value::List(_) | Value::Map(_) => false,
    }
}

/// Where secrets stand in a document, and the paths that lead there.
pub(super) fn find(document: &Node) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    search(document, "", false, &mut found);
    found
}

fn search(node: &Node, path: &str, at_secret_key: bool, found: &mut Vec<(Place, String)>) {
    match &node.value {
        _ if node.written.as_deref().is_some_and(has_reference) => {}
        Value::List(items) => {
            for (item, number) in items.iter().zip(0..) {
                search(item, &join_number(path, number), at_secret_key, found);
            }
        }
        Value::Map(entries) => {
            for Entry { key, value, .. } in entries {
                search(value, &join(path, key), at_secret_key || is_secret(key), found);
            }
        }
        _ if stands_here(node, at_secret_key) => found.push((node.place, path.to_owned())),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn secrets_that_stand_in_a_document_are_found() {
        let text = "\
headers: {a: s3cret, b: '${env:X}', c: 'pa$${x}'}
secret_key: 5
token_file: /run/token
token:
list: [{password: x}, {proxy_url: 'http://u:p@h:1'}]
url: https://h/p?key=x
plain: x
whole: {secret_key: '${env:X}'}
";
        let found = find(&yaml::parse(text).0.unwrap());
        let paths: Vec<_> = found.iter().map(|(_, path)| path.as_str()).collect();
        let expected =
            ["headers.a", "headers.c", "secret_key", "list[0].password", "list[1].proxy_url", "url"];
        assert_eq!(paths, expected);
    }

    #[test]
    fn users_and_queries_of_urls_are_taken_out() {
        for (url, shown) in [
            ("https://u:p@h:80/x@y?q=1", "https://-@h:80/x@y?-"),
            ("http://h", "http://h"),
            ("http://h?", "http://h?-"),
            ("no url @ all?", "no url @ all?"),
        ] {
            assert_eq!(without_credentials(url, "-"), shown);
        }
    }
}
