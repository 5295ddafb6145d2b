//! `processors`: of those that the Collector has, `batch`, `memory_limiter` and `resource`.

use super::definition::{Definition, Form, Harmless, Type, ignored, not_yet};
use super::ids::Component;
use super::settings::{AttributeAction, AttributeKeys, AttributeType, AttributeValue, Batching, Change};
use super::settings::{MemoryLimit, MemoryLimiter, Processors};
use super::view::keys::{Count, Key, NOT_YET, keys};
use super::view::{Section, View, tables};
use super::yaml::Value;
use std::time::Duration;

/// The types that this version serves.
pub(super) const PROCESSORS: [&str; 3] = ["batch", "memory_limiter", "resource"];

/// The same with their keys.
pub(super) const TYPES: &[Type] = &[
    Type::new(&["batch"], &[batch::TABLE]),
    Type::new(&["memory_limiter"], &[memory_limiter::TABLE]),
    Type::new(&["resource"], &[resource::TABLE]),
];

/// A limit without one of its own leaves this part of itself for what comes between two looks.
const SPIKE_PERCENTAGE: u64 = 20;

const MEBIBYTE: u64 = 1024 * 1024;

/// The most points, and the most MiB, that can be asked for.
const POINTS_MAX: i64 = u32::MAX as i64;
const MEBIBYTES_MAX: i64 = 1 << 32;

keys! {
    /// The keys of `batch`.
    mod batch {
        /// How long delivery waits for a fuller request.
        timeout: Time.or(Duration::from_millis(200)),
        /// The number of queued points at which delivery starts at once.
        send_batch_size: Count.within(0, POINTS_MAX).or(8192),
        /// Ignored with a warning unless 0: `max_batch_size_bytes` of the exporter bounds a request.
        send_batch_max_size: Count.within(0, POINTS_MAX).or(0),
    } and [
        ignored("metadata_cardinality_limit", "preamp passes no request metadata on"),
        not_yet("metadata_keys", Harmless::Empty),
    ]
}

const NO_GARBAGE: &str = "preamp has no garbage to collect";

fn usual_margin() -> String {
    format!("{SPIKE_PERCENTAGE} % of the limit")
}

keys! {
    /// The keys of `memory_limiter`.
    mod memory_limiter {
        /// How often the resident memory is looked at.
        check_interval: Time.required(),
        /// What the process may use. One of the two limits must be given; this one wins.
        limit_mib: Count.mebibytes(0, MEBIBYTES_MAX).says("from `limit_percentage`"),
        /// The same, in percent of the control group's limit or of the machine's memory.
        limit_percentage: Count.percent().says("from `limit_mib`"),
        /// Payloads are refused when the process uses more than the limit less this.
        spike_limit_mib: Count.mebibytes(0, MEBIBYTES_MAX).told(usual_margin),
        /// The same beside `limit_percentage`.
        spike_limit_percentage: Count.percent().told(usual_margin),
    } and [
        ignored("min_gc_interval_when_soft_limited", NO_GARBAGE),
        ignored("min_gc_interval_when_hard_limited", NO_GARBAGE),
        ignored("max_gc_interval_when_soft_limited", NO_GARBAGE),
        ignored("max_gc_interval_when_hard_limited", NO_GARBAGE),
    ]
}

keys! {
    /// The keys of `resource`.
    mod resource {
        /// What is done to attributes of resources, in this order.
        attributes: Sub.list_of(&[action::TABLE]).required(),
    }
}

const ACTIONS: &[&str] = &["insert", "update", "upsert", "delete", "hash", "extract", "convert"];

const TYPE_NAMES: &[&str] = &["int", "double", "string", "bool"];

const FROM_CONTEXT: Definition = not_yet("from_context", Harmless::Empty);

keys! {
    /// The keys of an action of `resource`.
    mod action {
        /// The name of the attribute. `delete` and `hash` take `pattern` in its place.
        key: Text,
        /// What is done.
        action: Choice.among_in_any_case(ACTIONS).required(),
        /// The value that is set.
        value: Other.form(Form::Scalar),
        /// The attribute whose value is set, in place of `value`.
        from_attribute: Text,
        /// The value where there is no such attribute.
        default_value: Other.form(Form::Scalar),
        /// A regular expression: names of attributes, or for `extract` one with named groups.
        pattern: Text,
        /// The type that `convert` makes of the value.
        converted_type: Choice.among(TYPE_NAMES),
    } and [FROM_CONTEXT]
}

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
    let section = view.section(TYPES[0].tables);
    let points = section.value(&batch::send_batch_size);
    let most = section.value(&batch::send_batch_max_size);
    if let (1.., Some(view)) = (most, section.get(&batch::send_batch_max_size)) {
        if most < points {
            view.error(format!("is less than `send_batch_size`, which is {points}"));
        } else {
            view.warn("is ignored: `max_batch_size_bytes` of the exporter bounds a request");
        }
    }
    Batching { timeout: section.value(&batch::timeout), points: points.unsigned_abs() }
}

