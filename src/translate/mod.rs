//! Translates OTLP metrics into Prometheus series, in one pass over the payload.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".)
//!
//! [`Translator`] walks resources, scopes, metrics and points and hands each series to a
//! [`sink::Sink`]; it knows no wire format of the other side. To add a metric type, write its module
//! beside `number`, `histogram` and `summary` and name it in `Walk::metric`.

pub mod base;
mod histogram;
pub mod identity;
mod label;
pub mod labels;
mod name;
mod number;
mod numbers;
mod plan;
mod rejections;
mod resource;
pub mod sink;
mod summary;

use crate::config::Config;
use crate::otlp::metric::{DataHead, Kind, Metric, NotAMetric, Temporality, number as field, points};
use crate::otlp::point::{Buckets, PointHead, Quantiles, time};
use crate::otlp::value::Attribute;
use crate::otlp::wire::{Fields, Malformed};
use crate::types::{Instant, Refusal, Rejection};
use base::METRIC_NAME;
use labels::{LabelError, LabelMaker, PointLabels};
use name::{Namer, TypeSuffix};
use numbers::NumberTexts;
use rejections::{Reason, Rejections};
use resource::{BaseOptions, Resource};
use sink::{Sample, Sink};

/// The value that tells Prometheus a series has ended (`StaleNaN`).
const STALE: u64 = 0x7ff0_0000_0000_0002;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// A translator for one configuration, with the memory that lives from payload to payload.
pub struct Translator {
    base_options: BaseOptions,
    namer: Namer,
    write_target_info: bool,
    max_sample_age_ms: Option<u64>,
    labels: LabelMaker,
    numbers: NumberTexts,
    buckets: Buckets,
    quantiles: Quantiles,
    scratch: Vec<u8>,
    metric_name: Vec<u8>,
    series_name: Vec<u8>,
}

/// Why a payload cannot be translated at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    Malformed(Malformed),
    WrongSignal(&'static str),
}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Unreadable::Malformed(malformed)
    }
}

impl From<NotAMetric> for Unreadable {
    fn from(other: NotAMetric) -> Self {
        match other {
            NotAMetric::Malformed(malformed) => Unreadable::Malformed(malformed),
            NotAMetric::Span => Unreadable::WrongSignal("traces"),
            NotAMetric::LogRecord => Unreadable::WrongSignal("logs"),
        }
    }
}

impl Translator {
    /// A translator for a configuration.
    pub fn new(config: &Config) -> Translator {
        Translator {
            base_options: BaseOptions::new(config),
            namer: Namer::new(config),
            write_target_info: config.target_info,
            max_sample_age_ms: config.max_sample_age_ms,
            labels: LabelMaker::default(),
            numbers: NumberTexts::default(),
            buckets: Buckets::default(),
            quantiles: Quantiles::default(),
            scratch: Vec::new(),
            metric_name: Vec::new(),
            series_name: Vec::new(),
        }
    }

    /// Translates an `ExportMetricsServiceRequest`. Returns what was left out.
    ///
    /// # Errors
    ///
    /// The payload is malformed or of another signal; what the sink got by then must be discarded.
    pub fn translate(
        &mut self,
        payload: &[u8],
        now: Instant,
        sink: &mut impl Sink,
    ) -> Result<Vec<Rejection>, Refusal> {
        let now_ms = (now / NANOS_PER_MILLI) as i64;
        let oldest = self.max_sample_age_ms.map(|age| now_ms.saturating_sub_unsigned(age));
        let mut walk = Walk {
            oldest: oldest.unwrap_or(i64::MIN),
            translator: self,
            sink,
            rejections: Rejections::default(),
            resource: Resource::default(),
            attributes: Vec::new(),
            newest: 0,
        };
        match walk.payload(payload) {
            Ok(()) => Ok(walk.rejections.take()),
            Err(Unreadable::WrongSignal(signal)) => Err(Refusal::WrongSignal(signal)),
            Err(Unreadable::Malformed(malformed)) => Err(Refusal::Malformed(format!(
                "{} at byte {}",
                malformed.what,
                malformed.offset_in(payload)
            ))),
        }
    }
}

