//! The settings that a configuration file comes to.

mod authorization;
mod debug;
mod nats;
mod processors;
mod senders;
mod serving;
mod telemetry;

pub use authorization::{Authorization, Shown};
pub use debug::{DebugExporter, Output, Sampling, Verbosity};
pub use nats::{Nats, NatsCredentials};
pub use processors::{
    AttributeAction, AttributeKeys, AttributeType, AttributeValue, Batching, Change, MemoryLimit,
    MemoryLimiter, Processors,
};
pub use senders::{Proof, Senders, Tokens};
pub use serving::{Hosts, Serving};
pub use telemetry::{LogFormat, MetricNames, OtlpProtocol, Push, PushReceiver, PushTarget, Telemetry};

use crate::form::KeyNames;
use preamp_base::{Directory, Secret};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A whole configuration: what to listen on, where to deliver, how to report.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The OTLP receiver.
    pub receiver: OtlpReceiver,
    /// What is done in between.
    pub processors: Processors,
    /// The remote-write exporter.
    pub exporter: ExporterSettings,
    /// The exporters that show what comes in.
    pub debug: Vec<DebugExporter>,
    /// Who tells whether the process is well, if anybody does.
    pub health: Option<Health>,
    /// Logs and self-metrics.
    pub telemetry: Telemetry,
}

/// `extensions.health_check` or `extensions.healthcheckv2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// The component id in the file.
    pub id: String,
    /// `host:port`.
    pub endpoint: String,
    /// TLS; `None` takes plain connections.
    pub tls: Option<ServerTls>,
    /// What connections may take.
    pub serving: Serving,
    /// What is answered.
    pub answer: HealthAnswer,
}

/// In which words health is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthAnswer {
    /// Those of `health_check`: whether requests are taken.
    Available {
        /// The path.
        path: String,
        /// The body while they are; `None` for the Collector's JSON.
        healthy: Option<String>,
        /// The body while they are not.
        unhealthy: Option<String>,
    },
    /// Those of `healthcheckv2`: the status of the pipeline.
    Status {
        /// The path.
        path: String,
        /// How long the exporter may be held up before that counts as unhealthy; `None` never does.
        recovery: Option<Duration>,
    },
}

/// `receivers.otlp.protocols`; at least one of the two is there.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpReceiver {
    /// The component id in the file, such as `otlp` or `otlp/edge`.
    pub id: String,
    /// OTLP/gRPC.
    pub grpc: Option<Listener>,
    /// OTLP/HTTP.
    pub http: Option<Listener>,
}

impl OtlpReceiver {
    /// The part of each of its ports in what they share: whoever takes all of it on one port leaves the other alone.
    #[must_use]
    pub fn part_of_port(&self, shared: usize) -> usize {
        shared / self.grpc.iter().chain(&self.http).count().max(1)
    }
}

/// One address that OTLP is taken on.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// `host:port`; port 0 lets the system choose.
    pub endpoint: String,
    /// The largest request taken, in bytes, after decompression too.
    pub max_request_bytes: u64,
    /// HTTP only: the path of the metrics endpoint.
    pub metrics_path: String,
    /// TLS; `None` takes plain connections.
    pub tls: Option<ServerTls>,
    /// What connections may take.
    pub serving: Serving,
    /// Who may send; `None` lets everybody.
    pub senders: Option<Senders>,
}

/// The remote-write exporter, as far as the host is concerned. `Debug` leaves out the component's
/// configuration, whose headers may hold secrets.
#[derive(Clone, PartialEq)]
pub struct ExporterSettings {
    /// The component id in the file, such as `prometheusremotewrite/amp`.
    pub id: String,
    /// The remote-write URL.
    pub endpoint: String,
    /// The configuration of the component: JSON text for its function `open`.
    pub component_json: String,
    /// The HTTP client that sends.
    pub client: ClientSettings,
    /// Retrying.
    pub retry: Retry,
    /// The queue between acceptance and delivery.
    pub queue: Queue,
    /// Signing; `None` sends unsigned.
    pub sigv4: Option<SigV4>,
    /// Where the totals of delta metrics are kept while no process runs.
    pub state_file: Option<PathBuf>,
    /// What its keys are called in the file that it comes from.
    pub key_names: KeyNames,
}

impl fmt::Debug for ExporterSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExporterSettings")
            .field("id", &self.id)
            .field("client", &self.client)
            .field("retry", &self.retry)
            .field("queue", &self.queue)
            .field("sigv4", &self.sigv4)
            .field("state_file", &self.state_file)
            .finish_non_exhaustive()
    }
}

/// `retry_on_failure`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Whether a failed attempt is repeated at all.
    pub enabled: bool,
    /// Jitter: a pause is stretched by a random part of itself up to this, 0 to 1.
    pub randomization_factor: f64,
    /// A batch is given up after this long; `None` never gives up.
    pub max_elapsed_time: Option<Duration>,
}

/// `remote_write_queue`.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// The most OTLP payloads waiting; more are refused with a retry hint.
    pub max_payloads: usize,
    /// The most points waiting; more are refused with a retry hint.
    pub max_points: u64,
    /// The most bytes of bodies waiting; more are refused with a retry hint.
    pub max_bytes: u64,
    /// Whether the file leaves that open, so that a queue in memory takes less where there is less memory.
    pub is_max_bytes_open: bool,
    /// The key of the exporter that holds `queue_size`.
    pub size_key: &'static str,
    /// What has to stay free on the disk, in bytes.
    pub min_free_bytes: u64,
    /// What is done where there is no room for a payload.
    pub on_overflow: Overflow,
    /// Whether senders are answered when their payload is delivered, and not when it is queued.
    pub waits_for_result: bool,
    /// Partitions, each with one request in flight at most.
    pub partitions: u32,
    /// The most requests in flight (`num_consumers`).
    pub consumers: u32,
    /// Where it is kept.
    pub storage: Storage,
}

