//! What documents write in place of a value, and people forget to replace: `REGION`, `<region>`, `ws-xxxx`, `my-workspace`.

use super::view::View;

/// Words in capitals that stand for a value. Names of hosts, regions, workspaces and accounts have none.
const CAPITALS: [&str; 12] = [
    "REGION",
    "WORKSPACE",
    "ACCOUNT",
    "EXAMPLE",
    "PLACEHOLDER",
    "CHANGE",
    "REPLACE",
    "INSERT",
    "YOUR",
    "TODO",
    "ROLE",
    "HOST",
];

/// The same in any case.
const IN_ANY_CASE: [&str; 6] = ["changeme", "change-me", "replaceme", "replace-me", "fixme", "todo"];

/// The beginning of the id of each workspace.
const WORKSPACE: &str = "ws-";

/// How many `x` in a row, and nothing else, stand for a value.
const X_MIN: usize = 3;

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Names that anybody may choose, such as those of hosts.
    Chosen,
    /// Names that AWS gives, or that AWS' documents have an example of.
    OfAws,
}

/// Warns of a placeholder in what stands in the file.
pub(super) fn warn(view: &View, kind: Kind) {
    let Some(found) = view.text().and_then(|text| find(text, kind)) else { return };
    view.warn(message(view, found));
}

/// What is said of a placeholder.
pub(super) fn message(view: &View, found: &str) -> String {
    if view.may_quote(found) {
        format!("`{found}` looks like a placeholder: put the real value in its place")
    } else {
        "holds what looks like a placeholder: put the real value in its place".to_owned()
    }
}

/// The first placeholder in a text, which may be a URL, an ARN, or a name.
pub(super) fn find(text: &str, kind: Kind) -> Option<&str> {
    text.split(['/', '.', ':', '?', '&', '=']).find(|word| is_placeholder(word, kind))
}

fn is_placeholder(word: &str, kind: Kind) -> bool {
    let bare = word.strip_prefix(WORKSPACE).unwrap_or(word);
    let is_between = |begin, end| bare.len() > 2 && bare.starts_with(begin) && bare.ends_with(end);
    let is_in_capitals = !bare.is_empty()
        && bare
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_-".contains(&byte));
    let lower = bare.to_ascii_lowercase();
    let crosses = lower.bytes().filter(|byte| *byte == b'x').count();
    let is_of_crosses = crosses >= X_MIN && lower.bytes().all(|byte| b"x-_".contains(&byte));
    let begins_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| lower.starts_with(prefix));
    is_between('<', '>')
        || is_between('{', '}')
        || is_between('[', ']')
        || bare.contains('…')
        || (is_in_capitals
            && bare.split(['_', '-']).any(|part| CAPITALS.iter().any(|known| part.starts_with(known))))
        || is_of_crosses
        || IN_ANY_CASE.contains(&&*lower)
        || begins_with(&["your-", "your_"])
        || (kind == Kind::OfAws && begins_with(&["my-", "my_"]))
        || (kind == Kind::OfAws && word == "ws-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_value_is_told_from_one() {
        for (text, found) in [
            ("https://aps-workspaces.REGION.amazonaws.com/workspaces/ws-1/api/v1/remote_write", "REGION"),
            ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/WORKSPACE_ID/api", "WORKSPACE_ID"),
            ("https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>/api", "<region>"),
            ("https://aps-workspaces.{region}.amazonaws.com", "{region}"),
            ("https://h/workspaces/ws-xxxxxxxx-xxxx-xxxx-xxxx/api", "ws-xxxxxxxx-xxxx-xxxx-xxxx"),
            ("https://h/workspaces/ws-EXAMPLE/api", "ws-EXAMPLE"),
            ("https://your-host/api/v1/write", "your-host"),
            ("arn:aws:iam::ACCOUNT_ID:role/writer", "ACCOUNT_ID"),
            ("arn:aws:iam::XXXXXXXXXXXX:role/writer", "XXXXXXXXXXXX"),
            ("arn:aws:iam::123456789012:role/my-role", "my-role"),
            ("arn:aws:iam::123456789012:role/ROLE_NAME", "ROLE_NAME"),
            ("my-region", "my-region"),
            ("AWS_REGION", "AWS_REGION"),
            ("changeme", "changeme"),
        ] {
            assert_eq!(find(text, Kind::OfAws), Some(found), "{text}");
        }
        for text in [
            "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-b226cc2a-a446-46a9/api/v1/remote_write",
            "http://[::1]:9090/api/v1/write",
            "http://my-prometheus.monitoring:9090/api/v1/write",
            "https://prometheus-prod-01.grafana.net/api/prom/push",
            "arn:aws:iam::123456789012:role/AmpWriter",
            "arn:aws:iam::123456789012:role/PROD-METRICS-WRITER",
            "us-gov-west-1",
            "https://xx.example.com/X/w",
            "",
        ] {
            assert_eq!(find(text, Kind::Chosen), None, "{text}");
        }
    }
}
