//! The exporter's configuration: what `open` reads. `schema.json` beside this file documents every
//! option for people and programs; [`Config::read`] enforces it and reports all problems at once.

mod endpoint;
mod profile;
mod reader;
mod translation;

pub use endpoint::Endpoint;
pub use profile::{Profile, Traits};
pub use translation::{
    ClassicPolicy, DeltaState, ExponentialPolicy, LabelStyle, NameStyle, PointLimits, ResourceLabels,
    Translation,
};

use preamp_contract::{Header, Problem, Protocol};
use reader::Reader;
use std::collections::BTreeSet;

/// The JSON Schema of the configuration.
pub const SCHEMA: &str = include_str!("schema.json");

/// The most partitions an exporter may have; each is one request in flight.
pub const PARTITIONS_MAX: u32 = 1024;

/// Header fields that the exporter or HTTP itself sets, and that no configuration may override.
const PROTECTED_HEADERS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-prometheus-remote-write-version",
];

/// The region and service that requests are signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningScope {
    /// AWS region, such as `eu-west-1`.
    pub region: String,
    /// AWS service, such as `aps`.
    pub service: String,
}

/// How the pause between attempts grows; jitter is the host's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first pause, in milliseconds.
    pub initial_ms: u64,
    /// What each further pause is multiplied with.
    pub multiplier: f64,
    /// The longest pause, in milliseconds.
    pub max_ms: u64,
}

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where requests go.
    pub endpoint: Endpoint,
    /// What kind of receiver it is.
    pub profile: Profile,
    /// Why it is taken for that, in words.
    pub profile_reason: &'static str,
    /// What to sign for; `None` sends unsigned.
    pub sigv4: Option<SigningScope>,
    /// Further header fields for each request.
    pub headers: Vec<Header>,
    /// The User-Agent field.
    pub user_agent: String,
    /// What series come of what metrics.
    pub translation: Translation,
    /// The protocol that bodies are written in.
    pub protocol: Protocol,
    /// How many partitions series are spread over.
    pub partitions: u32,
    /// Whether batches carry their digest, or the host adds it.
    pub digest: bool,
    /// The largest payload `accept` takes, in bytes.
    pub max_payload_bytes: u64,
    /// The largest body, in bytes before compression.
    pub max_batch_size_bytes: usize,
    /// The pauses between attempts.
    pub backoff: Backoff,
}

impl Config {
    /// Reads a configuration from JSON text.
    ///
    /// # Errors
    ///
    /// All problems found, each with a JSON Pointer to its place.
    pub fn read(json: &str) -> Result<Config, Vec<Problem>> {
        let document = serde_json::from_str(json).map_err(|error| {
            vec![Problem { path: String::new(), message: format!("not valid JSON: {error}") }]
        })?;
        let mut root = Reader::new(&document);

        let endpoint = read_endpoint(&mut root);
        let sigv4 = read_sigv4(&mut root);
        let (profile, profile_reason) = read_profile(&mut root, endpoint.as_ref(), sigv4.as_ref());
        let protocol = read_protocol(&mut root);
        if let (Some(endpoint), Some(_)) = (&endpoint, &sigv4)
            && let Some(part) = endpoint.unsignable_part()
        {
            root.problem("endpoint", format!("a path with {part:?} cannot be signed: write it without"));
        }
        let config = Config {
            profile,
            profile_reason,
            headers: read_headers(&mut root, sigv4.is_some()),
            sigv4,
            user_agent: root
                .string("user_agent")
                .unwrap_or_else(|| concat!("preamp/", env!("CARGO_PKG_VERSION")).to_owned()),
            translation: Translation::read(&mut root, profile, protocol),
            protocol,
            partitions: root.integer("partitions", 1, u64::from(PARTITIONS_MAX)).unwrap_or(1) as u32,
            digest: root.bool("digest").unwrap_or(true),
            max_payload_bytes: root
                .integer("max_payload_bytes", 1, u64::from(u32::MAX))
                .unwrap_or(256 * 1024 * 1024),
            max_batch_size_bytes: read_batch_size(&mut root, profile),
            backoff: read_backoff(&mut root),
            endpoint: endpoint.unwrap_or_default(),
        };
        match root.finish() {
            problems if problems.is_empty() => Ok(config),
            problems => Err(problems),
        }
    }
}

fn read_endpoint(root: &mut Reader) -> Option<Endpoint> {
    let Some(url) = root.string("endpoint") else {
        if !root.has("endpoint") {
            root.problem("endpoint", "is required: the full remote-write URL".to_owned());
        }
        return None;
    };
    Endpoint::parse(&url).map_err(|message| root.problem("endpoint", message)).ok()
}