/// One walk over one payload.
struct Walk<'a, 't, S> {
    translator: &'t mut Translator,
    sink: &'t mut S,
    rejections: Rejections,
    /// Samples older than this many milliseconds since the epoch are left out.
    oldest: i64,
    resource: Resource<'a>,
    /// The attributes of the point at hand, behind those of the resource that become labels.
    attributes: Vec<Attribute<'a>>,
    /// The newest point of the resource, in nanoseconds since the epoch.
    newest: u64,
}

/// A metric ready for its points to be translated.
struct Family<'a> {
    metric: Metric<'a>,
    identity: u64,
}

impl<'a, S: Sink> Walk<'a, '_, S> {
    fn payload(&mut self, payload: &'a [u8]) -> Result<(), Unreadable> {
        let mut fields = Fields::of(payload);
        while let Some(part) = fields.next_field()? {
            if part.number == field::RESOURCE_METRICS {
                self.resource_metrics(part.bytes()?)?;
            }
        }
        Ok(())
    }

    fn resource_metrics(&mut self, message: &'a [u8]) -> Result<(), Unreadable> {
        let attributes = find_message(message, field::RESOURCE)?;
        self.resource = Resource::read(attributes, &self.translator.base_options)?;
        self.newest = 0;
        self.attributes.clear();
        self.attributes.extend_from_slice(self.resource.converted());
        self.translator.scratch.clear();
        self.translator.scratch.extend_from_slice(self.resource.scratch());
        let mut fields = Fields::of(message);
        while let Some(part) = fields.next_field()? {
            if part.number == field::SCOPE_METRICS {
                self.scope_metrics(part.bytes()?)?;
            }
        }
        if self.translator.write_target_info {
            self.target_info()?;
        }
        Ok(())
    }

    fn scope_metrics(&mut self, message: &'a [u8]) -> Result<(), Unreadable> {
        let scope = find_message(message, field::SCOPE)?;
        let base = self.translator.base_options.scope_base(&self.resource, scope)?;
        self.translator.labels.set_base(base);
        let mut fields = Fields::of(message);
        while let Some(part) = fields.next_field()? {
            if part.number == field::METRICS {
                self.metric(Metric::read(part.bytes()?)?)?;
            }
        }
        Ok(())
    }

    fn metric(&mut self, metric: Metric<'a>) -> Result<(), Unreadable> {
        let Some((kind, data)) = metric.data else {
            self.rejections.add(Reason::NoData, 0, || describe(&metric, "has no data"));
            return Ok(());
        };
        let head = DataHead::read(data)?;
        if let Some(reason) = reason_against(kind, head.temporality) {
            return self.reject_metric(reason, &metric, kind, data, head.points);
        }
        let suffix = TypeSuffix::of(kind, head.is_monotonic);
        let Translator { namer, metric_name, .. } = &mut *self.translator;
        if !namer.write(metric.name, metric.unit, suffix, metric_name) {
            return self.reject_metric(Reason::InvalidName, &metric, kind, data, head.points);
        }
        let identity = family_identity(metric_name);
        let family = Family { metric, identity };
        let mut points = points(data);
        while let Some(message) = points.next_point()? {
            match kind {
                Kind::Histogram => self.histogram_point(message, &family)?,
                Kind::Summary => self.summary_point(message, &family)?,
                _ => self.number_point(message, &family)?,
            }
        }
        Ok(())
    }

    fn reject_metric(
        &mut self,
        reason: Reason,
        metric: &Metric,
        kind: Kind,
        data: &[u8],
        count: u64,
    ) -> Result<(), Unreadable> {
        self.rejections.add(reason, count, || describe(metric, &format!("is of type {}", kind.name())));
        // Points left out still tell how new the resource is.
        let mut points = points(data);
        while let Some(point) = points.next_point()? {
            self.newest = self.newest.max(time(point)?);
        }
        Ok(())
    }

    /// Starts a point: forgets the attributes of the one before.
    fn begin_point(&mut self) {
        self.attributes.truncate(self.resource.converted().len());
        self.translator.scratch.truncate(self.resource.scratch().len());
    }

    /// The time of a point in milliseconds, or `None` if it is too old and was rejected.
    fn accept_time(&mut self, head: &PointHead, metric: &Metric) -> Option<i64> {
        self.newest = self.newest.max(head.time);
        let time = (head.time / NANOS_PER_MILLI) as i64;
        if time >= self.oldest {
            return Some(time);
        }
        let late_by = self.oldest.saturating_sub(time);
        let what =
            || describe(metric, &format!("has a point {late_by} ms beyond the age the receiver takes"));
        self.rejections.add(Reason::TooOld, 1, what);
        None
    }
}

