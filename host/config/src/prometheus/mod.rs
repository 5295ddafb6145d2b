//! Prometheus' own file: its section `remote_write` says where to, and becomes an exporter.

mod authenticator;
mod keys;

use super::draft::{Draft, EXPORTER, exporter_id};
use super::formats::Context;
use super::substitution::variable_name;
use super::view::keys::{Key, Other};
use super::view::{Section, View};
use super::yaml::{Entry, Node, Value};
use crate::receiver::local_protocols;
use keys::remote_write;

/// Prometheus' defaults where they are not the Collector's.
const REMOTE_TIMEOUT: &str = "30s";
const MIN_BACKOFF: &str = "30ms";
const MAX_BACKOFF: &str = "5s";
const MULTIPLIER: i64 = 2;

/// Its units that the Collector does not have, in hours.
const LONG_UNITS: [(char, u64); 3] = [('d', 24), ('w', 7 * 24), ('y', 365 * 24)];

/// Whether a document is a file of Prometheus.
pub(super) fn is_configuration(document: &Node) -> bool {
    ["remote_write", "scrape_configs"].iter().any(|key| document.entry(key).is_some())
        && document.entry("receivers").is_none()
}

/// The Collector file that a file of Prometheus comes to; `None` after it was reported that there is none.
pub(super) fn rendered(mut document: Node, context: &Context) -> Option<Node> {
    take_literally(&mut document);
    let root = View::root(&document, context.report);
    let file = root.section(&[keys::file::TABLE]);
    check_scraping(&file, context.otlp_only);
    let target = choose(&file, context.destination)?;
    let entry = target.section(&[keys::remote_write::TABLE]);
    let draft = Draft { place: target.location().place };
    let global = file.within(&keys::file::global);
    let labels = global.and_then(|global| global.get(&keys::global::external_labels));
    let labels = labels.map(|labels| with_variables(as_texts(labels.carried())));
    let id = match entry.text(&remote_write::name) {
        Some((name, view)) => exporter_id(name).or_else(|| {
            view.error("is no name for an exporter: use letters, digits, `-`, `_` and `.`");
            None
        })?,
        None => EXPORTER.to_owned(),
    };
    let authenticator = authenticator::read(draft, &entry);
    let exporter = exporter(draft, &entry, labels, authenticator.as_ref().map(|(id, _)| *id));
    Some(draft.file(local_protocols(draft), (&id, exporter), authenticator))
}

/// Reports jobs that nobody would run: the process would receive nothing, and nobody would notice.
fn check_scraping(file: &Section, otlp_only: bool) {
    for key in [&keys::file::scrape_configs, &keys::file::scrape_config_files] {
        let Some(view) = file.get(key) else { continue };
        match view.value() {
            Value::List(jobs) if jobs.is_empty() => {}
            _ if otlp_only => view.warn("is left out, as --otlp-only says: only what comes in over OTLP is sent"),
            _ => view.key_error(
                "preamp scrapes nothing, so these targets would no longer be sent: have a Collector or an SDK send them \
                 to preamp over OTLP, and say --otlp-only to take nothing but `remote_write` of this file",
            ),
        }
    }
}

/// Prometheus takes any scalar where it wants a text, as it is written. What is nothing is left out.
fn as_texts(section: Node) -> Node {
    let Value::Map(entries) = &section.value else { return section };
    let is_something = |node: &Node| !matches!(node.value, Value::Null);
    let entries = entries.iter().filter(|entry| is_something(&entry.value)).cloned();
    let entries = entries.map(|entry| Entry { value: as_text(entry.value), ..entry }).collect();
    Node { value: Value::Map(entries), ..section }
}

fn as_text(node: Node) -> Node {
    match node.value {
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => {
            let text = node.text.clone();
            node.replaced(Value::Text, text)
        }
        _ => node,
    }
}

/// In the values of external labels Prometheus fills in `$NAME` and `${NAME}` (since 3.0 by default).
fn with_variables(mut labels: Node) -> Node {
    let Value::Map(entries) = &mut labels.value else { return labels };
    for Entry { value, .. } in entries.iter_mut().filter(|entry| entry.value.text.contains('$')) {
        value.text = in_braces(&value.text);
        value.written = None;
    }
    labels
}

/// A text with references as the Collector has them in place of Prometheus'.
fn in_braces(text: &str) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        written.push_str(before);
        let is_name = |name: &str| variable_name(name).is_ok();
        let bare = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        match braced {
            Some((name, after)) if is_name(name) => {
                written.push_str(&format!("${{env:{name}}}"));
                rest = after;
            }
            _ if is_name(&after[..bare]) => {
                written.push_str(&format!("${{env:{}}}", &after[..bare]));
                rest = &after[bare..];
            }
            _ => {
                written.push_str("$$");
                rest = after.strip_prefix('$').unwrap_or(after);
            }
        }
    }
    written + rest
}

/// Prometheus fills in no references: a `$` is one.
fn take_literally(node: &mut Node) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(take_literally),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| take_literally(&mut entry.value)),
        _ if node.text.contains('$') => node.written = Some(node.text.replace('$', "$$").into()),
        _ => {}
    }
}