/// The profile that the configuration names, else the one that the address shows; and why it is that one.
fn read_profile(
    root: &mut Reader,
    endpoint: Option<&Endpoint>,
    sigv4: Option<&SigningScope>,
) -> (Profile, &'static str) {
    let said = root.choice("profile", &Profile::ALL.map(Profile::name));
    let said = said.and_then(|name| Profile::ALL.into_iter().find(|profile| profile.name() == name));
    match said {
        Some(profile) => (profile, "the configuration says so"),
        None => Profile::told_from(endpoint.unwrap_or(&Endpoint::default()), sigv4),
    }
}

/// The messages go by the names that the Collector and Prometheus configure them with.
fn read_protocol(root: &mut Reader) -> Protocol {
    const V2: &str = "io.prometheus.write.v2.Request";
    match root.choice("protobuf_message", &["prometheus.WriteRequest", V2]) {
        Some(V2) => Protocol::RemoteWriteV2,
        _ => Protocol::RemoteWriteV1,
    }
}

fn read_sigv4(root: &mut Reader) -> Option<SigningScope> {
    if !root.has("sigv4") {
        return None;
    }
    let mut section = root.section("sigv4");
    let mut required = |key: &str| {
        let text = section.string(key).unwrap_or_default();
        if !is_scope_part(&text) {
            section.problem(key, "is required: letters, digits and hyphens".to_owned());
        }
        text
    };
    let region = required("region");
    let service = required("service");
    Some(SigningScope { region, service })
}

fn is_scope_part(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn read_headers(root: &mut Reader, signed: bool) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    let mut names = BTreeSet::new();
    for (name, value) in root.string_map("headers") {
        let lower = name.to_ascii_lowercase();
        let problem = if !is_header_name(&lower) {
            Some("is not a header name".to_owned())
        } else if PROTECTED_HEADERS.contains(&lower.as_str()) {
            Some("is set by the exporter and cannot be configured".to_owned())
        } else if signed && (lower == "authorization" || lower.starts_with("x-amz-")) {
            Some("is part of the signature and cannot be configured where requests are signed".to_owned())
        } else if !is_header_value(&value) {
            Some("has a value with a control or non-ASCII character".to_owned())
        } else if !names.insert(lower.clone()) {
            Some("stands twice, in different capitals".to_owned())
        } else {
            None
        };
        match problem {
            Some(message) => root.problem(&format!("headers/{}", reader::escape(&name)), message),
            None => headers.push(Header { name: lower, value: value.trim().to_owned() }),
        }
    }
    headers
}

/// Whether a text is an HTTP field name (RFC 9110, section 5.6.2, `token`).
fn is_header_name(name: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_token)
}

/// Whether a text can be sent as an HTTP field value without any escaping.
pub(crate) fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| (0x20..0x7f).contains(&b))
}

/// The smallest limit that makes sense: one series must fit into a body.
const BATCH_SIZE_MIN: u64 = 1024;

fn read_batch_size(root: &mut Reader, profile: Profile) -> usize {
    let Traits { max_batch_bytes, is_batch_limit_firm, .. } = *profile.traits();
    let configured = root.integer("max_batch_size_bytes", BATCH_SIZE_MIN, 64 * 1024 * 1024);
    let size = match configured {
        Some(size) if is_batch_limit_firm => size.min(max_batch_bytes),
        Some(size) => size,
        None => max_batch_bytes,
    };
    size as usize
}

