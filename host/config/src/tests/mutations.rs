//! Every key of the full file is deleted, misspelt and given another type in turn.

use super::*;
use crate::place::Place;
use crate::yaml::{self, Entry, Node, Value};

/// A key of the full file: where it stands, and whether it is one that nobody may rename.
struct Target {
    path: String,
    place: Place,
    holds_section: bool,
    is_fixed: bool,
}

/// Sections whose keys are the operator's own.
const FREE: [&str; 7] =
    ["receivers", "processors", "extensions", "exporters", "pipelines", "headers", "external_labels"];

fn targets() -> Vec<Target> {
    let (document, _) = yaml::parse(FULL);
    let mut targets = Vec::new();
    collect(&document.unwrap(), "", true, &mut targets);
    assert!(targets.len() > 60, "{} keys", targets.len());
    targets
}

fn collect(node: &Node, path: &str, is_fixed: bool, targets: &mut Vec<Target>) {
    match &node.value {
        Value::Map(entries) => {
            for Entry { key, place, value } in entries {
                let path = format!("{path}/{key}");
                let holds_section = matches!(value.value, Value::Map(_) | Value::List(_));
                targets.push(Target { path: path.clone(), place: *place, holds_section, is_fixed });
                let is_free = FREE.contains(&key.as_str()) || path.ends_with("/telemetry/resource");
                let is_free = is_free && matches!(value.value, Value::Map(_));
                collect(value, &path, !is_free, targets);
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, path, is_fixed, targets)),
        _ => {}
    }
}

/// The full file with the lines of one key replaced.
fn replaced(place: Place, with: &[String]) -> String {
    let lines: Vec<&str> = FULL.lines().collect();
    let first = place.line - 1;
    let is_below = |line: &&&str| {
        let indent = line.len() - line.trim_start().len();
        line.trim().is_empty() || indent >= place.column
    };
    let below = lines[first + 1..].iter().take_while(is_below).count();
    let head = lines[..first].iter().map(ToString::to_string);
    let tail = lines[first + 1 + below..].iter().map(ToString::to_string);
    head.chain(with.iter().cloned()).chain(tail).map(|line| line + "\n").collect()
}

/// Everything said about a text has a place in it.
fn placed_errors(text: &str) -> Vec<crate::Diagnostic> {
    let Err(Diagnostics(errors)) = read(text) else { return Vec::new() };
    assert!(!errors.is_empty());
    // What is missing at the end is missing in the line after the last.
    let lines = text.lines().count() + 1;
    for error in &errors {
        let place = error.place.unwrap();
        assert!((1..=lines).contains(&place.line) && place.column >= 1, "{error}");
        assert!(!error.message.is_empty());
    }
    errors
}

#[test]
fn deleted_keys_leave_defaults_or_placed_errors() {
    for Target { path, place, .. } in targets() {
        let errors = placed_errors(&replaced(place, &[]));
        let is_needed = [
            "/receivers",
            "/receivers/otlp/edge",
            "/receivers/otlp/edge/protocols",
            "/extensions",
            "/extensions/basicauth/edge",
            "/extensions/basicauth/edge/htpasswd",
            "/extensions/bearertokenauth/edge",
            "/extensions/bearertokenauth/edge/tokens",
            "/extensions/sigv4auth/amp",
            "/processors",
            "/processors/memory_limiter",
            "/processors/memory_limiter/check_interval",
            "/processors/memory_limiter/limit_mib",
            "/processors/batch",
            "/processors/resource",
            "/processors/resource/attributes",
            "/processors/resource/attributes/action",
            "/processors/resource/attributes/key",
            "/processors/resource/attributes/value",
            "/processors/resource/attributes/pattern",
            "/extensions/health_check",
            "/exporters",
            "/exporters/prometheusremotewrite/amp",
            "/exporters/prometheusremotewrite/amp/endpoint",
            "/exporters/prometheusremotewrite/amp/auth/authenticator",
            "/service",
            "/service/extensions",
            "/service/pipelines",
            "/service/pipelines/metrics/all",
            "/service/pipelines/metrics/all/receivers",
            "/service/pipelines/metrics/all/exporters",
            "/service/telemetry/metrics/readers/pull/exporter",
            "/service/telemetry/metrics/readers/pull/exporter/prometheus",
            "/service/telemetry/metrics/readers/periodic/exporter",
            "/service/telemetry/metrics/readers/periodic/exporter/otlp",
            "/service/telemetry/metrics/readers/periodic/exporter/otlp/protocol",
            "/service/telemetry/metrics/readers/periodic/exporter/otlp/endpoint",
            "/service/telemetry/metrics/readers/periodic/exporter/otlp/client_certificate",
            "/service/telemetry/metrics/readers/periodic/exporter/otlp/client_key",
            "/service/telemetry/metrics/readers/periodic/exporter/pipeline",
            "/service/telemetry/resource/attributes/name",
        ]
        .contains(&path.as_str());
        // A section whose only key is gone is null, which is a section at its defaults.
        let is_only_key = path.ends_with("/authenticator") || path.ends_with("/pull/exporter");
        assert_eq!(!errors.is_empty(), is_needed && !is_only_key, "{path}: {errors:?}");
    }
}

