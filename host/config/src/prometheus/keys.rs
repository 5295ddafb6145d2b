//! The keys of a Prometheus file that have to do with remote write (Prometheus' `docs/configuration`).

use crate::definition::{Definition, Form, Harmless, Sort, ignored, not_yet};
use crate::view::keys::keys;

/// A key that is taken only where it changes nothing.
const fn not_yet_of_prometheus(name: &'static str, harmless: Harmless) -> Definition {
    not_yet(name, harmless).of_prometheus()
}

const NOT_OURS: &str =
    "preamp takes nothing but `remote_write` and `global.external_labels` from a Prometheus file";

keys! {
    /// The keys of the file.
    pub(super) mod file {
        /// The receivers to send to, of which one is used.
        remote_write: Other,
        /// Settings for all of them.
        global: Sub.of(&[global::TABLE]),
        /// Refused unless `--otlp-only` says that they are left out on purpose: preamp scrapes nothing.
        scrape_configs: Other,
        /// The same.
        scrape_config_files: Other,
    } and [
    ignored("rule_files", NOT_OURS),
    ignored("alerting", NOT_OURS),
    ignored("remote_read", NOT_OURS),
    ignored("storage", NOT_OURS),
    ignored("tracing", NOT_OURS),
    ignored("otlp", NOT_OURS),
    ignored("runtime", NOT_OURS),
    ]
}

const SIZED_OTHERWISE: &str = "preamp's queue counts payloads and bytes, and its requests are as large as the \
                               receiver takes";
const EVERY_ADDRESS: &str = "preamp's client tries the addresses of a name by itself";
const LEAVE_OUT_AUTH: Harmless = Harmless::Off;

keys! {
    /// The keys of `remote_write`.
    pub(super) mod remote_write {
        /// The URL, which becomes `endpoint`.
        url: Other,
        /// The name of the exporter.
        name: Text,
        /// Becomes `timeout`.
        remote_timeout: Other,
        /// Becomes `headers`.
        headers: Other,
        /// Becomes the extension `sigv4auth`.
        sigv4: Sub.of(&[sigv4::TABLE]),
        /// Becomes the extension `basicauth`.
        basic_auth: Sub.of(&[basic_auth::TABLE]),
        /// Becomes the extension `bearertokenauth`.
        authorization: Sub.of(&[authorization::TABLE]),
        /// The same, as older files have it.
        bearer_token: Other,
        /// The same with a file.
        bearer_token_file: Other,
        /// Becomes `tls`.
        tls_config: Sub.of(&[tls::TABLE]),
        /// Becomes `proxy_url`.
        proxy_url: Other,
        /// Becomes `protobuf_message`.
        protobuf_message: Other,
        /// Becomes `exemplars`.
        send_exemplars: Other,
        /// Becomes the queue and the retries.
        queue_config: Sub.of(&[queue::TABLE]),
        /// Becomes `send_metadata` and `metadata_interval`.
        metadata_config: Sub.of(&[metadata::TABLE]),
    } and [ignored("proxy_from_environment", "the proxy of the environment is used anyway"),
    not_yet_of_prometheus("no_proxy", Harmless::Empty),
    not_yet_of_prometheus("proxy_connect_header", Harmless::Empty),
    not_yet_of_prometheus("http_headers", Harmless::Empty),
    ignored("enable_http2", "preamp offers HTTP/2 and HTTP/1.1"),
    ignored("follow_redirects", "preamp follows none"),
    ignored("round_robin_dns", EVERY_ADDRESS),
    not_yet_of_prometheus("oauth2", LEAVE_OUT_AUTH),
    not_yet_of_prometheus("azuread", LEAVE_OUT_AUTH),
    not_yet_of_prometheus("google_iam", LEAVE_OUT_AUTH),
    ignored(
        "send_native_histograms",
        "exponential histograms are sent as native ones; see exponential_histograms",
    ),
    // Relabelling changes the data.
    not_yet_of_prometheus("write_relabel_configs", Harmless::Empty),
    ]
}