fn read_backoff(root: &mut Reader) -> Backoff {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let mut section = root.section("retry_on_failure");
    let initial_ms = section.integer("initial_interval_ms", 1, DAY_MS).unwrap_or(100);
    let max_ms = section.integer("max_interval_ms", 1, DAY_MS).unwrap_or(30_000);
    let multiplier = section.number("multiplier", 1.0, 100.0).unwrap_or(2.0);
    Backoff { initial_ms, multiplier, max_ms: max_ms.max(initial_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMP: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

    fn paths(json: &str) -> Vec<String> {
        Config::read(json).expect_err("should be refused").into_iter().map(|p| p.path).collect()
    }

    #[test]
    fn an_endpoint_is_enough_and_amp_is_recognised() {
        let config = Config::read(&format!(r#"{{"endpoint":"{AMP}"}}"#)).unwrap();
        assert_eq!(config.profile, Profile::Aps);
        assert_eq!(config.max_batch_size_bytes, 990_000);
        assert_eq!(config.translation.limits.max_age_ms, Some(3_600_000));
        let other = Config::read(r#"{"endpoint":"http://localhost:9090/api/v1/write"}"#).unwrap();
        assert_eq!(other.profile, Profile::Prometheus);
        let proxied = r#"{"endpoint":"http://localhost/","sigv4":{"region":"eu-west-1","service":"aps"}}"#;
        assert_eq!(Config::read(proxied).unwrap().profile, Profile::Aps);
        assert_eq!(other.translation.limits.max_age_ms, None);
    }

    /// Behind a private name AMP is told by the service that is signed for, and its limits hold there, too.
    #[test]
    fn the_limits_of_amp_hold_behind_a_private_name() {
        let limits = |more: &str| {
            let json = format!(
                r#"{{"endpoint":"http://metrics.internal/","partitions":3,
                    "sigv4":{{"region":"eu-west-1","service":"aps"}}{more}}}"#
            );
            crate::Exporter::open(&json).map(|exporter| exporter.limits()).unwrap()
        };
        let amp = limits("");
        assert_eq!((&*amp.profile, amp.partitions, amp.max_batch_bytes), ("aps", 3, 990_000));
        assert_eq!((amp.max_age, amp.max_age_sent, amp.max_future), (Some(3_600_000), Some(3_540_000), None));
        let said = limits(r#","max_sample_age_ms":5000"#);
        assert_eq!((said.max_age, said.max_age_sent), (Some(5_000), Some(5_000)));
        let any = limits(r#","max_sample_age_ms":0"#);
        assert_eq!((any.max_age, any.max_age_sent), (None, None));
        let other = limits(r#","profile":"prometheus""#);
        assert_eq!(
            (&*other.profile, other.max_age_sent, other.max_future),
            ("prometheus", None, Some(600_000))
        );
    }

    #[test]
    fn no_batch_is_larger_than_amp_takes() {
        let size = |profile: &str, bytes: u32| {
            let json =
                format!(r#"{{"endpoint":"http://h/","profile":"{profile}","max_batch_size_bytes":{bytes}}}"#);
            Config::read(&json).unwrap().max_batch_size_bytes
        };
        assert_eq!(size("aps", 3_000_000), 990_000);
        assert_eq!(size("aps", 5_000), 5_000);
        assert_eq!(size("prometheus", 3_000_000), 3_000_000);
    }

    #[test]
    fn all_problems_come_at_once_each_with_its_place() {
        let json = r#"{"endpoint":"ftp://x/","profile":"cortex","partitions":0,"bogus":1,
            "sigv4":{"region":"","extra":true},"headers":{"Authorization":"z","Host":"a","X-Amz-Date":"b","ok":"c"},
            "external_labels":{"a":""},"target_info":{"enabled":"yes"}}"#;
        assert_eq!(
            paths(json),
            [
                "/bogus",
                "/endpoint",
                "/external_labels/a",
                "/headers/Authorization",
                "/headers/Host",
                "/headers/X-Amz-Date",
                "/partitions",
                "/profile",
                "/sigv4/extra",
                "/sigv4/region",
                "/sigv4/service",
                "/target_info/enabled",
            ]
        );
    }

    #[test]
    fn a_static_authorization_is_taken_where_nothing_is_signed() {
        let json = r#"{"endpoint":"http://h/","headers":{"Authorization":"Bearer t"}}"#;
        let headers = Config::read(json).unwrap().headers;
        assert_eq!((headers[0].name.as_str(), headers[0].value.as_str()), ("authorization", "Bearer t"));
    }

    /// The list of problems is no longer than a person reads, however long the configuration.
    #[test]
    fn very_many_unknown_keys_are_counted() {
        let keys: Vec<_> = (0..1_000).map(|n| format!(r#""k{n}":1"#)).collect();
        let problems = Config::read(&format!(r#"{{"endpoint":"{AMP}",{}}}"#, keys.join(","))).unwrap_err();
        assert_eq!(problems.len(), 101);
        assert_eq!(
            (problems[0].path.as_str(), problems[0].message.as_str()),
            ("", "has 900 more keys that are no options")
        );
    }

    #[test]
    fn not_json_and_not_an_object_are_told_apart() {
        assert_eq!(paths("{"), [""]);
        assert_eq!(paths("[]"), ["", "/endpoint"]);
    }

    #[test]
    fn a_path_that_would_be_signed_otherwise_than_sent_is_refused() {
        let signed = |url: &str| {
            Config::read(&format!(
                r#"{{"endpoint":"{url}","sigv4":{{"region":"eu-west-1","service":"aps"}}}}"#
            ))
        };
        assert!(signed("https://h/a//b").is_err());
        assert!(signed("https://h/a/./b").is_err());
        assert!(signed("https://h/a/b").is_ok());
    }

    #[test]
    fn options_that_contradict_each_other_are_problems() {
        let problems = |options: &str| paths(&format!(r#"{{"endpoint":"http://h/",{options}}}"#));
        assert_eq!(problems(r#""translation_strategy":"NoTranslation""#), ["/translation_strategy"]);
        assert_eq!(
            problems(
                r#""resource_to_telemetry_conversion":{"enabled":true},
                "resource_constant_labels":{"included":["host.*", 1]}"#
            ),
            ["/resource_constant_labels", "/resource_constant_labels/included/1"]
        );
    }

    #[test]
    fn the_schema_names_exactly_the_options_that_are_read() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let documented: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        let everything = serde_json::json!({
            "endpoint": AMP, "profile": "aps", "sigv4": {"region": "r", "service": "s"},
            "headers": {}, "user_agent": "u", "namespace": "n", "external_labels": {},
            "add_metric_suffixes": true, "target_info": {"enabled": true},
            "disable_scope_info": false, "resource_to_telemetry_conversion": {"enabled": true},
            "translation_strategy": "NoTranslation", "protobuf_message": "io.prometheus.write.v2.Request",
            "resource_constant_labels": {"included": []}, "send_metadata": true, "metadata_interval_ms": 0,
            "label_names": "contrib-0.156", "keep_identifying_resource_attributes": true, "duplicate_samples": "send",
            "exemplars": true, "export_created_metric": {"enabled": true}, "otel_scope_info": {"enabled": true},
            "convert_explicit_histograms_to_nhcb": true, "keep_classic_histograms": true,
            "exponential_histograms": "both", "delta": "accumulate", "delta_max_series": 1,
            "delta_max_idle_ms": 1, "max_sample_future_ms": 0, "max_labels_per_series": 0,
            "max_labels_bytes": 0, "partitions": 2, "digest": true, "max_payload_bytes": 9, "max_batch_size_bytes": 2000,
            "max_sample_age_ms": 0, "retry_on_failure": {"initial_interval_ms": 1},
        });
        Config::read(&everything.to_string()).unwrap();
        let mut read: Vec<_> = everything.as_object().unwrap().keys().cloned().collect();
        read.sort();
        let mut documented = documented;
        documented.sort();
        assert_eq!(documented, read);
    }

    #[test]
    fn the_defaults_that_the_schema_names_are_those_that_hold() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        for (profile, endpoint) in [
            ("aps", AMP),
            ("prometheus", "http://localhost:9090/api/v1/write"),
            ("mimir", "http://localhost:9009/api/v1/push"),
            ("thanos", "http://localhost:19291/api/v1/receive"),
            ("victoriametrics", "http://localhost:8428/api/v1/write"),
        ] {
            let base = serde_json::json!({ "endpoint": endpoint, "delta": "accumulate" });
            let usual = Config::read(&base.to_string()).unwrap();
            let mut named = 0;
            for (path, default) in defaults(&schema, profile) {
                let mut with = base.clone();
                with[path[0]] = match path.as_slice() {
                    [_, part] => serde_json::json!({ *part: default }),
                    _ => default,
                };
                // Without it nothing is remembered of deltas.
                if path[0] == "delta" {
                    with["delta"] = "accumulate".into();
                }
                let read = Config::read(&with.to_string()).unwrap();
                match path[0] {
                    // What is taken may be older than what is sent.
                    "max_sample_age_ms" => {
                        assert_eq!(read.translation.limits.max_age_ms, usual.translation.limits.max_age_ms);
                    }
                    _ => assert_eq!(read, usual, "{path:?}"),
                }
                named += 1;
            }
            assert!(named > 20, "{named}");
        }
    }

    /// The defaults of all options, and of those in sections.
    fn defaults<'s>(schema: &'s serde_json::Value, profile: &str) -> Vec<(Vec<&'s str>, serde_json::Value)> {
        let default = |property: &serde_json::Value| {
            property.get("default").or(property["x-default-by-profile"].get(profile)).cloned()
        };
        let properties =
            |schema: &'s serde_json::Value| schema["properties"].as_object().into_iter().flatten();
        let mut found = Vec::new();
        for (name, property) in properties(schema) {
            found.extend(default(property).map(|default| (vec![name.as_str()], default)));
            for (part, property) in properties(property) {
                found.extend(default(property).map(|default| (vec![name.as_str(), part.as_str()], default)));
            }
        }
        found
    }
}
