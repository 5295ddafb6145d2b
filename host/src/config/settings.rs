//! The settings that a configuration file comes to.

use crate::credentials::Secret;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration: what to listen on, where to deliver, how to report.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The OTLP receiver.
    pub receiver: OtlpReceiver,
    /// The remote-write exporter.
    pub exporter: ExporterSettings,
    /// Logs and self-metrics.
    pub telemetry: Telemetry,
}

/// `receivers.otlp.protocols`; at least one of the two is there.
#[derive(Clone, Debug)]
pub struct OtlpReceiver {
    /// The component id in the file, such as `otlp` or `otlp/edge`.
    pub id: String,
    /// OTLP/gRPC.
    pub grpc: Option<Listener>,
    /// OTLP/HTTP.
    pub http: Option<Listener>,
}

/// One address that OTLP is taken on.
#[derive(Clone, Debug)]
pub struct Listener {
    /// `host:port`; port 0 lets the system choose.
    pub endpoint: String,
    /// The largest request taken, in bytes, after decompression too.
    pub max_request_bytes: u64,
    /// HTTP only: the path of the metrics endpoint.
    pub metrics_path: String,
}

/// The remote-write exporter, as far as the host is concerned. `Debug` leaves out the component's
/// configuration, whose headers may hold secrets.
#[derive(Clone)]
pub struct ExporterSettings {
    /// The component id in the file, such as `prometheusremotewrite/amp`.
    pub id: String,
    /// The remote-write URL.
    pub endpoint: String,
    /// The configuration of the component: JSON text for its function `open`.
    pub component_json: String,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Retrying.
    pub retry: Retry,
    /// The queue between acceptance and delivery.
    pub queue: Queue,
    /// Signing; `None` sends unsigned.
    pub sigv4: Option<SigV4>,
    /// TLS towards the receiver.
    pub tls: ClientTls,
    /// Where the totals of delta metrics are kept while no process runs.
    pub state_file: Option<PathBuf>,
}

impl fmt::Debug for ExporterSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExporterSettings")
            .field("id", &self.id)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .field("queue", &self.queue)
            .field("sigv4", &self.sigv4)
            .field("tls", &self.tls)
            .field("state_file", &self.state_file)
            .finish_non_exhaustive()
    }
}

/// `retry_on_failure`.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Whether a failed attempt is repeated at all.
    pub enabled: bool,
    /// Jitter: a pause is stretched by a random part of itself up to this, 0 to 1.
    pub randomization_factor: f64,
    /// A batch is given up after this long; `None` never gives up.
    pub max_elapsed_time: Option<Duration>,
}

/// `remote_write_queue`.
#[derive(Clone, Debug)]
pub struct Queue {
    /// The most OTLP payloads waiting; more are refused with a retry hint.
    pub max_payloads: usize,
    /// The most bytes of bodies waiting; more are refused with a retry hint.
    pub max_bytes: u64,
    /// Partitions, each with one request in flight (`num_consumers`).
    pub partitions: u32,
}

/// What to sign for (`extensions.sigv4auth`).
#[derive(Clone, Debug)]
pub struct SigV4 {
    /// AWS region.
    pub region: String,
    /// AWS service.
    pub service: String,
    /// Where the credentials come from.
    pub credentials: AwsCredentials,
}

/// Where AWS credentials come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The caller's own.
    pub base: BaseCredentials,
    /// The role that the caller takes on, if it does.
    pub assume_role: Option<AssumeRole>,
    /// Whether STS is asked at its FIPS endpoint; otherwise `AWS_USE_FIPS_ENDPOINT` decides.
    pub use_fips_sts_endpoint: bool,
}

/// The caller's own AWS credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BaseCredentials {
    /// The first that is there of environment, profile, web identity, container and instance: the
    /// order of all AWS tools.
    #[default]
    Chain,
    /// This profile of the shared configuration files.
    Profile(String),
    /// A key pair that stands in the file.
    Keys {
        /// The access key id; not a secret.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: Secret,
    },
}

/// A role to assume at the AWS Security Token Service (`assume_role`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// The ARN of the role.
    pub arn: String,
    /// What the session is called in the caller's ARN and in CloudTrail.
    pub session_name: Option<String>,
    /// The region of STS; otherwise that of the signature.
    pub sts_region: Option<String>,
    /// What the role's trust policy may ask for (`sts:ExternalId`).
    pub external_id: Option<String>,
    /// A file with an OIDC token that stands in place of the caller's own credentials.
    pub web_identity_token_file: Option<PathBuf>,
    /// How long the session lasts; otherwise as long as STS sees fit, an hour.
    pub session_duration: Option<Duration>,
    /// How long before its end a session counts as ended.
    pub expiry_window: Duration,
}

/// `exporters.*.tls`.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether the receiver's certificate goes unchecked.
    pub insecure_skip_verify: bool,
}

/// `service.telemetry`.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The least severe level to log.
    pub log_level: tracing::Level,
    /// How a log line looks.
    pub log_format: LogFormat,
    /// `host:port` of `/metrics`; `None` serves none.
    pub metrics_endpoint: Option<String>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Console,
    /// One JSON object a line.
    Json,
}
