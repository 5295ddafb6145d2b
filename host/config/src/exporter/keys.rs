//! The keys of `exporters.prometheusremotewrite` and of the sections in it.

use super::delivery::{CONSUMERS_MAX, MULTIPLIER_MAX, QUEUE_BYTES_MAX, QUEUE_BYTES_MIN};
use crate::definition::{Definition, Form, Harmless, OptionForm, Sort, Tables};
use crate::definition::{ignored, not_yet, option, renamed};
use crate::sigv4auth::aws_auth;
use crate::tls;
use crate::view::keys::keys;
use std::time::Duration;

/// The keys that it has by its names of today.
pub(super) const TABLES: Tables = &[client::TABLE, exporter::TABLE, OPTIONS, nested::TABLE];

/// The keys that it has by the name that old collectors of AWS know it by.
pub(super) const ADOT_TABLES: Tables = &[client::TABLE, exporter::TABLE, OPTIONS, nested::TABLE, adot::TABLE];

keys! {
    /// The keys of the exporter that concern the host.
    pub(super) mod exporter {
        /// How many requests are in flight at a time; takes the place of `num_consumers`.
        max_batch_request_parallelism: Count.within(1, CONSUMERS_MAX).says("as `num_consumers`"),
        /// The queue between acceptance and delivery.
        remote_write_queue: Sub.of(&[remote_write_queue::TABLE]),
        /// The same, by the name that other exporters of the Collector have for it. One of the two may stand in a file.
        sending_queue: Sub.of(&[sending_queue::TABLE]),
        /// How failed requests are repeated.
        retry_on_failure: Sub.of(&[retry::TABLE]),
        /// Keeps the queue on disk. It is on where the section stands in the file.
        wal: Sub.of(&[wal::TABLE]),
        /// The most bytes of request bodies that wait. More are refused with a hint when to retry.
        max_queue_bytes: Count.bytes(QUEUE_BYTES_MIN, QUEUE_BYTES_MAX).or_by_queue(256 << 20, 4 << 30).own(),
        /// The queue on disk stops growing when less than this is free. It may overshoot by one segment: 1/32 of
        /// `max_queue_bytes`, at most 16 MiB.
        min_free_disk_bytes: Count.bytes(0, QUEUE_BYTES_MAX).or(0).own(),
        /// Drops the oldest waiting payloads when the queue is full, instead of refusing new ones.
        drop_oldest_on_overflow: Flag.or(false).own(),
        /// Keeps the totals of delta metrics in this file while no process runs. Needs `delta: accumulate`.
        delta_state_file: Text.sort(Sort::Path).own(),
        /// Metadata of incoming requests that the Collector sends on as header fields. Preamp joins payloads of several
        /// requests into one, so it sends none on, and warns. Names that the exporter sets itself are refused.
        include_metadata_keys: Texts,
    }
}

keys! {
    /// Another place for the keys of the client.
    pub(super) mod nested {
        /// The keys of the HTTP client in a section of their own, as newer Collectors have them. `timeout` may stand
        /// in both places.
        http: Sub.of(&[client::TABLE]),
    }
}

keys! {
    /// The key that the exporter of old collectors of AWS has beside the others.
    pub(super) mod adot {
        /// Signs requests, in place of the extension `sigv4auth`.
        aws_auth: Sub.of(&[aws_auth::TABLE]),
    }
}

/// A section that can be switched on and off.
const SWITCH: OptionForm = OptionForm::Section(&[&[option("enabled", OptionForm::Flag)]]);

const RESOURCE_LABELS: &[Definition] =
    &[option("enabled", OptionForm::Flag), option("exclude_service_attributes", OptionForm::Flag)];

const CONSTANT_LABELS: &[Definition] =
    &[option("included", OptionForm::Texts), option("excluded", OptionForm::Texts)];

/// What `delta_state_file` needs.
pub(super) const DELTA: Definition = option("delta", OptionForm::Name).own();

/// What a feature gate of the Collector switches on.
pub(super) const KEEP_IDENTIFYING: Definition =
    option("keep_identifying_resource_attributes", OptionForm::Flag).own();

/// What Amazon Managed Prometheus takes no more of.
pub(super) const MAX_BATCH_SIZE_BYTES: Definition =
    option("max_batch_size_bytes", OptionForm::CountOrDefault);

