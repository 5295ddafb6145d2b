//! `processors`: of those that the Collector has, `batch`, `memory_limiter` and `resource`.

use super::ids::Component;
use super::keys::{Harmless, Key, NOT_YET, ignored, not_yet, read};
use super::settings::{AttributeAction, AttributeKeys, AttributeType, AttributeValue, Batching, Change};
use super::settings::{MemoryLimit, MemoryLimiter, Processors};
use super::view::{Section, View};
use super::yaml::Value;
use std::time::Duration;

/// The types that this version serves.
pub(super) const PROCESSORS: [&str; 3] = ["batch", "memory_limiter", "resource"];

/// The Collector's defaults.
const BATCH_TIMEOUT: Duration = Duration::from_millis(200);
const SEND_BATCH_SIZE: u64 = 8192;
/// A limit without one of its own leaves this part of itself for what comes between two looks.
const SPIKE_PERCENTAGE: u64 = 20;

const MEBIBYTE: u64 = 1024 * 1024;

const BATCH: &[Key] = &[
    read("timeout"),
    read("send_batch_size"),
    read("send_batch_max_size"),
    ignored("metadata_cardinality_limit", "preamp passes no request metadata on"),
    not_yet("metadata_keys", Harmless::Empty),
];

const NO_GARBAGE: &str = "preamp has no garbage to collect";

const MEMORY_LIMITER: &[Key] = &[
    read("check_interval"),
    read("limit_mib"),
    read("limit_percentage"),
    read("spike_limit_mib"),
    read("spike_limit_percentage"),
    ignored("min_gc_interval_when_soft_limited", NO_GARBAGE),
    ignored("min_gc_interval_when_hard_limited", NO_GARBAGE),
    ignored("max_gc_interval_when_soft_limited", NO_GARBAGE),
    ignored("max_gc_interval_when_hard_limited", NO_GARBAGE),
];

const RESOURCE: &[Key] = &[read("attributes")];

const ACTION: &[Key] = &[
    read("key"),
    read("action"),
    read("value"),
    read("from_attribute"),
    not_yet("from_context", Harmless::Empty),
    read("default_value"),
    read("pattern"),
    read("converted_type"),
];

/// Adds what a processor of a pipeline does. What is wrong is reported.
pub(super) fn read_processor(processor: &Component, reference: &View, into: &mut Processors) {
    match processor.kind {
        "batch" => into.batch = Some(read_batch(&processor.view)),
        "memory_limiter" => into.memory_limiter = read_memory_limiter(&processor.view),
        "resource" => into.resource.extend(read_resource(&processor.view)),
        _ => reference.error(processor.unsupported("processor", &PROCESSORS)),
    }
}

fn read_batch(view: &View) -> Batching {
    let section = view.section(&[BATCH]);
    let size =
        |key| section.get(key).and_then(|view| view.integer(0, i64::from(u32::MAX))).map(i64::unsigned_abs);
    let points = size("send_batch_size").unwrap_or(SEND_BATCH_SIZE);
    if let (Some(most @ 1..), Some(view)) = (size("send_batch_max_size"), section.get("send_batch_max_size"))
    {
        if most < points {
            view.error(format!("is less than `send_batch_size`, which is {points}"));
        } else {
            view.warn("is ignored: `max_batch_size_bytes` of the exporter bounds a request");
        }
    }
    let timeout = section.get("timeout").and_then(|view| view.duration()).unwrap_or(BATCH_TIMEOUT);
    Batching { timeout, points }
}

fn read_memory_limiter(view: &View) -> Option<MemoryLimiter> {
    let section = view.section(&[MEMORY_LIMITER]);
    let check_interval = section.get("check_interval").and_then(|view| view.duration());
    if check_interval.is_none_or(|interval| interval.is_zero()) {
        section
            .get("check_interval")
            .unwrap_or_else(|| view.clone())
            .error("needs a `check_interval` above zero: how often to look at the memory, such as 1s");
        return None;
    }
    let mebibytes = |key| section.get(key).and_then(|view| view.integer(0, 1 << 32)).filter(|size| *size > 0);
    let percentage = |key| section.get(key).and_then(|view| view.integer(0, 100)).filter(|part| *part > 0);
    let limit = match (mebibytes("limit_mib"), percentage("limit_percentage")) {
        (Some(size), _) => MemoryLimit::Bytes(size.unsigned_abs() * MEBIBYTE),
        (None, Some(part)) => MemoryLimit::Percentage(part.unsigned_abs()),
        (None, None) => {
            view.error("needs `limit_mib` or `limit_percentage`");
            return None;
        }
    };
    // As in the Collector, the margin is told in the unit of the limit.
    let margin = match limit {
        MemoryLimit::Bytes(limit) => {
            let spike = mebibytes("spike_limit_mib").map(|size| size.unsigned_abs() * MEBIBYTE);
            MemoryLimit::Bytes(spike.unwrap_or(limit * SPIKE_PERCENTAGE / 100))
        }
        MemoryLimit::Percentage(limit) => {
            let spike = percentage("spike_limit_percentage").map(i64::unsigned_abs);
            MemoryLimit::Percentage(spike.unwrap_or(limit * SPIKE_PERCENTAGE / 100))
        }
    };
    let (MemoryLimit::Bytes(whole) | MemoryLimit::Percentage(whole)) = limit;
    let (MemoryLimit::Bytes(part) | MemoryLimit::Percentage(part)) = margin;
    if part >= whole {
        let key = ["spike_limit_mib", "spike_limit_percentage"].into_iter().find_map(|key| section.get(key));
        key.unwrap_or_else(|| view.clone()).error("must be less than the limit");
    }
    Some(MemoryLimiter { check_interval: check_interval.unwrap_or_default(), limit, margin })
}

