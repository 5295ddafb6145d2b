//! Pushes the metrics of the process, for those whose workspace nobody scrapes for.

use super::StartError;
use crate::delivery::HttpClient;
use crate::intake::{Intake, PayloadOutcome, Transport};
use crate::metrics::{Format, otlp};
use crate::node::Node;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use preamp_base::{LogLimiter, Secret};
use preamp_config::{MetricNames, OtlpProtocol, Push, PushReceiver, PushTarget, Telemetry};
use preamp_contract::{Encoding, Header, Request, Response};
use prost::Message as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

/// The bytes before a message of gRPC: whether it is compressed, and its length.
const GRPC_PREFIX: usize = 5;

/// The pushes of a service.
pub(super) struct Pushes {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Pushes {
    /// Pushes as the settings say, until it is stopped.
    ///
    /// # Errors
    ///
    /// When the TLS of a receiver cannot be used.
    pub(super) fn start(
        settings: &Telemetry,
        node: &Arc<Node>,
        intake: &Arc<Intake>,
    ) -> Result<Self, StartError> {
        let resource = resource(settings);
        let mut pushes = Pushes { stop: CancellationToken::new(), tasks: JoinSet::new() };
        for push in &settings.pushes {
            let target = match &push.to {
                PushTarget::OwnPipeline => Target::OwnPipeline(intake.clone()),
                PushTarget::Receiver(receiver) => Target::Receiver(Box::new(Receiver::new(receiver)?)),
            };
            let Push { interval, timeout, .. } = *push;
            let pusher = Pusher {
                node: node.clone(),
                resource: resource.clone(),
                since: node.clock.now(),
                timeout,
                target,
                log_limiter: LogLimiter::default(),
            };
            pushes.tasks.spawn(pusher.run(interval, pushes.stop.clone()));
        }
        Ok(pushes)
    }

    /// Pushes once more, for so long at most, and ends.
    pub(super) async fn finish(mut self, within: Duration) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(within, all).await.is_err() {
            tracing::warn!("the last values of preamp's own metrics were not pushed in time");
        }
    }
}

/// The attributes of the resource: the usual ones and those of the file.
fn resource(settings: &Telemetry) -> Vec<(String, String)> {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy().into_owned();
    // Two processes of a host have different ports.
    let port = settings.metrics_endpoint.as_ref().and_then(|endpoint| endpoint.rsplit_once(':'));
    let instance = port.map_or_else(|| host.clone(), |(_, port)| format!("{host}:{port}"));
    let usual = [
        ("service.name", "preamp".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance),
    ];
    let is_replaced = |name: &str| settings.resource.iter().any(|(own, _)| own == name);
    let usual = usual.into_iter().filter(|(name, _)| !is_replaced(name));
    let own = settings.resource.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    usual.map(|(name, value)| (name.to_owned(), value)).chain(own).collect()
}

/// Pushes to one place.
struct Pusher {
    node: Arc<Node>,
    resource: Vec<(String, String)>,
    /// When the process began to count.
    since: u64,
    timeout: Duration,
    target: Target,
    log_limiter: LogLimiter,
}

enum Target {
    OwnPipeline(Arc<Intake>),
    Receiver(Box<Receiver>),
}

impl Pusher {
    async fn run(self, interval: Duration, stop: CancellationToken) {
        let mut due = interval_at(Instant::now() + interval, interval);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                () = stop.cancelled() => true,
                _ = due.tick() => false,
            };
            self.push().await;
            if is_last {
                return;
            }
        }
    }

    async fn push(&self) {
        let late =
            || Err(format!("it took longer than {} ms (`periodic.timeout`)", self.timeout.as_millis()));
        let pushed = timeout(self.timeout, self.deliver()).await.unwrap_or_else(|_elapsed| late());
        self.node.metrics().pushes.pushed(pushed.is_ok());
        if let Err(problem) = pushed
            && let Some(not_logged) = self.log_limiter.allow("push", 1)
        {
            tracing::warn!(
                to = self.target.name(),
                problem,
                not_logged,
                "preamp's own metrics were not pushed; the next push has their newest values"
            );
        }
    }

    /// Pushes once; why not, if it was not taken.
    async fn deliver(&self) -> Result<(), String> {
        // Receivers add the suffixes of counters.
        let names = MetricNames { have_type_suffix: true, have_units: false };
        let page = self.node.encode_metrics_as(Format::OpenMetrics, names);
        let span = otlp::Span { since: self.since, now: self.node.clock.now() };
        let payload = otlp::request(&page, &self.resource, span).encode_to_vec();
        match &self.target {
            Target::OwnPipeline(intake) => submit(intake, payload.into()).await,
            Target::Receiver(receiver) => receiver.send(payload).await,
        }
    }
}

impl Target {
    fn name(&self) -> &str {
        match self {
            Target::OwnPipeline(_) => "the pipeline of this file",
            Target::Receiver(receiver) => &receiver.url,
        }
    }
}