/// How old samples may be, and what the receiver takes, which the queue needs to know too.
pub(super) const MAX_SAMPLE_AGE: Definition =
    renamed("max_sample_age", "max_sample_age_ms", OptionForm::Milliseconds).own();
pub(super) const PROFILE: Definition = option("profile", OptionForm::Name).own();

/// The options of the translation. They are the component's, which knows their defaults and their meaning.
pub(crate) const OPTIONS: &[Definition] = &[
    option("namespace", OptionForm::Text),
    option("external_labels", OptionForm::Map),
    option("add_metric_suffixes", OptionForm::Flag),
    option("translation_strategy", OptionForm::Name),
    option("resource_to_telemetry_conversion", OptionForm::Section(&[RESOURCE_LABELS])),
    option("resource_constant_labels", OptionForm::Section(&[CONSTANT_LABELS])),
    option("target_info", SWITCH),
    option("disable_scope_info", OptionForm::Flag),
    // The Collector's name from before scope labels; the component has the name of the series.
    renamed("scope_info", "otel_scope_info", SWITCH),
    option("export_created_metric", SWITCH),
    option("send_metadata", OptionForm::Flag),
    option("protobuf_message", OptionForm::Name),
    MAX_BATCH_SIZE_BYTES,
    option("convert_explicit_histograms_to_nhcb", OptionForm::Flag),
    option("keep_classic_histograms", OptionForm::Flag),
    PROFILE,
    option("label_names", OptionForm::Name).own(),
    KEEP_IDENTIFYING,
    option("duplicate_samples", OptionForm::Name).own(),
    option("exemplars", OptionForm::Flag).own(),
    option("exponential_histograms", OptionForm::Name).own(),
    DELTA,
    option("delta_max_series", OptionForm::Count).own(),
    renamed("delta_max_idle", "delta_max_idle_ms", OptionForm::Milliseconds).own(),
    renamed("metadata_interval", "metadata_interval_ms", OptionForm::Milliseconds).own(),
    MAX_SAMPLE_AGE,
    renamed("max_sample_future", "max_sample_future_ms", OptionForm::Milliseconds).own(),
    option("max_labels_per_series", OptionForm::Count).own(),
    option("max_labels_bytes", OptionForm::Count).own(),
];

/// The compressions that a Collector knows. Remote write has one.
const COMPRESSIONS: &[&str] =
    &["snappy", "", "none", "gzip", "zlib", "deflate", "zstd", "x-snappy-framed", "lz4"];

keys! {
    /// The keys of the HTTP client, which stand beside the exporter's own, or under `http`.
    pub(super) mod client {
        /// The full URL for remote write. For AMP:
        /// `https://aps-workspaces.REGION.amazonaws.com/workspaces/WORKSPACE/api/v1/remote_write`. A user in it is sent as
        /// basic authentication.
        endpoint: Text.sort(Sort::Url).required(),
        /// How long one attempt may take.
        timeout: Time.or(Duration::from_secs(5)),
        /// Further header fields for each request. Those that the exporter sets itself are refused; `Authorization` is one of
        /// them only where requests are signed, or an extension authenticates.
        headers: Other.form(Form::Headers(&[header::TABLE])),
        /// How requests are authenticated.
        auth: Sub.of(&[authenticator::TABLE]),
        /// TLS towards the receiver. The scheme of the URL decides whether it is used.
        tls: Sub.of(tls::CLIENT),
        /// Remote write is always compressed with snappy; other values are taken with a warning.
        compression: Choice.among(COMPRESSIONS).or("snappy"),
        /// An HTTP proxy, `http://HOST:PORT`.
        proxy_url: Text.sort(Sort::Url).says("from `HTTPS_PROXY` and `NO_PROXY`"),
        /// The most idle connections that are kept; 0 sets no limit.
        max_idle_conns: Count.within(0, u32::MAX as i64).or(0),
        /// The same. All connections lead to one host, so the smaller of the two counts.
        max_idle_conns_per_host: Count.within(0, u32::MAX as i64).or(0),
        /// How long an idle connection is kept; 0 keeps it until the other side closes it. Receivers and load balancers
        /// often close them after a minute.
        idle_conn_timeout: Time.or(Duration::from_secs(50)),
        /// Keeps no idle connection.
        disable_keep_alives: Flag.or(false),
        /// HTTP/2: after so long without a frame the connection is tested with a ping; 0 sends none.
        http2_read_idle_timeout: Time.or(Duration::ZERO),
        /// HTTP/2: how long the answer to a ping may take; 0 means the default.
        http2_ping_timeout: Time.or(Duration::from_secs(15)),
        /// Offers HTTP/2.
        force_attempt_http2: Flag.or(true),
    } and [
        ignored("compression_params", "remote write knows one compression only"),
        not_yet("middlewares", Harmless::Empty),
        ignored(
            "max_conns_per_host",
            "each consumer of the queue has one connection at most: see num_consumers",
        ),
        ignored("read_buffer_size", "preamp sizes its buffers itself"),
        ignored("write_buffer_size", "preamp sizes its buffers itself"),
        ignored("cookies", "a remote-write receiver sets none"),
    ]
}

