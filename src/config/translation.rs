//! The options that decide what series come of what metrics. They bear the names of the Collector's
//! exporter where it has them.

use super::reader::{self, Reader};
use super::{Profile, Protocol};

/// Which resource attributes become labels of every series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceLabels {
    /// Only `job` and `instance`.
    Identity,
    /// All of them.
    All,
    /// All but service.name, service.instance.id and service.namespace.
    AllButService,
    /// Those whose key matches a pattern of the first list, or any if that is empty, and none of the
    /// second. `*` stands for any text, `?` for any one character.
    Matching {
        /// Patterns of the keys wanted.
        included: Vec<String>,
        /// Patterns of the keys left out all the same.
        excluded: Vec<String>,
    },
}

/// How names are made to fit Prometheus (`translation_strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameStyle {
    /// Characters other than those of the classic Prometheus names become underscores.
    pub escape: bool,
    /// Metric names get their unit, and `_total` or `_ratio`.
    pub suffixes: bool,
}

/// How an attribute key becomes the name of a label (`translation_strategy`, `label_names`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelStyle {
    /// As the Collector does today: characters other than those of classic Prometheus names become underscores,
    /// each one.
    Escaped,
    /// As the Collector did until contrib v0.156: runs of them become one underscore, and `key` stands before one
    /// in front.
    Contrib156,
    /// As it is.
    Utf8,
}

/// What exponential histograms become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExponentialPolicy {
    /// A native histogram.
    pub native: bool,
    /// Classic buckets.
    pub classic: bool,
}

/// What classic histograms become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassicPolicy {
    /// Series for buckets, sum and count.
    pub classic: bool,
    /// A native histogram with custom buckets.
    pub custom_buckets: bool,
}

/// How delta metrics are made cumulative, and the bounds of the state that takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaState {
    /// How many series are kept.
    pub max_series: usize,
    /// For how long a series without new points is kept, in milliseconds.
    pub max_idle_ms: u64,
}

/// Points that a receiver is known to refuse. `None` means that there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointLimits {
    /// The greatest age of a point that is taken, in milliseconds.
    pub max_age_ms: Option<u64>,
    /// The greatest age of a queued sample that is worth sending, in milliseconds.
    pub max_age_sent_ms: Option<u64>,
    /// How far ahead of now a point may be, in milliseconds.
    pub max_future_ms: Option<u64>,
    /// The most labels a series may have, its name among them.
    pub max_labels: Option<u64>,
    /// The most bytes all names and values of a series' labels may have.
    pub max_labels_bytes: Option<u64>,
}

/// The options of translation.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// Prefix of every metric name.
    pub namespace: String,
    /// Labels for every series, as configured, in the order of their names.
    pub external_labels: Vec<(String, String)>,
    /// How names are made to fit.
    pub names: NameStyle,
    /// How labels are named.
    pub label_style: LabelStyle,
    /// How the labels in `external_labels` are named.
    pub external_style: LabelStyle,
    /// Whether `target_info` is written for each resource.
    pub target_info: bool,
    /// Whether `target_info` has `service.name`, `service.namespace` and `service.instance.id` as labels, beside
    /// `job` and `instance`.
    pub keeps_identifying: bool,
    /// Whether `otel_scope_*` labels are written.
    pub scope_labels: bool,
    /// Whether `otel_scope_info` is written for each scope.
    pub scope_info: bool,
    /// Which resource attributes become labels.
    pub resource_labels: ResourceLabels,
    /// Whether type, unit and description are sent with remote write 1.0.
    pub send_metadata: bool,
    /// Metadata of a family is sent again after this many milliseconds; 0 sends it with each payload.
    pub metadata_interval_ms: u64,
    /// Whether exemplars are sent.
    pub exemplars: bool,
    /// Whether `_created` series are written.
    pub created: bool,
    /// What classic histograms become.
    pub classic_histograms: ClassicPolicy,
    /// What exponential histograms become.
    pub exponential_histograms: ExponentialPolicy,
    /// How delta metrics are made cumulative; `None` refuses them.
    pub delta: Option<DeltaState>,
    /// Whether the second value of a series at one time is refused.
    pub refuses_duplicates: bool,
    /// What the receiver would refuse.
    pub limits: PointLimits,
}

impl Translation {
    pub(super) fn read(root: &mut Reader, profile: Profile, protocol: Protocol) -> Translation {
        let names = read_names(root, protocol);
        let (label_style, external_style) = read_label_styles(root, names);
        Translation {
            namespace: root.string("namespace").unwrap_or_default(),
            external_labels: read_external_labels(root, external_style),
            names,
            label_style,
            external_style,
            keeps_identifying: root.bool("keep_identifying_resource_attributes").unwrap_or(false),
            refuses_duplicates: root.choice("duplicate_samples", &["refuse", "send"]) != Some("send"),
            target_info: read_enabled(root, "target_info", true),
            scope_labels: !root.bool("disable_scope_info").unwrap_or(false),
            scope_info: read_enabled(root, "otel_scope_info", false),
            resource_labels: read_resource_labels(root),
            send_metadata: root.bool("send_metadata").unwrap_or(false),
            metadata_interval_ms: read_metadata_interval(root, profile),
            exemplars: root.bool("exemplars").unwrap_or(profile.traits().takes_exemplars),
            created: read_enabled(root, "export_created_metric", false),
            classic_histograms: read_classic_policy(root),
            exponential_histograms: read_exponential_policy(root),
            delta: read_delta(root),
            limits: read_limits(root, profile),
        }
    }
}

/// A section that only says whether it is on.
fn read_enabled(root: &mut Reader, key: &str, default: bool) -> bool {
    root.section(key).bool("enabled").unwrap_or(default)
}