async fn submit(intake: &Arc<Intake>, payload: Bytes) -> Result<(), String> {
    let mut share = intake.requests().reserve();
    share.grow(payload.len()).map_err(|full| full.to_string())?;
    match intake.submit(payload, share, Encoding::Protobuf, Transport::Internal).await {
        PayloadOutcome::Accepted => Ok(()),
        PayloadOutcome::Partial { rejected_points, message } => {
            Err(format!("{rejected_points} points rejected: {message}"))
        }
        PayloadOutcome::Refused(refusal) => Err(refusal.to_string()),
        PayloadOutcome::Oversized(why) | PayloadOutcome::Busy(why) => Err(why),
        PayloadOutcome::Failed(error) => Err(error.to_string()),
    }
}

/// A receiver of OTLP.
struct Receiver {
    url: String,
    protocol: OtlpProtocol,
    headers: Vec<(String, Secret)>,
    is_gzipped: bool,
    client: HttpClient,
}

impl Receiver {
    fn new(settings: &PushReceiver) -> Result<Self, StartError> {
        let PushReceiver { url, protocol, headers, is_gzipped, client } = settings;
        let client = match protocol {
            OtlpProtocol::Http => HttpClient::new(client),
            OtlpProtocol::Grpc => HttpClient::over_http2(client),
        };
        let client = client.map_err(|error| StartError::Tls {
            setting: "service.telemetry.metrics.readers.periodic.exporter.otlp".to_owned(),
            error,
        })?;
        let (protocol, is_gzipped) = (*protocol, *is_gzipped);
        Ok(Receiver { url: url.clone(), protocol, headers: headers.clone(), is_gzipped, client })
    }

    async fn send(&self, payload: Vec<u8>) -> Result<(), String> {
        let body =
            if self.is_gzipped { gzipped(&payload).map_err(|error| error.to_string())? } else { payload };
        let exchange = match self.protocol {
            OtlpProtocol::Http => {
                let compressed = self.is_gzipped.then_some(("content-encoding", "gzip"));
                let head =
                    self.head([("content-type", "application/x-protobuf")].into_iter().chain(compressed));
                self.client.send(head, body.into()).await
            }
            OtlpProtocol::Grpc => {
                let compressed = self.is_gzipped.then_some(("grpc-encoding", "gzip"));
                let fields = [("content-type", "application/grpc"), ("te", "trailers")];
                let head = self.head(fields.into_iter().chain(compressed));
                self.client.send(head, framed(&body, self.is_gzipped)?.into()).await
            }
        };
        judge(self.protocol, &exchange.response)
    }

    fn head<'f>(&'f self, fields: impl Iterator<Item = (&'f str, &'f str)>) -> Request {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.expose()));
        let field = |(name, value): (&str, &str)| Header { name: name.to_owned(), value: value.to_owned() };
        Request {
            method: "POST".into(),
            url: self.url.clone(),
            headers: fields.chain(own).map(field).collect(),
        }
    }
}

/// Whether a receiver took all of it, by OTLP's specification ("OTLP/HTTP response", "Partial success"); why not, if not.
fn judge(protocol: OtlpProtocol, response: &Response) -> Result<(), String> {
    let body = response.body.as_slice();
    let is_success = StatusCode::from_u16(response.status).is_ok_and(|status| status.is_success());
    if response.status == 0 {
        return Err(String::from_utf8_lossy(body).into_owned());
    }
    if !is_success {
        let text = String::from_utf8_lossy(body);
        return Err(format!("answered {}: {text}", response.status));
    }
    let body = match protocol {
        OtlpProtocol::Http => body,
        OtlpProtocol::Grpc => {
            let field = |name: &str| {
                let header = response.headers.iter().find(|header| header.name == name);
                header.map(|header| header.value.as_str())
            };
            match field("grpc-status") {
                Some("0") => body.get(GRPC_PREFIX..).unwrap_or_default(),
                Some(status) => {
                    let text = field("grpc-message").unwrap_or_default();
                    return Err(format!("answered with the gRPC status {status}: {text}"));
                }
                None => {
                    return Err("answered without a gRPC status: is this a receiver of OTLP/gRPC?".to_owned());
                }
            }
        }
    };
    // Whatever else stands there says nothing about the points.
    let answer = ExportMetricsServiceResponse::decode(body).unwrap_or_default();
    match answer.partial_success {
        Some(partial) if partial.rejected_data_points > 0 => {
            Err(format!("{} points rejected: {}", partial.rejected_data_points, partial.error_message))
        }
        _ => Ok(()),
    }
}

fn gzipped(payload: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(payload)?;
    encoder.finish()
}

/// A message of gRPC (PROTOCOL-HTTP2, "Length-Prefixed-Message").
fn framed(message: &[u8], is_compressed: bool) -> Result<Vec<u8>, String> {
    let length = u32::try_from(message.len()).map_err(|error| error.to_string())?;
    let mut frame = Vec::with_capacity(GRPC_PREFIX + message.len());
    frame.push(u8::from(is_compressed));
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    Ok(frame)
}
