//! The metric level: what a metric is called, what it holds, and whether it is one at all.

use super::value::string_of;
use super::wire::{Field, Fields, Malformed, Value};

/// Field numbers above the point level.
pub mod number {
    /// `ExportMetricsServiceRequest.resource_metrics`.
    pub const RESOURCE_METRICS: u32 = 1;
    /// `ResourceMetrics.resource`.
    pub const RESOURCE: u32 = 1;
    /// `ResourceMetrics.scope_metrics`.
    pub const SCOPE_METRICS: u32 = 2;
    /// `ResourceMetrics.instrumentation_library_metrics`, until OTLP 0.19 beside `scope_metrics`.
    pub const INSTRUMENTATION_LIBRARY_METRICS: u32 = 1000;
    /// `Resource.attributes`.
    pub const RESOURCE_ATTRIBUTES: u32 = 1;
    /// `ScopeMetrics.scope`.
    pub const SCOPE: u32 = 1;
    /// `ScopeMetrics.metrics`.
    pub const METRICS: u32 = 2;
    /// `InstrumentationScope.name`.
    pub const SCOPE_NAME: u32 = 1;
    /// `InstrumentationScope.version`.
    pub const SCOPE_VERSION: u32 = 2;
    /// `InstrumentationScope.attributes`.
    pub const SCOPE_ATTRIBUTES: u32 = 3;
}

/// What is wrong with metrics under `instrumentation_library_metrics`.
pub const BEFORE_SCOPES: &str =
    "no scopeMetrics; this is OTLP before 0.15 (instrumentationLibraryMetrics): update the sender";

/// Why a message that should be a metric is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAMetric {
    /// It is not well formed.
    Malformed(Malformed),
    /// It is a span (OTLP traces).
    Span,
    /// It is a log record (OTLP logs).
    LogRecord,
}

impl From<Malformed> for NotAMetric {
    fn from(malformed: Malformed) -> Self {
        NotAMetric::Malformed(malformed)
    }
}

/// The type of a metric: the `data` it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Gauge`.
    Gauge,
    /// `Sum`.
    Sum,
    /// `Histogram` with explicit bounds.
    Histogram,
    /// `ExponentialHistogram`.
    ExponentialHistogram,
    /// `Summary`.
    Summary,
}

impl Kind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Sum => "sum",
            Kind::Histogram => "histogram",
            Kind::ExponentialHistogram => "exponential histogram",
            Kind::Summary => "summary",
        }
    }
}

/// `AggregationTemporality`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Neither of the others.
    Unspecified,
    /// Since the previous report.
    Delta,
    /// Since a fixed start.
    Cumulative,
}

/// A `Metric`, its points not yet read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metric<'a> {
    /// `name`.
    pub name: &'a [u8],
    /// `description`.
    pub description: &'a [u8],
    /// `unit`.
    pub unit: &'a [u8],
    /// What `metadata` says that Prometheus called the type (`prometheus.type`); empty if nothing.
    pub prometheus_type: &'a [u8],
    /// The type and the message that holds the points; `None` if the metric has no data.
    pub data: Option<(Kind, &'a [u8])>,
}

impl<'a> Metric<'a> {
    /// Reads the fields of a metric, whose order is free; of several `data` the last one counts.
    pub fn read(message: &'a [u8]) -> Result<Metric<'a>, NotAMetric> {
        let mut metric = Metric::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_field()? {
            if let Some(other) = other_signal(&field) {
                return Err(other);
            }
            match field.number {
                1 => metric.name = field.bytes()?,
                2 => metric.description = field.bytes()?,
                3 => metric.unit = field.bytes()?,
                5 => metric.data = Some((Kind::Gauge, field.bytes()?)),
                7 => metric.data = Some((Kind::Sum, field.bytes()?)),
                9 => metric.data = Some((Kind::Histogram, field.bytes()?)),
                10 => metric.data = Some((Kind::ExponentialHistogram, field.bytes()?)),
                11 => metric.data = Some((Kind::Summary, field.bytes()?)),
                12 => {
                    if let Some(text) = string_of(b"prometheus.type", field.bytes()?)? {
                        metric.prometheus_type = text;
                    }
                }
                _ => {}
            }
        }
        Ok(metric)
    }
}

/// Tells spans and log records by fields whose wire type no metric has at that number. The three
/// signals share the messages around them (`trace.proto`, `logs.proto`).
fn other_signal(field: &Field) -> Option<NotAMetric> {
    match (field.number, field.value) {
        // Span.kind, Span.start_time_unix_nano, Span.end_time_unix_nano.
        (6, Value::Varint(_)) | (7 | 8, Value::Fixed64(_)) => Some(NotAMetric::Span),
        // LogRecord.time_unix_nano, .severity_number, .flags, .observed_time_unix_nano.
        (1 | 11, Value::Fixed64(_)) | (2, Value::Varint(_)) | (8, Value::Fixed32(_)) => {
            Some(NotAMetric::LogRecord)
        }
        _ => None,
    }
}

/// What the message around the points says besides them.
#[derive(Clone, Copy, Debug)]
pub struct DataHead {
    /// How many points there are.
    pub points: u64,
    /// `aggregation_temporality`; gauges and summaries have none.
    pub temporality: Temporality,
    /// `Sum.is_monotonic`.
    pub is_monotonic: bool,
}

impl DataHead {
    /// Reads past the points: the fields wanted usually stand behind them.
    pub fn read(data: &[u8]) -> Result<DataHead, Malformed> {
        let mut head = DataHead { points: 0, temporality: Temporality::Unspecified, is_monotonic: false };
        let mut fields = Fields::of(data);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => {
                    field.bytes()?;
                    head.points += 1;
                }
                2 => {
                    head.temporality = match field.varint()? {
                        1 => Temporality::Delta,
                        2 => Temporality::Cumulative,
                        _ => Temporality::Unspecified,
                    }
                }
                3 => head.is_monotonic = field.varint()? != 0,
                _ => {}
            }
        }
        Ok(head)
    }
}

/// The points of a data message, each as the message it is.
pub fn points(data: &[u8]) -> Points<'_> {
    Points { fields: Fields::of(data) }
}

/// See [`points`].
pub struct Points<'a> {
    fields: Fields<'a>,
}

impl<'a> Points<'a> {
    /// The next point, or `None` at the end.
    #[inline]
    pub fn next_point(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        while let Some(field) = self.fields.next_field()? {
            if field.number == 1 {
                return field.bytes().map(Some);
            }
        }
        Ok(None)
    }
}
