//! The keys of a Prometheus file that have to do with remote write (Prometheus' `docs/configuration`).

use crate::keys::{Harmless, Key, ignored, not_yet, read};

const NOT_OURS: &str =
    "preamp takes nothing but `remote_write` and `global.external_labels` from a Prometheus file";

pub(super) const FILE: &[Key] = &[
    read("remote_write"),
    read("global"),
    ignored("scrape_configs", "preamp scrapes nothing: let an OpenTelemetry SDK or Collector send to it"),
    ignored("scrape_config_files", "preamp scrapes nothing"),
    ignored("rule_files", NOT_OURS),
    ignored("alerting", NOT_OURS),
    ignored("remote_read", NOT_OURS),
    ignored("storage", NOT_OURS),
    ignored("tracing", NOT_OURS),
    ignored("otlp", NOT_OURS),
    ignored("runtime", NOT_OURS),
];

const SIZED_OTHERWISE: &str = "preamp's queue counts payloads and bytes, and its requests are as large as the \
                               receiver takes";
const EVERY_ADDRESS: &str = "preamp's client tries the addresses of a name by itself";
const LEAVE_OUT_AUTH: Harmless = Harmless::Off;

pub(super) const REMOTE_WRITE: &[Key] = &[
    read("url"),
    read("name"),
    read("remote_timeout"),
    read("headers"),
    read("sigv4"),
    read("tls_config"),
    read("proxy_url"),
    ignored("proxy_from_environment", "the proxy of the environment is used anyway"),
    not_yet("no_proxy", Harmless::Empty),
    not_yet("proxy_connect_header", Harmless::Empty),
    not_yet("http_headers", Harmless::Empty),
    ignored("enable_http2", "preamp offers HTTP/2 and HTTP/1.1"),
    ignored("follow_redirects", "preamp follows none"),
    ignored("round_robin_dns", EVERY_ADDRESS),
    not_yet("basic_auth", LEAVE_OUT_AUTH),
    not_yet("authorization", LEAVE_OUT_AUTH),
    not_yet("oauth2", LEAVE_OUT_AUTH),
    not_yet("azuread", LEAVE_OUT_AUTH),
    not_yet("google_iam", LEAVE_OUT_AUTH),
    read("protobuf_message"),
    read("send_exemplars"),
    ignored(
        "send_native_histograms",
        "exponential histograms are sent as native ones; see exponential_histograms",
    ),
    // Relabelling changes the data.
    not_yet("write_relabel_configs", Harmless::Empty),
    read("queue_config"),
    read("metadata_config"),
];

pub(super) const GLOBAL: &[Key] = &[
    read("external_labels"),
    ignored("scrape_interval", NOT_OURS),
    ignored("scrape_timeout", NOT_OURS),
    ignored("scrape_protocols", NOT_OURS),
    ignored("scrape_native_histograms", NOT_OURS),
    ignored("always_scrape_classic_histograms", NOT_OURS),
    ignored("convert_classic_histograms_to_nhcb", NOT_OURS),
    ignored("evaluation_interval", NOT_OURS),
    ignored("rule_query_offset", NOT_OURS),
    ignored("query_log_file", NOT_OURS),
    ignored("scrape_failure_log_file", NOT_OURS),
    ignored("body_size_limit", NOT_OURS),
    ignored("sample_limit", NOT_OURS),
    ignored("label_limit", NOT_OURS),
    ignored("label_name_length_limit", NOT_OURS),
    ignored("label_value_length_limit", NOT_OURS),
    ignored("target_limit", NOT_OURS),
    ignored("keep_dropped_targets", NOT_OURS),
    ignored("metric_name_validation_scheme", NOT_OURS),
    ignored("metric_name_escaping_scheme", NOT_OURS),
    ignored("extra_scrape_metrics", NOT_OURS),
];

pub(super) const SIGV4: &[Key] = &[
    read("region"),
    read("access_key"),
    read("secret_key"),
    read("profile"),
    read("role_arn"),
    read("external_id"),
    read("use_fips_sts_endpoint"),
    read("service_name"),
];

pub(super) const TLS: &[Key] = &[
    read("ca_file"),
    read("ca"),
    read("cert_file"),
    read("cert"),
    read("key_file"),
    read("key"),
    read("server_name"),
    read("insecure_skip_verify"),
    read("min_version"),
    read("max_version"),
    not_yet("ca_ref", Harmless::Empty),
    not_yet("cert_ref", Harmless::Empty),
    not_yet("key_ref", Harmless::Empty),
];

pub(super) const QUEUE: &[Key] = &[
    ignored("capacity", SIZED_OTHERWISE),
    read("max_shards"),
    ignored("min_shards", "all shards are there from the start"),
    ignored("max_samples_per_send", SIZED_OTHERWISE),
    ignored("batch_send_deadline", "preamp sends what it has at once"),
    read("min_backoff"),
    read("max_backoff"),
    ignored("retry_on_http_429", "preamp repeats what was refused with 429, when the receiver says so"),
    read("sample_age_limit"),
];

pub(super) const METADATA: &[Key] =
    &[read("send"), read("send_interval"), ignored("max_samples_per_send", SIZED_OTHERWISE)];