/// The last field of this number in a message, as a message; the empty message if there is none.
fn find_message(message: &[u8], number: u32) -> Result<&[u8], Malformed> {
    let mut found: &[u8] = b"";
    let mut fields = Fields::of(message);
    while let Some(part) = fields.next_field()? {
        if part.number == number {
            found = part.bytes()?;
        }
    }
    Ok(found)
}

/// Why a metric of this kind cannot be translated, whatever its name and points.
fn reason_against(kind: Kind, temporality: Temporality) -> Option<Reason> {
    match (kind, temporality) {
        (Kind::ExponentialHistogram, _) => Some(Reason::UnsupportedType),
        (Kind::Gauge | Kind::Summary, _) | (_, Temporality::Cumulative) => None,
        (_, Temporality::Delta) => Some(Reason::DeltaTemporality),
        (_, Temporality::Unspecified) => Some(Reason::UnspecifiedTemporality),
    }
}

/// A sentence about a metric for a rejection, bounded in size.
fn describe(metric: &Metric, what: &str) -> String {
    format!("metric {:?} {what}", shortened(metric.name))
}

/// The first hundred characters of a text that may be anything.
fn shortened(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// The labels of a point and the identity of its family with them; a point whose labels cannot be is
/// counted, and has none.
fn or_reject<'p>(
    labels: Result<(PointLabels<'p>, u64), LabelError>,
    family: &Family,
    rejections: &mut Rejections,
) -> Option<(PointLabels<'p>, u64)> {
    match labels {
        Ok((labels, identity)) => Some((labels, identity.wrapping_add(family.identity))),
        Err(error) => {
            reject_labels(rejections, &family.metric, &error);
            None
        }
    }
}

/// A sample of a point, whose value may be that the series has ended.
#[inline]
fn sample(head: &PointHead, time: i64, value: f64) -> Sample {
    Sample { value: if head.no_recorded_value { f64::from_bits(STALE) } else { value }, time }
}

fn reject_labels(rejections: &mut Rejections, metric: &Metric, error: &LabelError) {
    let (reason, what) = match error {
        LabelError::Name(key) => {
            (Reason::InvalidLabel, format!("has the attribute key {:?}", shortened(key)))
        }
        LabelError::NotUtf8(name) => {
            (Reason::InvalidUtf8, format!("has a label value that is not UTF-8: {:?}", shortened(name)))
        }
    };
    rejections.add(reason, 1, || describe(metric, &what));
}

/// Keeps an attribute of the point at hand; one with an empty value is no label.
#[inline]
fn keep_attribute<'a>(
    message: &'a [u8],
    attributes: &mut Vec<Attribute<'a>>,
    scratch: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let attribute = Attribute::read(message, scratch)?;
    if !attribute.value.is_empty() {
        attributes.push(attribute);
    }
    Ok(())
}

/// The name of a series: that of the metric with a suffix.
fn set_name(name: &mut Vec<u8>, metric: &[u8], suffix: &[u8]) {
    name.clear();
    name.extend_from_slice(metric);
    name.extend_from_slice(suffix);
}

/// The part that the name of a metric family has in the identity of its series.
fn family_identity(name: &[u8]) -> u64 {
    identity::label(identity::hash(METRIC_NAME).0, identity::hash(name).0)
}