keys! {
    /// The keys of `basic_auth`.
    pub(super) mod basic_auth {
        /// Becomes `username`.
        username: Other,
        /// Becomes `username_file`.
        username_file: Other,
        /// Becomes `password`.
        password: Other,
        /// Becomes `password_file`.
        password_file: Other,
    } and [not_yet_of_prometheus("username_ref", Harmless::Empty),
    not_yet_of_prometheus("password_ref", Harmless::Empty),
    ]
}

keys! {
    /// The keys of `authorization`.
    pub(super) mod authorization {
        /// Becomes `token`.
        credentials: Other,
        /// Becomes `filename`.
        credentials_file: Other,
    } and [TYPE, not_yet_of_prometheus("credentials_ref", Harmless::Empty)]
}

/// How `authorization` is shown; a keyword of Rust, and so no name of a key.
pub(super) const TYPE: Definition = Definition::new("type", Form::Text(Sort::Plain), "Becomes `scheme`.");

keys! {
    /// The keys of `global`.
    pub(super) mod global {
        /// Becomes `external_labels`.
        external_labels: Other,
    } and [ignored("scrape_interval", NOT_OURS),
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
    ]
}

keys! {
    /// The keys of `sigv4`.
    pub(super) mod sigv4 {
        /// Becomes `region`.
        region: Other,
        /// Becomes `access_key`.
        access_key: Other,
        /// Becomes `secret_key`.
        secret_key: Other,
        /// Becomes `profile`.
        profile: Other,
        /// Becomes `assume_role.arn`.
        role_arn: Other,
        /// Becomes `assume_role.external_id`.
        external_id: Other,
        /// Becomes `use_fips_sts_endpoint`.
        use_fips_sts_endpoint: Other,
        /// Becomes `service`.
        service_name: Other,
    }
}

keys! {
    /// The keys of `tls_config`.
    pub(super) mod tls {
        /// Becomes `ca_file`.
        ca_file: Other,
        /// Becomes `ca_pem`.
        ca: Other,
        /// Becomes `cert_file`.
        cert_file: Other,
        /// Becomes `cert_pem`.
        cert: Other,
        /// Becomes `key_file`.
        key_file: Other,
        /// Becomes `key_pem`.
        key: Other,
        /// Becomes `server_name_override`.
        server_name: Other,
        /// Becomes `insecure_skip_verify`.
        insecure_skip_verify: Other,
        /// Becomes `min_version`.
        min_version: Other,
        /// Becomes `max_version`.
        max_version: Other,
    } and [not_yet_of_prometheus("ca_ref", Harmless::Empty),
    not_yet_of_prometheus("cert_ref", Harmless::Empty),
    not_yet_of_prometheus("key_ref", Harmless::Empty),
    ]
}

keys! {
    /// The keys of `queue_config`.
    pub(super) mod queue {
        /// Becomes `num_consumers`.
        max_shards: Other,
        /// Becomes `initial_interval`.
        min_backoff: Other,
        /// Becomes `max_interval`.
        max_backoff: Other,
        /// Becomes `max_sample_age`.
        sample_age_limit: Other,
    } and [ignored("capacity", SIZED_OTHERWISE),
    ignored("min_shards", "all shards are there from the start"),
    ignored("max_samples_per_send", SIZED_OTHERWISE),
    ignored("batch_send_deadline", "preamp sends what it has at once"),
    ignored("retry_on_http_429", "preamp repeats what was refused with 429, when the receiver says so"),
    ]
}

keys! {
    /// The keys of `metadata_config`.
    pub(super) mod metadata {
        /// Becomes `send_metadata`.
        send: Other,
        /// Becomes `metadata_interval`.
        send_interval: Other,
    } and [ignored("max_samples_per_send", SIZED_OTHERWISE)
    ]
}
