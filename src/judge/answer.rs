//! What a receiver said, taken out of headers and body whatever form it has.

use preamp_contract::Response;
use serde_json::Value;

/// More of a body than this is not looked at.
const BODY_MAX: usize = 1024;
/// The longest detail, in characters.
const DETAIL_MAX: usize = 256;
/// Where AWS begins to quote the signed request, session token included.
const SECRETS_BEGIN: [&str; 3] =
    ["the canonical string for this request", "x-amz-security-token", "aws4-hmac-sha256"];

/// A response in words.
pub(super) struct Answer {
    /// For a person: one line, shortened, without secrets.
    pub(super) detail: String,
    /// For the tables: error type and message in lower case.
    searchable: String,
    /// Whether it is a page for people, which no receiver of remote write answers with.
    pub(super) is_page: bool,
}

impl Answer {
    pub(super) fn read(response: &Response) -> Answer {
        let body = String::from_utf8_lossy(&response.body[..response.body.len().min(BODY_MAX)]);
        let json = serde_json::from_str(&body).unwrap_or(Value::Null);
        let member = |names: &[&str]| names.iter().find_map(|name| json.get(name)?.as_str());

        let message = member(&["message", "Message", "error"]).unwrap_or(&body);
        let error_type = header(response, "x-amzn-errortype").or(member(&["__type", "code", "Code"]));
        let said = match error_type.map(bare_error_type) {
            Some(error_type) if !error_type.is_empty() => format!("{error_type}: {message}"),
            _ => message.to_owned(),
        };
        let is_page = is_page(response, &body);
        Answer { detail: readable(&said), searchable: said.to_ascii_lowercase(), is_page }
    }

    /// Whether it quotes the path that was sent to.
    pub(super) fn names_path(&self, path: &str) -> bool {
        path.len() > 1 && self.before_series().contains(&path.to_ascii_lowercase())
    }

    /// What it says before it quotes a series with its labels.
    fn before_series(&self) -> &str {
        match self.searchable.find('{') {
            Some(brace) if brace > 1 => &self.searchable[..brace],
            _ => &self.searchable,
        }
    }

    /// Where one of the texts, which are in lower case, stands first before any series.
    pub(super) fn find_before_series(&self, texts: &[&str]) -> Option<usize> {
        texts.iter().filter_map(|text| self.before_series().find(text)).min()
    }

    /// Where one of the texts, which are in lower case, stands first.
    pub(super) fn find(&self, texts: &[&str]) -> Option<usize> {
        texts.iter().filter_map(|text| self.searchable.find(text)).min()
    }
}

/// Whether a body is HTML, by its type or by how it begins.
fn is_page(response: &Response, body: &str) -> bool {
    let begin = body.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let starts_with = |tag: &str| begin.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    let has_type = || {
        let content_type = header(response, "content-type").unwrap_or_default().to_ascii_lowercase();
        content_type.starts_with("text/html") || content_type.starts_with("application/xhtml")
    };
    !begin.is_empty()
        && (has_type() || ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| starts_with(tag)))
}

/// The value of a header field.
pub(super) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let field = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    Some(field.value.trim())
}

/// The name in an AWS error type, which may come as `name:address` or `namespace#name`.
fn bare_error_type(error_type: &str) -> &str {
    let name = error_type.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default()
}

/// Makes a text from outside fit for a log line.
pub(super) fn readable(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let public = SECRETS_BEGIN.iter().filter_map(|secret| lower.find(secret)).min().unwrap_or(text.len());
    let printable: String = text[..public].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut line = String::with_capacity(printable.len());
    for word in printable.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let is_cut = public < text.len();
    match line.char_indices().nth(DETAIL_MAX - 1) {
        Some((end, _)) if is_cut || line[end..].chars().nth(1).is_some() => line.replace_range(end.., "…"),
        _ if is_cut => line.push('…'),
        _ => {}
    }
    line
}
