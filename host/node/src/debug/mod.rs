//! The exporters `debug` and `logging`: they show what comes in.
//!
//! Whoever hands a payload over never waits: each exporter has a thread of its own that reads, words and writes, and a
//! small queue before it. What does not fit there is not shown, which is counted and told. What is shown counts in no
//! ledger, and nothing that goes wrong with it concerns the payload.

mod json;
mod record;
mod sampling;
mod text;
mod writer;

use crate::metrics::{DebugCounts, DebugMetrics};
use crate::processors::Processors;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use preamp_config::{DebugExporter as Settings, LogFormat, Output, Verbosity};
use preamp_contract::Encoding;
use prost::Message as _;
use record::Record;
use sampling::Sampler;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use writer::Writer;

/// The most payloads that wait to be shown, and the most bytes of them.
const WAITING_MAX: usize = 64;
const WAITING_BYTES_MAX: usize = 4 << 20;

/// The largest payload that is shown, in bytes: what is read of it takes many times as much.
const SHOWN_BYTES_MAX: usize = 1 << 20;

/// How often it is looked whether the threads are at their end.
const LOOK: Duration = Duration::from_millis(10);

/// The exporters of a configuration that show what comes in.
#[derive(Default)]
pub struct DebugExporters(Vec<DebugExporter>);

/// One of them, as those see it that hand payloads over.
struct DebugExporter {
    sampler: Sampler,
    waiting_bytes: Arc<AtomicUsize>,
    counts: DebugCounts,
    to: SyncSender<Shown>,
    /// `None` if the system gave none.
    thread: Option<JoinHandle<()>>,
}

/// A payload on its way to be shown.
struct Shown {
    payload: Bytes,
    encoding: Encoding,
}

impl DebugExporters {
    /// Starts them. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(settings: &[Settings], format: LogFormat, metrics: &DebugMetrics) -> Self {
        let shown = settings.iter().filter(|settings| settings.output != Output::Nowhere);
        DebugExporters(shown.map(|settings| DebugExporter::start(settings, format, metrics)).collect())
    }

    /// Hands a payload over to be shown. Never waits.
    pub fn show(&self, payload: &Bytes, encoding: Encoding) {
        self.0.iter().for_each(|exporter| exporter.show(payload, encoding));
    }

    /// Shows what waits, for at most `within`.
    pub fn finish(self, within: Duration) {
        let deadline = Instant::now() + within;
        let end = |DebugExporter { to, thread, .. }| {
            drop(to);
            thread
        };
        let threads: Vec<_> = self.0.into_iter().filter_map(end).collect();
        while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
    }
}

impl fmt::Debug for DebugExporters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugExporters").field("count", &self.0.len()).finish()
    }
}

impl DebugExporter {
    fn start(settings: &Settings, format: LogFormat, metrics: &DebugMetrics) -> Self {
        let (to, from) = sync_channel(WAITING_MAX);
        let counts = metrics.of(&settings.id);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        // The pipeline's memory_limiter has had its say before.
        let processors = preamp_config::Processors { memory_limiter: None, ..settings.processors.clone() };
        let shower = Shower {
            id: settings.id.clone(),
            verbosity: settings.verbosity,
            processors: Processors::start(&processors),
            writer: Writer::new(&settings.output, format),
            waiting_bytes: waiting_bytes.clone(),
            counts: counts.clone(),
            told_dropped: 0,
        };
        let thread = std::thread::Builder::new().name("debug".to_owned()).spawn(move || shower.run(&from));
        let thread = thread.inspect_err(|error| {
            tracing::error!(exporter = settings.id, %error, "no thread for an exporter: it shows nothing");
        });
        DebugExporter {
            sampler: Sampler::new(settings.sampling),
            waiting_bytes,
            counts,
            to,
            thread: thread.ok(),
        }
    }

    fn show(&self, payload: &Bytes, encoding: Encoding) {
        if !self.sampler.takes() {
            return;
        }
        let bytes = payload.len();
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= WAITING_BYTES_MAX
            && self.to.try_send(Shown { payload: payload.clone(), encoding }).is_ok()
        {
            return;
        }
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.counts.dropped();
    }
}

/// What the thread works with.
struct Shower {
    id: String,
    verbosity: Verbosity,
    processors: Processors,
    writer: Writer,
    waiting_bytes: Arc<AtomicUsize>,
    counts: DebugCounts,
    told_dropped: u64,
}

impl Shower {
    fn run(mut self, from: &Receiver<Shown>) {
        while let Ok(Shown { payload, encoding }) = from.recv() {
            let bytes = payload.len();
            self.show(payload, encoding);
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.shown();
            self.tell_of_dropped();
        }
    }

    fn show(&mut self, payload: Bytes, encoding: Encoding) {
        if payload.len() > SHOWN_BYTES_MAX {
            let message = format!("a payload of {} bytes is not shown: it is too large", payload.len());
            return self.writer.write(&Record::new(&self.id, &message));
        }
        // There is room: what the processors add is bounded by them.
        let processed = self.processors.process(payload, encoding, &mut |_| Ok(()));
        let request =
            processed.map_err(|error| error.to_string()).and_then(|payload| read(&payload, encoding));
        match request {
            Ok(request) => {
                self.writer.write(&Record::of_counts(&self.id, text::counts(&request)));
                let body = match self.verbosity {
                    Verbosity::Basic => return,
                    Verbosity::Normal => text::normal(&request),
                    Verbosity::Detailed => text::detailed(&request),
                };
                self.writer.write(&Record::new(&self.id, &body));
            }
            // The component refuses it, with what is wrong and where.
            Err(problem) => {
                let message = format!("a payload cannot be shown: {problem}");
                self.writer.write(&Record::new(&self.id, &message));
            }
        }
    }

    fn tell_of_dropped(&mut self) {
        let dropped = self.counts.dropped_so_far();
        if dropped > self.told_dropped {
            let message = format!(
                "{} payloads were not shown: the output is read too slowly",
                dropped - self.told_dropped
            );
            self.told_dropped = dropped;
            self.writer.write(&Record::new(&self.id, &message));
        }
    }
}

fn read(payload: &[u8], encoding: Encoding) -> Result<ExportMetricsServiceRequest, String> {
    match encoding {
        Encoding::Protobuf => ExportMetricsServiceRequest::decode(payload).map_err(|error| error.to_string()),
        Encoding::Json => json::read(payload).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests;
