//! An exporter that sends nothing: what `translate` and `diff` give captured payloads to. It is
//! configured and called as in `run`, up to the queue.

use super::environment;
use super::validate::in_file;
use crate::capture::{PAYLOAD_BYTES_MAX, Payload};
use crate::embedded;
use preamp_base::Clock;
use preamp_base::printable;
use preamp_config::{ExporterSettings, FeatureGates, Loaded, SigV4, Source};
use preamp_contract::{Acceptance, Batch, BatchError, Refusal, Request};
use preamp_wasm::{CallError, Component, ExporterPool, PoolLimits};
use serde_json::{Map, Value};
use std::io::Write as _;
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Stands for the receiver where no configuration names one; its host brings AMP's limits.
const ENDPOINT: &str =
    "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-EXAMPLE/api/v1/remote_write";

/// What an exporter is configured with, to be changed where a command needs something else.
pub(super) struct Configuration {
    options: Map<String, Value>,
    /// Where it comes from, for problems that the component finds.
    loaded: Option<Loaded<ExporterSettings>>,
}

impl Configuration {
    /// Reads a file: the exporter of that id, or the one that `run` would use. Without a file, the
    /// defaults for AMP. `now` is the time at which payloads are taken; without one their age
    /// is not looked at.
    pub(super) fn read(
        file: Option<&Path>,
        exporter: Option<&str>,
        now: Option<u64>,
        feature_gates: FeatureGates,
    ) -> anyhow::Result<Configuration> {
        // Nothing is received here, so it does not matter whether somebody scrapes.
        let request = file.map(|file| preamp_config::Request {
            otlp_only: true,
            feature_gates: feature_gates.clone(),
            ..preamp_config::Request::from(Source::File(file.to_owned()))
        });
        let loaded = match (request, exporter) {
            (None, _) => None,
            (Some(request), Some(id)) => Some(preamp_config::load_exporter(&request, id, &environment)?),
            (Some(request), None) => {
                Some(preamp_config::load(&request, &environment)?.map(|settings| settings.exporter))
            }
        };
        let options = match &loaded {
            Some(loaded) => serde_json::from_str(&loaded.settings.component_json)?,
            None => {
                let usual = [("endpoint", ENDPOINT.into()), ("digest", false.into())];
                let gates = feature_gates.options().map(|option| (option, Value::Bool(true)));
                usual.into_iter().chain(gates).map(|(name, value)| (name.to_owned(), value)).collect()
            }
        };
        let mut configuration = Configuration { options, loaded };
        // A capture may be of any size and age, unlike a request; and series come in the order of the
        // payload, in as few bodies as can be, if no worker waits for them.
        configuration.set("max_payload_bytes", PAYLOAD_BYTES_MAX);
        configuration.set("partitions", 1);
        if now.is_none() {
            configuration.set("max_sample_age_ms", 0);
            configuration.set("max_sample_future_ms", 0);
        }
        for warning in configuration.loaded.iter().flat_map(|loaded| &loaded.warnings) {
            writeln!(printable::stderr(), "warning: {warning}")?;
        }
        Ok(configuration)
    }

    /// Sets an option of the component.
    pub(super) fn set(&mut self, option: &str, value: impl Into<Value>) {
        self.options.insert(option.to_owned(), value.into());
    }

    /// The same without what an operator may want to keep to himself: header fields and signing.
    pub(super) fn public(&self) -> Configuration {
        let mut options = self.options.clone();
        options.remove("headers");
        options.remove("sigv4");
        Configuration { options, loaded: None }
    }

    /// What requests are signed for.
    pub(super) fn signed_for(&self) -> Option<&SigV4> {
        self.loaded.as_ref()?.settings.sigv4.as_ref()
    }

    /// Opens an exporter of a component that takes all payloads at `now`.
    pub(super) fn open(&self, component: &Component, now: u64) -> anyhow::Result<Offline> {
        let limits = PoolLimits {
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            // One instance for all payloads, so that what the exporter remembers of earlier ones stays.
            recycle_above_bytes: usize::MAX,
            parallel_calls: 1,
            ..PoolLimits::default()
        };
        let options = Value::Object(self.options.clone()).to_string();
        let exporters =
            ExporterPool::open(component, &options, limits).map_err(|error| match &self.loaded {
                Some(loaded) => in_file(error, loaded),
                None => error.into(),
            })?;
        Ok(Offline { exporters, now })
    }
}

/// When payloads are taken: without `--now`, when the command starts.
pub(super) fn taken_at(now: Option<u64>) -> u64 {
    now.unwrap_or_else(|| Clock::system().now())
}

/// The component in the file, or the one built into this program.
pub(super) fn load_component(file: Option<&Path>) -> anyhow::Result<Component> {
    Ok(file.map_or_else(embedded::load, preamp_wasm::load_file)?)
}

/// An open exporter.
pub(super) struct Offline {
    exporters: ExporterPool,
    now: u64,
}

impl Offline {
    /// Translates a payload. The error says why it is none.
    pub(super) async fn accept(&self, payload: &Payload) -> Result<Acceptance, String> {
        match self.exporters.accept(payload.bytes.clone(), payload.encoding, self.now).await {
            Ok(Ok(acceptance)) => Ok(acceptance),
            Ok(Err(refusal)) => Err(refused(refusal)),
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// What the receiver is taken for.
    pub(super) fn profile(&self) -> &str {
        &self.exporters.limits().profile
    }

    /// The head of the request that a batch is sent with.
    pub(super) async fn head(&self, batch: &Batch) -> anyhow::Result<Request> {
        let request = self.exporters.sign(batch.digest_bytes(), batch.protocol, self.now, None).await?;
        request.map_err(|error| anyhow::anyhow!("the component makes no request: {error:?}"))
    }

    /// The series of a batch as text.
    pub(super) async fn explain(&self, batch: Batch) -> anyhow::Result<String> {
        answered(self.exporters.explain(batch).await)
    }

    /// The series of a batch as JSON Lines; the function `inspect` of the contract documents them.
    pub(super) async fn inspect(&self, batch: Batch) -> anyhow::Result<String> {
        answered(self.exporters.inspect(batch).await)
    }
}

fn refused(refusal: Refusal) -> String {
    match refusal {
        Refusal::Malformed(what) => format!("is no OTLP metrics payload: {what}"),
        Refusal::WrongSignal(signal) => format!("holds {signal}: only metrics can be translated"),
        Refusal::TooLarge(limit) => format!("is larger than the {limit} bytes that are taken at once"),
        Refusal::ExpandsTooFar(what) => format!("expands too far: {what}"),
    }
}

/// What the component says about a batch that it made itself.
pub(super) fn answered<T>(answer: Result<Result<T, BatchError>, CallError>) -> anyhow::Result<T> {
    answer?.map_err(|error| anyhow::anyhow!("the component does not read what it wrote: {error:?}"))
}

/// Reads the option `--now`: nanoseconds since the Unix epoch.
pub(super) fn parse_instant(text: &str) -> Result<u64, String> {
    if text == "now" {
        return Ok(Clock::system().now());
    }
    let instant = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "expected a time such as 2026-01-16T12:00:00Z, or `now`".to_owned())?;
    u64::try_from(instant.unix_timestamp_nanos()).map_err(|_| "expected a time from 1970 to 2554".to_owned())
}