/// The one entry of `remote_write` to use.
fn choose<'d>(file: &Section<'d>, wanted: Option<&str>) -> Option<View<'d>> {
    let entries = file.get(&keys::file::remote_write).map(|view| view.list()).unwrap_or_default();
    let name = |entry: &View<'d>| entry.entry("name").and_then(|name| name.scalar_text());
    let is_wanted = |entry: &&View<'d>| wanted.is_none() || name(entry) == wanted;
    let mut chosen = entries.iter().filter(is_wanted);
    match (chosen.next(), chosen.next(), wanted) {
        (Some(only), None, _) => return Some(only.clone()),
        (Some(_), Some(second), _) => {
            let names: Vec<_> = entries.iter().filter_map(name).collect();
            second.error(format!(
                "is a second place to write to, and preamp writes to one: give each a `name` and choose one with \
                 --destination NAME{}",
                if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) }
            ));
        }
        (None, _, Some(wanted)) => {
            let hint = file.view().suggest(wanted, entries.iter().filter_map(name));
            file.view().error(format!("no entry of `remote_write` has the name `{wanted}`; {hint}"));
        }
        (None, ..) => file.view().error("lacks `remote_write`, which says where to send to"),
    }
    None
}

fn exporter(draft: Draft, entry: &Section, labels: Option<Node>, authenticator: Option<&str>) -> Node {
    let part = |section: &Section, key: &Key<Other>| section.get(key).map(|view| view.carried());
    let own = |key: &Key<Other>| part(entry, key);
    let queue = entry.below(&remote_write::queue_config);
    let queue = |key: &Key<Other>| part(&queue, key);
    let metadata = entry.below(&remote_write::metadata_config);
    let metadata = |key: &Key<Other>| part(&metadata, key);
    let or = |node: Option<Node>, default: &str| Some(node.map_or_else(|| draft.text(default), duration));
    let retry = draft.section([
        ("initial_interval", or(queue(&keys::queue::min_backoff), MIN_BACKOFF)),
        ("multiplier", Some(draft.integer(MULTIPLIER))),
        ("max_interval", or(queue(&keys::queue::max_backoff), MAX_BACKOFF)),
        ("max_elapsed_time", Some(draft.text("0s"))),
    ]);
    draft.section([
        ("endpoint", own(&remote_write::url)),
        ("timeout", or(own(&remote_write::remote_timeout), REMOTE_TIMEOUT)),
        ("headers", own(&remote_write::headers).map(as_texts)),
        ("proxy_url", own(&remote_write::proxy_url)),
        ("tls", entry.within(&remote_write::tls_config).map(|section| tls(draft, &section))),
        ("protobuf_message", own(&remote_write::protobuf_message)),
        ("exemplars", Some(own(&remote_write::send_exemplars).unwrap_or_else(|| draft.flag(false)))),
        ("external_labels", labels),
        ("send_metadata", Some(metadata(&keys::metadata::send).unwrap_or_else(|| draft.flag(true)))),
        ("metadata_interval", metadata(&keys::metadata::send_interval).map(duration)),
        ("max_sample_age", queue(&keys::queue::sample_age_limit).map(duration)),
        (
            "remote_write_queue",
            queue(&keys::queue::max_shards).map(|shards| draft.within("num_consumers", shards)),
        ),
        ("retry_on_failure", Some(retry)),
        ("auth", authenticator.map(|id| draft.within("authenticator", draft.text(id)))),
    ])
}

fn tls(draft: Draft, section: &Section) -> Node {
    let part = |key: &Key<Other>| section.get(key).map(|view| view.carried());
    draft.section([
        ("ca_file", part(&keys::tls::ca_file)),
        ("ca_pem", part(&keys::tls::ca)),
        ("cert_file", part(&keys::tls::cert_file)),
        ("cert_pem", part(&keys::tls::cert)),
        ("key_file", part(&keys::tls::key_file)),
        ("key_pem", part(&keys::tls::key)),
        ("server_name_override", part(&keys::tls::server_name)),
        ("insecure_skip_verify", part(&keys::tls::insecure_skip_verify)),
        ("min_version", part(&keys::tls::min_version).map(version)),
        ("max_version", part(&keys::tls::max_version).map(version)),
    ])
}

/// Prometheus writes `TLS12` for what the Collector calls 1.2.
fn version(node: Node) -> Node {
    let version = match node.text.as_str() {
        "TLS10" => "1.0",
        "TLS11" => "1.1",
        "TLS12" => "1.2",
        "TLS13" => "1.3",
        _ => return node,
    };
    node.replaced(Value::Text, version.to_owned())
}

/// A duration in the units that the Collector has. What is none is left for its reader to complain about.
fn duration(node: Node) -> Node {
    let mut rest = node.text.as_str();
    let mut text = String::new();
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit()) {
        let (number, after) = rest.split_at(end);
        let unit = after.chars().next().unwrap_or_default();
        let hours = LONG_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, hours)| *hours);
        match hours.and_then(|hours| number.parse::<u64>().ok()?.checked_mul(hours)) {
            Some(hours) => text.push_str(&format!("{hours}h")),
            None => text.extend([number, &after[..unit.len_utf8()]]),
        }
        rest = &after[unit.len_utf8()..];
    }
    text.push_str(rest);
    if text == node.text { node } else { node.replaced(Value::Text, text) }
}