fn read_memory_limiter(view: &View) -> Option<MemoryLimiter> {
    use memory_limiter::{limit_mib, limit_percentage, spike_limit_mib, spike_limit_percentage};
    let section = view.section(TYPES[1].tables);
    let interval = section.given(&memory_limiter::check_interval).filter(|interval| !interval.is_zero());
    let Some(check_interval) = interval else {
        section
            .get(&memory_limiter::check_interval)
            .unwrap_or_else(|| view.clone())
            .error("needs a `check_interval` above zero: how often to look at the memory, such as 1s");
        return None;
    };
    let positive = |key: &Key<Count>| section.given(key).filter(|number| *number > 0).map(i64::unsigned_abs);
    // As in the Collector, the margin is told in the unit of the limit.
    let (limit, margin) = match (positive(&limit_mib), positive(&limit_percentage)) {
        (Some(limit), _) => {
            let limit = limit * MEBIBYTE;
            let spike = positive(&spike_limit_mib).map(|spike| spike * MEBIBYTE);
            let margin = spike.unwrap_or(limit * SPIKE_PERCENTAGE / 100);
            if margin % MEBIBYTE == 0 {
                note_margin(&section, &spike_limit_mib, margin / MEBIBYTE);
            }
            (MemoryLimit::Bytes(limit), MemoryLimit::Bytes(margin))
        }
        (None, Some(limit)) => {
            let margin = positive(&spike_limit_percentage).unwrap_or(limit * SPIKE_PERCENTAGE / 100);
            note_margin(&section, &spike_limit_percentage, margin);
            (MemoryLimit::Percentage(limit), MemoryLimit::Percentage(margin))
        }
        (None, None) => {
            view.error("needs `limit_mib` or `limit_percentage`");
            return None;
        }
    };
    let (MemoryLimit::Bytes(whole) | MemoryLimit::Percentage(whole)) = limit;
    let (MemoryLimit::Bytes(part) | MemoryLimit::Percentage(part)) = margin;
    if part >= whole {
        let key = [&spike_limit_mib, &spike_limit_percentage].into_iter().find_map(|key| section.get(key));
        key.unwrap_or_else(|| view.clone()).error("must be less than the limit");
    }
    Some(MemoryLimiter { check_interval, limit, margin })
}

fn note_margin(section: &Section, key: &Key<Count>, margin: u64) {
    section.note(key, &i64::try_from(margin).unwrap_or(i64::MAX));
}

fn read_resource(view: &View) -> Vec<AttributeAction> {
    let section = view.section(TYPES[2].tables);
    let actions = section.get(&resource::attributes).map(|view| view.list()).unwrap_or_default();
    if actions.is_empty() {
        view.error("needs `attributes`, a list of actions");
    }
    actions.iter().filter_map(read_action).collect()
}

fn read_action(view: &View) -> Option<AttributeAction> {
    let section = view.section(tables(&resource::attributes));
    if section.get(&action::action).is_none() {
        view.error(format!("lacks `action`: one of {}", ACTIONS.join(", ")));
        return None;
    }
    let action = section.given(&action::action)?;
    let pattern = section.text(&action::pattern).map(|(text, view)| {
        if let Err(error) = regex_lite::Regex::new(text) {
            view.error(format!("is no regular expression: {error}"));
        }
        text.to_owned()
    });
    let key = section.text(&action::key).map(|(key, _)| key.to_owned());
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
    if section.get(&action::converted_type).is_none() {
        action.error("lacks `converted_type`: int, double, string or bool");
    }
    Some(match section.given(&action::converted_type)? {
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
    match (section.present_at(&action::value), section.text(&action::from_attribute)) {
        (Some(value), None) => fixed(value),
        (None, Some((from, _))) => {
            let default = section.get(&action::default_value).and_then(fixed).map(Box::new);
            Some(AttributeValue::Of { attribute: from.to_owned(), default })
        }
        (Some(_), Some((_, from))) => {
            from.key_error("cannot stand beside `value`: keep one of the two");
            None
        }
        (None, None) => {
            // What is said about `from_context` is enough.
            if section.at(&FROM_CONTEXT).is_none() {
                action.error("lacks `value` or `from_attribute`");
            }
            None
        }
    }
}
