//! Random configurations, of all options that shape what is written.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// The message of remote write 2.0.
pub const MESSAGE_V2: &str = "io.prometheus.write.v2.Request";

/// A value that no metric name and no bound of a histogram has: what an attribute or external label is
/// given whose name a series needs for itself, so that the two can be told apart.
pub const RESERVED_VALUE: &str = "attribute:";

/// The options of a case, as they stand in a configuration; what is absent has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options(pub Map<String, Value>);

impl Options {
    /// Makes options.
    pub fn random(rng: &mut Rng) -> Self {
        let mut options = Self::default();
        if rng.u8(..4) == 0 {
            let namespaces = ["ns", "my.app", "日本", "_", "1ns", "a__b.", "x:y"];
            options.set("namespace", json!(pick(rng, &namespaces)));
        }
        if rng.u8(..3) == 0 {
            options.set("external_labels", external_labels(rng));
        }
        options.set_random_naming(rng);
        if rng.u8(..4) == 0 {
            options.set("target_info", json!({ "enabled": rng.bool() }));
        }
        if rng.u8(..4) == 0 {
            options.set("disable_scope_info", json!(rng.bool()));
        }
        options.set_random_resource_labels(rng);
        if rng.u8(..3) == 0 {
            options.set("send_metadata", json!(rng.bool()));
        }
        if rng.u8(..4) == 0 {
            options.set("convert_explicit_histograms_to_nhcb", json!(true));
            options.set("keep_classic_histograms", json!(rng.bool()));
        }
        if rng.u8(..6) == 0 {
            options.set("keep_identifying_resource_attributes", json!(true));
        }
        // What cuts the output into batches must not show once they are merged.
        if rng.u8(..4) == 0 {
            options.set("partitions", json!(rng.u32(1..=5)));
        }
        if rng.u8(..4) == 0 {
            options.set("max_batch_size_bytes", json!(rng.u32(1024..=8192)));
        }
        options
    }

    fn set_random_naming(&mut self, rng: &mut Rng) {
        if rng.bool() {
            self.set("protobuf_message", json!(MESSAGE_V2));
        }
        if rng.u8(..3) == 0 {
            self.set("add_metric_suffixes", json!(rng.bool()));
        }
        if rng.bool() {
            let escaping = ["UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes"];
            let utf8 = ["NoUTF8EscapingWithSuffixes", "NoTranslation"];
            let strategies = if self.is_v2() && rng.bool() { utf8 } else { escaping };
            self.set("translation_strategy", json!(pick(rng, &strategies)));
        }
    }

    fn set_random_resource_labels(&mut self, rng: &mut Rng) {
        match rng.u8(..6) {
            0 => {
                let exclude = rng.bool();
                let conversion = json!({ "enabled": rng.u8(..4) > 0, "exclude_service_attributes": exclude });
                self.set("resource_to_telemetry_conversion", conversion);
            }
            1 => {
                let globs = ["*", "a*", "?", "service.*", "*.b", "a?b", "日*", "host.name", "[a]", "a**b?"];
                let mut some =
                    |most: usize| -> Vec<_> { (0..rng.usize(..=most)).map(|_| pick(rng, &globs)).collect() };
                let labels = json!({ "included": some(2), "excluded": some(2) });
                self.set("resource_constant_labels", labels);
            }
            _ => {}
        }
    }

    /// Sets an option.
    pub fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    /// Whether remote write 2.0 is asked for.
    pub fn is_v2(&self) -> bool {
        self.0.get("protobuf_message").is_some_and(|message| message == MESSAGE_V2)
    }

    /// Whether names keep all characters.
    pub fn allows_utf8(&self) -> bool {
        let strategy = self.0.get("translation_strategy").and_then(Value::as_str).unwrap_or_default();
        matches!(strategy, "NoUTF8EscapingWithSuffixes" | "NoTranslation")
    }

    /// Whether classic histograms become native ones.
    pub fn converts_histograms(&self) -> bool {
        self.0.get("convert_explicit_histograms_to_nhcb") == Some(&Value::Bool(true))
    }

    /// Whether classic histograms are written as such.
    pub fn writes_classic_histograms(&self) -> bool {
        !self.converts_histograms() || self.0.get("keep_classic_histograms") == Some(&Value::Bool(true))
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.0.get("namespace").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether metadata is asked for in remote write 1.0.
    pub fn sends_metadata(&self) -> bool {
        !self.is_v2() && self.0.get("send_metadata") == Some(&Value::Bool(true))
    }

    /// The configuration for an exporter: these options, an endpoint, and no limits of the receiver's,
    /// which the oracle does not know. It sends two values of a series at one time, too.
    pub fn configuration(&self) -> String {
        let mut all = self.0.clone();
        all.insert("endpoint".to_owned(), json!("http://127.0.0.1:9090/api/v1/write"));
        all.insert("profile".to_owned(), json!("prometheus"));
        all.insert("max_sample_future_ms".to_owned(), json!(0));
        all.insert("duplicate_samples".to_owned(), json!("send"));
        Value::Object(all).to_string()
    }
}

/// Names that stay apart once they are sanitised.
fn external_labels(rng: &mut Rng) -> Value {
    let reserved = format!("{RESERVED_VALUE}external");
    let labels = [
        ("cluster", "prod"),
        ("__replica__", "r1"),
        ("job", "external job"),
        ("instance", "external;instance"),
        ("otel_scope_name", "external"),
        ("otel_scope_x", "external"),
        ("a.b", "external"),
        ("1x", "é"),
        ("_foo", "external"),
        ("le", reserved.as_str()),
        ("quantile", reserved.as_str()),
        ("__name__", reserved.as_str()),
    ];
    let chosen = labels.iter().filter(|_| rng.u8(..4) == 0);
    Value::Object(chosen.map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
}

/// One of some things.
pub fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}
