//! What went out.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{ByLabel, Latest, add};
use preamp_contract::Batch;
use preamp_queue::{AppendError, PointOutcome};

/// Upper bounds of the request durations, in seconds; those of Prometheus for its own remote write.
const DURATION_BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0];

/// What a batch holds, in what Prometheus counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Samples.
    pub samples: u64,
    /// Native histograms.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
}

impl From<&Batch> for Content {
    fn from(batch: &Batch) -> Self {
        let Batch { samples, histograms, exemplars, .. } = *batch;
        Self { samples: samples.into(), histograms: histograms.into(), exemplars: exemplars.into() }
    }
}

/// One request as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What is in it.
    pub content: Content,
    /// Bytes of its body.
    pub bytes: u64,
    /// 1 for the first time this batch is sent.
    pub number: u32,
}

/// What went out.
#[derive(Debug)]
pub struct DeliveryMetrics {
    sent_points: Counter,
    failed_points: Counter,
    presumed_points: Counter,
    enqueue_failed_points: Counter,
    in_flight: Gauge,
    translated_series: Counter,
    failed_translations: Counter,
    sent_batches: Counter,
    queue_full: ByLabel,
    verdicts: ByLabel,
    held: Gauge,
    held_since: Mutex<Option<Instant>>,
    fallback: Gauge,
    signing_offset: Gauge<f64, AtomicU64>,
    sent: ContentCounters,
    failed: ContentCounters,
    retried: ContentCounters,
    bytes: Counter,
    durations: Histogram,
    highest_accepted: Gauge<f64, AtomicU64>,
    highest_sent: Gauge<f64, AtomicU64>,
    latest: Arc<Latest>,
}

impl DeliveryMetrics {
    pub(super) fn register(registry: &mut Registry, exporter: &str, latest: Arc<Latest>) -> Self {
        let metrics = Self {
            sent_points: Counter::default(),
            failed_points: Counter::default(),
            presumed_points: Counter::default(),
            enqueue_failed_points: Counter::default(),
            in_flight: Gauge::default(),
            translated_series: Counter::default(),
            failed_translations: Counter::default(),
            sent_batches: Counter::default(),
            queue_full: ByLabel::default(),
            verdicts: ByLabel::default(),
            held: Gauge::default(),
            held_since: Mutex::default(),
            fallback: Gauge::default(),
            signing_offset: Gauge::default(),
            sent: ContentCounters::default(),
            failed: ContentCounters::default(),
            retried: ContentCounters::default(),
            bytes: Counter::default(),
            durations: Histogram::new(DURATION_BOUNDS),
            highest_accepted: Gauge::default(),
            highest_sent: Gauge::default(),
            latest,
        };
        metrics.register_collector_names(registry, exporter);
        metrics.register_remote_storage_names(registry, exporter);
        metrics.register_own_names(registry, exporter);
        metrics
    }

    fn register_collector_names(&self, registry: &mut Registry, exporter: &str) {
        let registry = labelled(registry, "otelcol_exporter", "exporter", exporter);
        registry.register("sent_metric_points", "Points the receiver stored", self.sent_points.clone());
        registry.register(
            "send_failed_metric_points",
            "Points the receiver refused for good, at least in part, or that were given up",
            self.failed_points.clone(),
        );
        registry.register(
            "enqueue_failed_metric_points",
            "Points that were refused because the queue was full or closed",
            self.enqueue_failed_points.clone(),
        );
        for (name, help, counter) in [
            ("translated_time_series", "Series that payloads became", &self.translated_series),
            (
                "failed_translations",
                "Payloads with points that cannot become series",
                &self.failed_translations,
            ),
            ("sent_batches", "Requests sent", &self.sent_batches),
        ] {
            registry.register(format!("prometheusremotewrite_{name}"), help, counter.clone());
        }
        let help = "Requests without an answer yet";
        let registry = registry.sub_registry_with_label(("data_type".into(), "metrics".into()));
        registry.register("in_flight_requests", help, self.in_flight.clone());
    }

    fn register_remote_storage_names(&self, registry: &mut Registry, exporter: &str) {
        let registry = labelled(registry, "prometheus_remote_storage", "remote_name", exporter);
        self.sent.register(registry, "", "sent, each attempt counted");
        self.failed.register(registry, "_failed", "that will not be sent again");
        self.retried.register(registry, "_retried", "that were sent again");
        registry.register("bytes", "Bytes of bodies sent, compressed", self.bytes.clone());
        registry.register(
            "sent_batch_duration_seconds",
            "Time from request to answer",
            self.durations.clone(),
        );
        registry.register(
            "queue_highest_timestamp_seconds",
            "The newest sample queued, as seconds since the epoch",
            self.highest_accepted.clone(),
        );
        registry.register(
            "highest_timestamp_in_seconds",
            "The newest sample that came in, as seconds since the epoch",
            self.highest_accepted.clone(),
        );
        registry.register(
            "queue_highest_sent_timestamp_seconds",
            "The newest sample delivered, as seconds since the epoch",
            self.highest_sent.clone(),
        );
    }

