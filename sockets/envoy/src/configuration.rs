//! The configuration of the filter: a JSON object, in a `StringValue` of the configuration of Envoy.

use serde_json::{Map, Value};
use std::time::Duration;

/// What the filter is told.
pub struct Configuration {
    /// The cluster of Envoy that requests go to.
    pub cluster: String,
    /// The options of the core, as JSON.
    pub exporter: String,
    /// How long pauses of one payload may be together, in milliseconds.
    pub patience_ms: u64,
    /// How long the receiver may take for an answer.
    pub request_timeout: Duration,
    /// How many bytes of payloads may be on their way at a time.
    pub max_in_flight_bytes: usize,
}

/// Senders wait for ten seconds as a rule, and repeat what they are asked to repeat.
const PATIENCE_MS: u64 = 4_000;
const REQUEST_TIMEOUT_MS: u64 = 5_000;
const MAX_IN_FLIGHT_BYTES: u64 = 64 << 20;

const KEYS: [&str; 5] = ["cluster", "exporter", "patience_ms", "request_timeout_ms", "max_in_flight_bytes"];

/// Reads a configuration.
///
/// # Errors
/// All problems, as text.
pub fn read(text: &[u8]) -> Result<Configuration, Vec<String>> {
    let wanted = || format!("it must be a StringValue with an object in JSON, of {}", KEYS.join(", "));
    let document = serde_json::from_slice(text).map_err(|error| vec![format!("{}: {error}", wanted())])?;
    let Value::Object(mut document) = document else { return Err(vec![wanted()]) };
    let mut problems = Vec::new();
    for key in document.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        problems.push(format!("{key:?} is no key of it; there are {}", KEYS.join(", ")));
    }
    let cluster = match document.remove("cluster") {
        Some(Value::String(name)) if !name.is_empty() => name,
        _ => {
            problems
                .push("cluster: the name of the cluster that requests are sent to is required".to_owned());
            String::new()
        }
    };
    let exporter = exporter(document.remove("exporter"), &mut problems);
    let mut number = |key: &str, default: u64, least: u64| {
        let given = document.get(key);
        let number = given.map_or(Some(default), Value::as_u64);
        let in_range = number.filter(|number| (least..=u64::from(u32::MAX)).contains(number));
        in_range.unwrap_or_else(|| {
            problems.push(format!("{key}: must be a whole number from {least} to {}", u32::MAX));
            default
        })
    };
    let patience_ms = number("patience_ms", PATIENCE_MS, 0);
    let request_timeout = Duration::from_millis(number("request_timeout_ms", REQUEST_TIMEOUT_MS, 1));
    let max_in_flight_bytes = number("max_in_flight_bytes", MAX_IN_FLIGHT_BYTES, 1);
    let max_in_flight_bytes = usize::try_from(max_in_flight_bytes).unwrap_or(usize::MAX);
    match problems.is_empty() {
        true => Ok(Configuration { cluster, exporter, patience_ms, request_timeout, max_in_flight_bytes }),
        false => Err(problems),
    }
}

/// The options of the core, with those that are the same in every filter.
fn exporter(given: Option<Value>, problems: &mut Vec<String>) -> String {
    let Some(Value::Object(mut options)) = given else {
        problems.push(
            "exporter: an object with the options of the core is required, endpoint among them".to_owned(),
        );
        return Map::new().into_iter().collect::<Value>().to_string();
    };
    if options.contains_key("sigv4") {
        problems.push(
            "exporter.sigv4: this filter has no credentials: remove it, set profile to aps, and have the filter \
             envoy.filters.http.aws_request_signing of the cluster sign"
                .to_owned(),
        );
    }
    if options.get("delta").and_then(Value::as_str) == Some("accumulate") {
        problems.push(
            "exporter.delta: the workers of Envoy share nothing, so nothing can be accumulated: have the SDKs send \
             cumulative metrics, or accumulate in preamp run"
                .to_owned(),
        );
    }
    // One request of a payload at a time: partitions would only make more of them.
    options.insert("partitions".to_owned(), 1.into());
    // No worker knows when another sent metadata.
    options.insert("metadata_interval_ms".to_owned(), 0.into());
    Value::Object(options).to_string()
}
