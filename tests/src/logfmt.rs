//! A small reader of logfmt, as strict as `go-logfmt` and stricter: each part of a line is `key=value`.

use anyhow::{Context as _, bail, ensure};
use std::collections::BTreeMap;

/// The fields of a line.
pub type Line = BTreeMap<String, String>;

/// Reads a line.
///
/// # Errors
/// When it is no logfmt.
pub fn read(line: &str) -> anyhow::Result<Line> {
    let mut fields = Line::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').with_context(|| format!("no value: {rest:?} of {line:?}"))?;
        let is_of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        ensure!(!key.is_empty() && key.chars().all(is_of_key), "{key:?} is no key: {line:?}");
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => in_quotes(quoted).with_context(|| format!("{key} of {line:?}"))?,
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                let (bare, after) = after.split_at(end);
                ensure!(
                    !bare.contains(['=', '"']) && !bare.chars().any(char::is_control),
                    "{bare:?} of {line:?}"
                );
                (bare.to_owned(), after)
            }
        };
        ensure!(fields.insert(key.to_owned(), value).is_none(), "{key} stands twice in {line:?}");
        rest = match after.strip_prefix(' ') {
            Some(next) if !next.is_empty() => next,
            None if after.is_empty() => "",
            _ => bail!("{after:?} follows the value of {key}: {line:?}"),
        };
    }
    Ok(fields)
}

/// Reads all lines of a log.
///
/// # Errors
/// When one is no logfmt, or lacks its time, level or message.
pub fn read_all(log: &str) -> anyhow::Result<Vec<Line>> {
    let lines = log.lines().map(|line| {
        let fields = read(line)?;
        ensure!(["time", "level", "msg"].iter().all(|name| fields.contains_key(*name)), "{line:?}");
        Ok(fields)
    });
    lines.collect()
}

/// A value in quotes, which is a string of JSON, and what follows it.
fn in_quotes(quoted: &str) -> anyhow::Result<(String, &str)> {
    let mut is_escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    let (value, rest) = quoted.split_at(end.context("no end of the quotes")?);
    Ok((serde_json::from_str(&format!("\"{value}\""))?, &rest[1..]))
}