keys! {
    /// The key of `auth` of the client.
    pub(super) mod authenticator {
        /// The id of an extension `sigv4auth`, `basicauth` or `bearertokenauth`.
        authenticator: Text.sort(Sort::Id).required(),
    }
}

keys! {
    /// The keys of a header field in a list.
    pub(crate) mod header {
        /// The name of the field.
        name: Text.required(),
        /// Its value.
        value: Text.sort(Sort::Secret).required(),
    }
}

keys! {
    /// The keys of `retry_on_failure`.
    pub(super) mod retry {
        /// Repeats failed requests.
        enabled: Flag.or(true),
        /// The first pause.
        initial_interval: Time.or(Duration::from_millis(50)),
        /// A pause is stretched by a random part of itself up to this.
        randomization_factor: Number.within(0.0, 1.0).or(0.5),
        /// Each further pause is the last one times this.
        multiplier: Number.within(0.0, MULTIPLIER_MAX).or(1.5),
        /// The longest pause.
        max_interval: Time.or(Duration::from_secs(30)),
        /// A batch is dropped after this long; 0 never drops one.
        max_elapsed_time: Time.or_by_queue(Duration::from_secs(5 * 60), Duration::ZERO),
    }
}

keys! {
    /// The keys of `remote_write_queue`.
    pub(super) mod remote_write_queue {
        /// The most payloads that wait. More are refused with a hint when to retry. Left out, the bytes of the queue
        /// (`max_queue_bytes`) or its memory are used up first.
        queue_size: Count.within(1, QUEUE_BYTES_MAX).or_by_queue(1_000_000, 100_000_000),
        /// The most requests in flight.
        num_consumers: Count.within(1, CONSUMERS_MAX).or(5),
    } and [not_yet("enabled", Harmless::Flag(true))]
}

/// What `queue_size` counts.
pub(super) const SIZERS: &[&str] = &["requests", "items", "bytes"];

keys! {
    /// The keys of `sending_queue`.
    pub(super) mod sending_queue {
        /// The most that waits, in the unit of `sizer`. More is refused with a hint when to retry. Left out, the bytes of
        /// the queue (`max_queue_bytes`) or its memory are used up first.
        queue_size: Count.within(1, QUEUE_BYTES_MAX).or_by_queue(1_000_000, 100_000_000),
        /// The most requests in flight.
        num_consumers: Count.within(1, CONSUMERS_MAX).or(10),
        /// What `queue_size` counts: payloads, points or bytes.
        sizer: Choice.among(SIZERS).or("requests"),
        /// The id of an extension `file_storage` or `nats` that keeps the queue.
        storage: Text.sort(Sort::Id).says("in memory"),
        /// Keeps senders waiting when the queue is full, instead of refusing their payloads.
        block_on_overflow: Flag.or(false),
        /// Answers senders when their payload is delivered, not when it is queued.
        wait_for_result: Flag.or(false),
    } and [not_yet("enabled", Harmless::Flag(true)), not_yet("batch", Harmless::Off)]
}

const OWN_LOG: &str = "preamp's log of the queue sizes itself, and leaves nothing until the receiver has it";

keys! {
    /// The keys of `wal`.
    pub(super) mod wal {
        /// Keeps the queue on disk.
        enabled: Flag.or(true),
        /// The directory of the queue. Each exporter has a folder of its own in it.
        directory: Text.sort(Sort::Path).or("prom_rw"),
    } and [
        ignored("buffer_size", OWN_LOG),
        ignored("truncate_frequency", OWN_LOG),
        ignored("lag_record_frequency", "preamp_queue_oldest_seconds in its metrics says how far behind it is"),
    ]
}
