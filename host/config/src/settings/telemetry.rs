//! `service.telemetry`: how the process reports on itself.

use super::{ClientSettings, Hosts};
use preamp_base::Secret;
use std::time::Duration;

/// `service.telemetry`.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// The least severe level to log.
    pub log_level: tracing::Level,
    /// How a log line looks.
    pub log_format: LogFormat,
    /// `host:port` of `/metrics`; `None` serves none.
    pub metrics_endpoint: Option<String>,
    /// Which names that server is called by.
    pub metrics_hosts: Hosts,
    /// What the Collector's metrics are called there.
    pub metric_names: MetricNames,
    /// Where metrics are pushed.
    pub pushes: Vec<Push>,
    /// The attributes of the resource that pushed metrics are of, beside the usual ones; `None` leaves a usual one out.
    pub resource: Vec<(String, Option<String>)>,
}

/// What is added to the names of the Collector's own metrics. The newest Collector adds nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricNames {
    /// `_total` to counters.
    pub have_type_suffix: bool,
    /// The unit.
    pub have_units: bool,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Console,
    /// One JSON object a line.
    Json,
}

/// A periodic reader: pushes the metrics of the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// How long it is from one push to the next.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// Where they go.
    pub to: PushTarget,
}

/// Where metrics are pushed.
#[derive(Clone, Debug, PartialEq)]
pub enum PushTarget {
    /// Into the metrics pipeline of the same file.
    OwnPipeline,
    /// To a receiver of OTLP.
    Receiver(Box<PushReceiver>),
}

/// A receiver of OTLP that metrics are pushed to.
#[derive(Clone, Debug, PartialEq)]
pub struct PushReceiver {
    /// The URL of each request.
    pub url: String,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// Further header fields, whose values may be secrets.
    pub headers: Vec<(String, Secret)>,
    /// Whether bodies are compressed with gzip.
    pub is_gzipped: bool,
    /// How it is connected to.
    pub client: ClientSettings,
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP.
    Http,
    /// gRPC.
    Grpc,
}