fn read_resource(view: &View) -> Vec<AttributeAction> {
    let section = view.section(&[RESOURCE]);
    let actions = section.get("attributes").map(|view| view.list()).unwrap_or_default();
    if actions.is_empty() {
        view.error("needs `attributes`, a list of actions");
    }
    actions.iter().filter_map(read_action).collect()
}

fn read_action(view: &View) -> Option<AttributeAction> {
    const ACTIONS: [&str; 7] = ["insert", "update", "upsert", "delete", "hash", "extract", "convert"];
    let section = view.section(&[ACTION]);
    let Some(action) = section.get("action") else {
        view.error(format!("lacks `action`: one of {}", ACTIONS.join(", ")));
        return None;
    };
    let action = action.choice_of_any_case(&ACTIONS)?;
    let pattern = section.text("pattern").map(|(text, view)| {
        if let Err(error) = regex_lite::Regex::new(text) {
            view.error(format!("is no regular expression: {error}"));
        }
        text.to_owned()
    });
    let key = section.text("key").map(|(key, _)| key.to_owned());
    let keys = match (key, &pattern, action) {
        (Some(key), ..) => AttributeKeys::One(key),
        (None, Some(pattern), "delete" | "hash") => AttributeKeys::Matching(pattern.clone()),
        (None, ..) => {
            view.error("lacks `key`, the name of the attribute");
            return None;
        }
    };
    let change = match action {
        "delete" => Change::Delete,
        "hash" => Change::Hash,
        "extract" => {
            let Some(pattern) = pattern else {
                view.error("lacks `pattern`, with named groups such as (?P<name>…)");
                return None;
            };
            let groups = regex_lite::Regex::new(&pattern).ok()?;
            if groups.capture_names().flatten().next().is_none() {
                view.error("`pattern` has no named group: write (?P<name>…)");
            }
            Change::Extract(pattern)
        }
        "convert" => Change::Convert(read_type(&section, view)?),
        set => {
            let value = read_value(&section, view)?;
            Change::Set { inserts: set != "update", updates: set != "insert", value }
        }
    };
    Some(AttributeAction { keys, change })
}

fn read_type(section: &Section, action: &View) -> Option<AttributeType> {
    let Some(view) = section.get("converted_type") else {
        action.error("lacks `converted_type`: int, double, string or bool");
        return None;
    };
    Some(match view.choice(&["int", "double", "string", "bool"])? {
        "int" => AttributeType::Int,
        "double" => AttributeType::Double,
        "bool" => AttributeType::Bool,
        _ => AttributeType::String,
    })
}

/// What an attribute is set to.
fn read_value(section: &Section, action: &View) -> Option<AttributeValue> {
    let fixed = |view: View| match view.value() {
        Value::Boolean(flag) => Some(AttributeValue::Bool(*flag)),
        Value::Integer(number) => Some(AttributeValue::Int(*number)),
        Value::Float(number) => Some(AttributeValue::Double(*number)),
        Value::Text => Some(AttributeValue::String(view.text()?.to_owned())),
        Value::Null => Some(AttributeValue::String(String::new())),
        Value::List(_) | Value::Map(_) => {
            view.error(format!("lists and sections are {NOT_YET}; write a text, a number or a boolean"));
            None
        }
    };
    match (section.present("value"), section.text("from_attribute")) {
        (Some(value), None) => fixed(value),
        (None, Some((from, _))) => {
            let default = section.get("default_value").and_then(fixed).map(Box::new);
            Some(AttributeValue::Of { attribute: from.to_owned(), default })
        }
        (Some(_), Some((_, from))) => {
            from.key_error("cannot stand beside `value`: keep one of the two");
            None
        }
        (None, None) => {
            // What is said about `from_context` is enough.
            if section.get("from_context").is_none() {
                action.error("lacks `value` or `from_attribute`");
            }
            None
        }
    }
}
