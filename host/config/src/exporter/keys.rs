//! The keys of `exporters.prometheusremotewrite` and of the sections in it.

use crate::keys::{Harmless, Key, ignored, not_yet, read};

/// The keys of the Collector's exporter.
pub(super) const EXPORTER: &[Key] = &[
    read("http"),
    read("namespace"),
    read("external_labels"),
    read("add_metric_suffixes"),
    read("translation_strategy"),
    read("resource_to_telemetry_conversion"),
    read("resource_constant_labels"),
    read("target_info"),
    read("disable_scope_info"),
    read("scope_info"),
    read("export_created_metric"),
    read("send_metadata"),
    read("protobuf_message"),
    read("max_batch_size_bytes"),
    read("max_batch_request_parallelism"),
    read("remote_write_queue"),
    read("sending_queue"),
    read("retry_on_failure"),
    read("wal"),
    not_yet("include_metadata_keys", Harmless::Empty),
    read("convert_explicit_histograms_to_nhcb"),
    read("keep_classic_histograms"),
];

/// The keys that only preamp has.
pub(super) const PREAMP: &[Key] = &[
    read("profile"),
    read("exemplars"),
    read("exponential_histograms"),
    read("delta"),
    read("delta_max_series"),
    read("delta_max_idle"),
    read("delta_state_file"),
    read("metadata_interval"),
    read("max_queue_bytes"),
    read("min_free_disk_bytes"),
    read("drop_oldest_on_overflow"),
    read("max_sample_age"),
    read("max_sample_future"),
    read("max_labels_per_series"),
    read("max_labels_bytes"),
];

/// The key that the exporter of old collectors of AWS has beside the others.
pub(super) const ADOT: &[Key] = &[read("aws_auth")];

/// The keys of the HTTP client, which stand beside the exporter's own, or under `http`.
pub(super) const CLIENT: &[Key] = &[
    read("endpoint"),
    read("timeout"),
    read("headers"),
    read("auth"),
    read("tls"),
    read("compression"),
    ignored("compression_params", "remote write knows one compression only"),
    read("proxy_url"),
    not_yet("middlewares", Harmless::Empty),
    read("max_idle_conns"),
    read("max_idle_conns_per_host"),
    ignored("max_conns_per_host", "each consumer of the queue has one connection at most: see num_consumers"),
    read("idle_conn_timeout"),
    read("disable_keep_alives"),
    read("http2_read_idle_timeout"),
    read("http2_ping_timeout"),
    read("force_attempt_http2"),
    ignored("read_buffer_size", "preamp sizes its buffers itself"),
    ignored("write_buffer_size", "preamp sizes its buffers itself"),
    ignored("cookies", "a remote-write receiver sets none"),
];

pub(super) const AUTH: &[Key] = &[read("authenticator")];

pub(super) const HEADER: &[Key] = &[read("name"), read("value")];

pub(super) const SWITCH: &[Key] = &[read("enabled")];

pub(super) const RESOURCE_LABELS: &[Key] = &[read("enabled"), read("exclude_service_attributes")];

pub(super) const CONSTANT_LABELS: &[Key] = &[read("included"), read("excluded")];

pub(super) const RETRY: &[Key] = &[
    read("enabled"),
    read("initial_interval"),
    read("randomization_factor"),
    read("multiplier"),
    read("max_interval"),
    read("max_elapsed_time"),
];

pub(super) const REMOTE_WRITE_QUEUE: &[Key] =
    &[not_yet("enabled", Harmless::Flag(true)), read("queue_size"), read("num_consumers")];

const OWN_LOG: &str = "preamp's log of the queue sizes itself, and leaves nothing until the receiver has it";

pub(super) const WAL: &[Key] = &[
    read("enabled"),
    read("directory"),
    ignored("buffer_size", OWN_LOG),
    ignored("truncate_frequency", OWN_LOG),
    ignored("lag_record_frequency", "preamp_queue_oldest_seconds in its metrics says how far behind it is"),
];

pub(super) const SENDING_QUEUE: &[Key] = &[
    not_yet("enabled", Harmless::Flag(true)),
    read("queue_size"),
    read("num_consumers"),
    read("sizer"),
    read("storage"),
    not_yet("batch", Harmless::Off),
    read("block_on_overflow"),
    read("wait_for_result"),
];