/// How labels are named, and those in `external_labels`: these were escaped under every strategy until contrib v0.156.
fn read_label_styles(root: &mut Reader, names: NameStyle) -> (LabelStyle, LabelStyle) {
    let is_old = root.choice("label_names", &["contrib", "contrib-0.156"]) == Some("contrib-0.156");
    match (is_old, names.escape) {
        (false, true) => (LabelStyle::Escaped, LabelStyle::Escaped),
        (false, false) => (LabelStyle::Utf8, LabelStyle::Utf8),
        (true, true) => (LabelStyle::Contrib156, LabelStyle::Contrib156),
        (true, false) => (LabelStyle::Utf8, LabelStyle::Contrib156),
    }
}

fn read_external_labels(root: &mut Reader, style: LabelStyle) -> Vec<(String, String)> {
    let labels = root.string_map("external_labels");
    for (name, value) in &labels {
        let is_named = match style {
            LabelStyle::Escaped => name.bytes().any(|b| b.is_ascii_alphanumeric()),
            LabelStyle::Utf8 => name.bytes().any(|b| b != b'_'),
            LabelStyle::Contrib156 => true,
        };
        if !is_named && !name.is_empty() {
            let path = format!("external_labels/{}", reader::escape(name));
            root.problem(
                &path,
                "would be a label of underscores only: name it with a letter or digit".to_owned(),
            );
        }
        if name.is_empty() || value.is_empty() {
            let path = format!("external_labels/{}", reader::escape(name));
            root.problem(&path, "needs a name and a value that are not empty".to_owned());
        }
    }
    labels
}

fn read_names(root: &mut Reader, protocol: Protocol) -> NameStyle {
    const KEY: &str = "translation_strategy";
    let suffixes = root.bool("add_metric_suffixes").unwrap_or(true);
    let strategies = [
        "UnderscoreEscapingWithSuffixes",
        "UnderscoreEscapingWithoutSuffixes",
        "NoUTF8EscapingWithSuffixes",
        "NoTranslation",
    ];
    let Some(strategy) = root.choice(KEY, &strategies) else {
        return NameStyle { escape: true, suffixes };
    };
    let style = NameStyle {
        escape: strategy.starts_with("Underscore"),
        suffixes: strategy.ends_with("WithSuffixes"),
    };
    if !style.escape && protocol == Protocol::RemoteWriteV1 {
        root.problem(
            KEY,
            format!(
                "{strategy} needs remote write 2.0: set protobuf_message to io.prometheus.write.v2.Request"
            ),
        );
    }
    style
}

fn read_resource_labels(root: &mut Reader) -> ResourceLabels {
    let mut section = root.section("resource_to_telemetry_conversion");
    let enabled = section.bool("enabled").unwrap_or(false);
    let exclude_service = section.bool("exclude_service_attributes").unwrap_or(false);
    drop(section);
    let mut section = root.section("resource_constant_labels");
    let included = section.strings("included");
    let excluded = section.strings("excluded");
    drop(section);
    let is_matching = !included.is_empty() || !excluded.is_empty();
    if enabled && is_matching {
        let message = "cannot be set together with resource_to_telemetry_conversion: keep one of them";
        root.problem("resource_constant_labels", message.to_owned());
    }
    match (enabled, exclude_service) {
        _ if is_matching => ResourceLabels::Matching { included, excluded },
        (false, _) => ResourceLabels::Identity,
        (true, false) => ResourceLabels::All,
        (true, true) => ResourceLabels::AllButService,
    }
}

fn read_metadata_interval(root: &mut Reader, profile: Profile) -> u64 {
    let usual = profile.traits().metadata_interval_ms;
    root.integer("metadata_interval_ms", 0, i64::MAX as u64).unwrap_or(usual)
}

fn read_classic_policy(root: &mut Reader) -> ClassicPolicy {
    let custom_buckets = root.bool("convert_explicit_histograms_to_nhcb").unwrap_or(false);
    let keep = root.bool("keep_classic_histograms").unwrap_or(false);
    ClassicPolicy { classic: !custom_buckets || keep, custom_buckets }
}

fn read_exponential_policy(root: &mut Reader) -> ExponentialPolicy {
    match root.choice("exponential_histograms", &["native", "classic", "both"]) {
        Some("classic") => ExponentialPolicy { native: false, classic: true },
        Some("both") => ExponentialPolicy { native: true, classic: true },
        _ => ExponentialPolicy { native: true, classic: false },
    }
}

fn read_delta(root: &mut Reader) -> Option<DeltaState> {
    const SERIES_MAX: u64 = 10_000_000;
    let mode = root.choice("delta", &["reject", "accumulate"]);
    let max_series = root.integer("delta_max_series", 1, SERIES_MAX).unwrap_or(100_000) as usize;
    let max_idle_ms = root.integer("delta_max_idle_ms", 1, i64::MAX as u64).unwrap_or(300_000);
    (mode == Some("accumulate")).then_some(DeltaState { max_series, max_idle_ms })
}

fn read_limits(root: &mut Reader, profile: Profile) -> PointLimits {
    let usual = profile.traits();
    let mut limit = |key, default: Option<u64>| match root.integer(key, 0, i64::MAX as u64) {
        Some(0) => None,
        Some(limit) => Some(limit),
        None => default,
    };
    PointLimits {
        max_age_ms: limit("max_sample_age_ms", usual.max_age_ms),
        max_age_sent_ms: limit("max_sample_age_ms", usual.max_age_sent_ms),
        max_future_ms: limit("max_sample_future_ms", usual.max_future_ms),
        max_labels: limit("max_labels_per_series", None),
        max_labels_bytes: limit("max_labels_bytes", None),
    }
}