/// What is done where there is no room for a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It is refused with a hint when to try again.
    #[default]
    Refuse,
    /// Its sender is kept waiting for room.
    Wait,
    /// The oldest that waits is given up for it.
    DropOldest,
}

impl Queue {
    /// The key of the exporter that a limit of the queue comes from, by the name of the limit in metrics, and what it is now;
    /// `None` if it comes from no key.
    #[must_use]
    pub fn key_of_limit(&self, limit: &str) -> Option<(&'static str, u64)> {
        let counts_bytes =
            self.max_payloads as u64 >= i64::MAX.unsigned_abs() && self.max_points >= i64::MAX.unsigned_abs();
        match limit {
            "payloads" => Some((self.size_key, self.max_payloads as u64)),
            "points" => Some((self.size_key, self.max_points)),
            "bytes" if counts_bytes => Some((self.size_key, self.max_bytes)),
            "bytes" => Some(("max_queue_bytes", self.max_bytes)),
            "disk" if self.min_free_bytes > 0 => Some(("min_free_disk_bytes", self.min_free_bytes)),
            _ => None,
        }
    }

    /// The limit that `queue_size` is, in its unit.
    #[must_use]
    pub fn size(&self) -> u64 {
        let payloads = self.max_payloads as u64;
        [payloads, self.max_points]
            .into_iter()
            .find(|limit| *limit < i64::MAX.unsigned_abs())
            .unwrap_or(self.max_bytes)
    }
}

/// Where a queue is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Storage {
    /// In memory, where it ends with the process.
    Memory,
    /// In this directory, for this exporter alone.
    Directory(Directory),
    /// In a stream that several processes share.
    Nats(Box<Nats>),
}

impl Storage {
    /// The directory, if that is where it is kept.
    #[must_use]
    pub fn directory(&self) -> Option<&Directory> {
        match self {
            Self::Directory(directory) => Some(directory),
            Self::Memory | Self::Nats(_) => None,
        }
    }

    /// Whether what waits is still there when the process has ended.
    #[must_use]
    pub fn outlives(&self) -> bool {
        *self != Self::Memory
    }
}

/// What to sign for (`extensions.sigv4auth`).
#[derive(Clone, Debug, PartialEq)]
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

/// The HTTP client of the exporter.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSettings {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// TLS towards the receiver.
    pub tls: ClientTls,
    /// What each request shows of its sender; `None` where it is signed, or shows nothing.
    pub authorization: Option<Authorization>,
    /// The proxy to go through; `None` leaves that to `HTTPS_PROXY` and `NO_PROXY`. It may hold a password.
    pub proxy_url: Option<Secret>,
    /// How connections are kept.
    pub connections: Connections,
}

impl ClientSettings {
    /// What a file comes to that says nothing but how long an attempt may take.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            tls: ClientTls::default(),
            authorization: None,
            proxy_url: None,
            connections: Connections::default(),
        }
    }
}

/// How a client keeps connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// How long an idle one is kept; `None` keeps it until the other side closes it.
    pub idle_timeout: Option<Duration>,
    /// The most idle ones that are kept.
    pub max_idle: usize,
    /// Whether HTTP/2 is offered.
    pub offers_http2: bool,
    /// HTTP/2: after so long without a frame the other side is asked whether it is there.
    pub http2_read_idle_timeout: Option<Duration>,
    /// HTTP/2: how long it may take to answer that.
    pub http2_ping_timeout: Duration,
}

/// `tls` of a client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientTls {
    /// The certificate authorities to trust instead of the system's.
    pub ca: Option<Pem>,
    /// Whether the system's are trusted beside them.
    pub include_system_ca_certs_pool: bool,
    /// Who this side is, for servers that ask.
    pub identity: Option<TlsIdentity>,
    /// The name that the certificate must be for, in place of the URL's.
    pub server_name: Option<String>,
    /// Whether the receiver's certificate goes unchecked.
    pub insecure_skip_verify: bool,
    /// What is spoken.
    pub protocol: TlsProtocol,
}

/// `tls` of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerTls {
    /// Who this side is.
    pub identity: TlsIdentity,
    /// The authorities that clients need a certificate of; `None` takes every client.
    pub client_ca: Option<Pem>,
    /// What is spoken.
    pub protocol: TlsProtocol,
}

/// A certificate and its private key.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsIdentity {
    /// The certificate, and those that lead to its authority.
    pub certificate: Pem,
    /// The private key.
    pub key: Pem,
}

/// Something in PEM.
#[derive(Clone, Debug, PartialEq)]
pub enum Pem {
    /// In a file.
    File(PathBuf),
    /// In the configuration itself.
    Text(Secret),
}

/// Which TLS is spoken.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsProtocol {
    /// The oldest version.
    pub min: TlsVersion,
    /// The newest version.
    pub max: TlsVersion,
    /// Cipher suites by their IANA names; none means all that there are.
    pub cipher_suites: Vec<String>,
}

/// A version of TLS that is spoken at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}