#[test]
fn misspelt_keys_are_found_where_they_stand() {
    let lines: Vec<&str> = FULL.lines().collect();
    for Target { path, place, is_fixed, .. } in targets() {
        let line = lines[place.line - 1];
        let (before, key) = line.split_at(place.column - 1);
        let mut lines = lines.clone();
        let misspelt = format!("{before}x{key}");
        lines[place.line - 1] = &misspelt;
        let errors = placed_errors(&lines.join("\n"));
        let at_key = errors.iter().find(|error| error.place == Some(place));
        if is_fixed {
            let name = key.split(':').next().unwrap_or_default();
            let message = &at_key.unwrap_or_else(|| panic!("{path}: {errors:?}")).message;
            assert_eq!(*message, format!("unknown key; did you mean `{name}`?"));
        }
    }
}

#[test]
fn values_of_another_type_are_found_where_they_stand() {
    let lines: Vec<&str> = FULL.lines().collect();
    for Target { path, place, holds_section, .. } in targets() {
        let head = lines[place.line - 1].split_once(':').map_or("", |(head, _)| head);
        for value in if holds_section { ["5", "true"] } else { ["[[]]", "{a: {}}"] } {
            let errors = placed_errors(&replaced(place, &[format!("{head}: {value}")]));
            let is_there =
                errors.iter().any(|error| error.place.is_some_and(|found| found.line == place.line));
            assert!(is_there, "{path}: {value}: {errors:?}");
        }
    }
}

#[test]
fn values_out_of_range_are_found_where_they_stand() {
    let document = yaml::parse(FULL).0.unwrap();
    let mut scalars = Vec::new();
    collect_scalars(&document, "", &mut scalars);
    let mut mutated = 0;
    for (path, node) in scalars {
        let is_duration = crate::duration::parse(&node.text).is_ok();
        let wrong: &[&str] = match node.value {
            Value::Integer(_) => &["-1", "99999999999999999999", "1.5"],
            Value::Float(_) => &["-0.5", ".nan", "1e300"],
            Value::Text if is_duration => &["-5s", "9999999h", "5", "5 s"],
            _ => continue,
        };
        for wrong in wrong {
            // A factor may be a fraction.
            if path.ends_with("/multiplier") && *wrong == "1.5" {
                continue;
            }
            let line = FULL.lines().nth(node.place.line - 1).unwrap();
            let text = replaced(node.place, &[format!("{}{wrong}", &line[..node.place.column - 1])]);
            let errors = placed_errors(&text);
            let is_there = errors.iter().any(|error| error.place == Some(node.place));
            assert!(is_there, "{path}: {wrong}: {errors:?}");
            mutated += 1;
        }
    }
    assert!(mutated > 80, "{mutated}");
}

fn collect_scalars<'d>(node: &'d Node, path: &str, scalars: &mut Vec<(String, &'d Node)>) {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .for_each(|entry| collect_scalars(&entry.value, &format!("{path}/{}", entry.key), scalars)),
        Value::List(items) => items.iter().for_each(|item| collect_scalars(item, path, scalars)),
        _ => scalars.push((path.to_owned(), node)),
    }
}

#[test]
fn a_line_that_is_indented_otherwise_is_an_error_or_changes_nothing() {
    let meaning = |text: &str| read(text).map(|loaded| format!("{:?}", loaded.settings));
    let whole = meaning(FULL).unwrap();
    let lines: Vec<&str> = FULL.lines().collect();
    let (mut mutated, mut refused) = (0, 0);
    for (number, line) in
        lines.iter().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    {
        for shifted in
            [format!(" {line}"), format!("    {line}"), line.strip_prefix(' ').unwrap_or(line).to_owned()]
        {
            let mut lines = lines.clone();
            lines[number] = &shifted;
            let text = lines.join("\n");
            mutated += 1;
            if placed_errors(&text).is_empty() {
                assert_eq!(meaning(&text).unwrap(), whole, "line {}: {shifted:?}", number + 1);
            } else {
                refused += 1;
            }
        }
    }
    assert!(mutated > 300 && refused > 200, "{mutated} {refused}");
}

#[test]
fn no_text_makes_it_panic() {
    const PIECES: &[u8] = b"\n\t :-[]{}&*!|>'\"%@`#,?<$~ab01\x00\xc3\xa9";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..1_000 {
        let mut bytes = FULL.as_bytes().to_vec();
        for _ in 0..=random(6) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = PIECES[random(PIECES.len())],
                1 => bytes.insert(at, PIECES[random(PIECES.len())]),
                _ => drop(bytes.drain(at..(at + random(40)).min(bytes.len()))),
            }
        }
        placed_errors(&String::from_utf8_lossy(&bytes));
    }
}