    fn register_own_names(&self, registry: &mut Registry, exporter: &str) {
        let registry = labelled(registry, "preamp", "exporter", exporter);
        // Whoever watches for the first one needs to have seen none.
        for limit in AppendError::LIMITS {
            add(&self.queue_full, "limit", limit, 0);
        }
        registry.register("queue_full", "Payloads refused, by the limit reached", self.queue_full.clone());
        registry.register("verdicts", "Answers of the receiver, by what they mean", self.verdicts.clone());
        registry.register(
            "presumed_delivered_points",
            "Points taken for delivered because the receiver refused them as repeats of an attempt broken off",
            self.presumed_points.clone(),
        );
        registry.register(
            "partitions_held",
            "Partitions that wait for credentials or a change of the configuration",
            self.held.clone(),
        );
        registry.register(
            "remote_write_fallback",
            "1 once the receiver did not take remote write 2.0 and is sent 1.0, else 0",
            self.fallback.clone(),
        );
        registry.register(
            "signing_offset_seconds",
            "What is added to the local clock when signing",
            self.signing_offset.clone(),
        );
    }

    /// Counts a payload in the queue that became as many series, the newest sample at `newest` milliseconds.
    pub fn enqueued(&self, series: u64, newest: i64) {
        self.translated_series.inc_by(series);
        raise(&self.highest_accepted, newest);
    }

    /// Counts a payload with points that cannot become series.
    pub fn failed_translation(&self) {
        self.failed_translations.inc();
    }

    /// Counts a payload that the queue refused, and the limit if that was why.
    pub fn enqueue_failed(&self, limit: Option<&str>, points: u64) {
        self.enqueue_failed_points.inc_by(points);
        if let Some(limit) = limit {
            add(&self.queue_full, "limit", limit, 1);
            self.latest.full(limit);
        }
    }

    /// Counts a request that is being sent. It is in flight until the guard is dropped.
    #[must_use]
    pub fn sending(&self, attempt: Attempt) -> Count {
        self.sent.add(attempt.content);
        self.bytes.inc_by(attempt.bytes);
        self.sent_batches.inc();
        if attempt.number > 1 {
            self.retried.add(attempt.content);
        }
        Count::up(&self.in_flight)
    }

    /// Counts an answer, or its absence, by what it means for the batch.
    pub fn answered(&self, verdict: &str, after: Duration) {
        add(&self.verdicts, "verdict", verdict, 1);
        self.durations.observe(after.as_secs_f64());
    }

    /// Counts the end of a batch with as many points, the newest one at `newest` milliseconds.
    pub fn settled(&self, outcome: &PointOutcome, points: u64, content: Content, newest: i64) {
        if *outcome == PointOutcome::Delivered {
            self.sent_points.inc_by(points);
            raise(&self.highest_sent, newest);
        } else {
            self.failed_points.inc_by(points);
            self.failed.add(content);
        }
    }

    /// Counts points that are taken for delivered because the receiver refused them as repeats.
    pub fn presumed_delivered(&self, points: u64) {
        self.presumed_points.inc_by(points);
    }

    /// Counts a partition that is held until the guard is dropped.
    #[must_use]
    pub fn hold(&self) -> Count {
        let mut since = self.held_since.lock().unwrap_or_else(PoisonError::into_inner);
        if self.held.get() == 0 {
            *since = Some(Instant::now());
        }
        Count::up(&self.held)
    }

    /// How long there have been partitions that are held; `None` if there are none.
    pub fn held_for(&self) -> Option<Duration> {
        let since = self.held_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.filter(|_| self.held.get() > 0).map(|since| since.elapsed())
    }

    /// Shows that the receiver takes only remote write 1.0.
    pub fn fell_back(&self) {
        self.fallback.set(1);
    }

    /// Shows the correction of the signing clock, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "a clock is not off by thousands of years")]
    pub fn signing_offset(&self, milliseconds: i64) {
        self.signing_offset.set(milliseconds as f64 / 1_000.0);
    }
}

/// A counter for each kind of what a batch holds.
#[derive(Debug, Default)]
struct ContentCounters {
    samples: Counter,
    histograms: Counter,
    exemplars: Counter,
}

impl ContentCounters {
    fn register(&self, registry: &mut Registry, suffix: &str, help: &str) {
        for (kind, title, counter) in [
            ("samples", "Samples", &self.samples),
            ("histograms", "Native histograms", &self.histograms),
            ("exemplars", "Exemplars", &self.exemplars),
        ] {
            registry.register(format!("{kind}{suffix}"), format!("{title} {help}"), counter.clone());
        }
    }

    fn add(&self, content: Content) {
        self.samples.inc_by(content.samples);
        self.histograms.inc_by(content.histograms);
        self.exemplars.inc_by(content.exemplars);
    }
}

/// One more in a gauge, for as long as it lives.
#[derive(Debug)]
pub struct Count(Gauge);

impl Count {
    fn up(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn labelled<'a>(
    registry: &'a mut Registry,
    prefix: &str,
    name: &'static str,
    value: &str,
) -> &'a mut Registry {
    let label = (Cow::Borrowed(name), Cow::Owned(value.to_owned()));
    registry.sub_registry_with_prefix(prefix).sub_registry_with_label(label)
}

/// Sets `gauge` to `milliseconds` in seconds unless it is higher already. Two partitions may race;
/// the lag told by the gauge is then off until the next batch.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era have less than 52 bits")]
fn raise(gauge: &Gauge<f64, AtomicU64>, milliseconds: i64) {
    let seconds = milliseconds as f64 / 1_000.0;
    if seconds > gauge.get() {
        gauge.set(seconds);
    }
}
