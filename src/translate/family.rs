//! The metric level: whether a metric can be translated, what it is called, and what is said of it.

use super::base::METRIC_NAME;
use super::name::{NameError, TypeSuffix};
use super::reject::{describe, is_in_nanoseconds, shortened};
use super::rejections::Reason;
use super::resource::Scope;
use super::sink::{Metadata, MetricType, Sink};
use super::{ExemplarUse, MetadataUse, Translator, Unreadable, Walk, identity};
use crate::otlp::metric::{DataHead, Kind, Metric, Temporality, points};
use crate::otlp::point::{PointHead, time};

/// A metric ready for its points to be translated.
pub(super) struct Family<'a> {
    pub metric: Metric<'a>,
    pub kind: Kind,
    /// The message that holds the points.
    pub data: &'a [u8],
    /// The part that the name has in the identity of its series.
    pub identity: u64,
    /// Whether its points are deltas, which are to be added up.
    pub is_delta: bool,
    /// Whether its points only ever add to a sum.
    pub is_monotonic: bool,
    /// Whether exemplars of its points are sent.
    pub has_exemplars: bool,
    /// Whether its points get a `_created` series.
    pub has_created: bool,
    /// How many bytes each series says of the family, or says once it is written as remote write 1.0.
    pub about_bytes: usize,
}

impl Family<'_> {
    /// Whether a point gets a `_created` series: without a start there is nothing to say in it.
    pub(super) fn writes_created(&self, point: &PointHead) -> bool {
        self.has_created && point.start != 0
    }
}

impl<'a, S: Sink> Walk<'a, '_, S> {
    /// Names a metric and announces it to the sink; `None` if it was rejected.
    pub(super) fn family(&mut self, metric: Metric<'a>) -> Result<Option<Family<'a>>, Unreadable> {
        let Some((kind, data)) = metric.data else {
            self.gate.rejections.add(Reason::NoData, 0, || describe(&metric, "has no data"));
            return Ok(None);
        };
        let head = DataHead::read(data)?;
        let suffix = TypeSuffix::of(kind, head.is_monotonic);
        let Translator { namer, metric_name, .. } = &mut *self.translator;
        let named = namer.write(metric.name, metric.unit, suffix, metric_name);
        let unnamed = named.err().map(|error| match error {
            NameError::Empty => Reason::InvalidName,
            NameError::NotUtf8 => Reason::InvalidUtf8,
        });
        let against = reason_against(kind, head.temporality, self.translator.totals.is_some());
        if let Some(reason) = against.or(unnamed) {
            self.reject_metric(reason, &metric, kind, data, head.points)?;
            return Ok(None);
        }
        self.announce(&metric, kind, head.is_monotonic);
        // The type, and what stands around it all.
        let about = 32 + self.translator.metric_name.len() + metric.description.len() + metric.unit.len();
        let about_bytes = match self.translator.metadata {
            MetadataUse::None => 0,
            MetadataUse::Families => {
                self.gate.expansion.bytes(2 * about, metric.name)?;
                0
            }
            MetadataUse::Inline => about,
        };
        let is_counter = kind == Kind::Sum && head.is_monotonic;
        let is_number = matches!(kind, Kind::Gauge | Kind::Sum);
        let has_created = self.translator.options.created && (is_counter || !is_number);
        let family = Family {
            identity: family_identity(&self.translator.metric_name),
            is_delta: has_temporality(kind) && head.temporality == Temporality::Delta,
            is_monotonic: head.is_monotonic,
            has_exemplars: match self.translator.exemplar_use {
                ExemplarUse::None => false,
                ExemplarUse::CountersAndHistograms => is_counter || !is_number,
                ExemplarUse::All => true,
            },
            has_created,
            about_bytes,
            metric,
            kind,
            data,
        };
        self.look_for_duplicates(&family)?;
        Ok(Some(family))
    }

    /// Tells apart the series of this family and of those before it.
    fn look_for_duplicates(&mut self, family: &Family<'a>) -> Result<(), Unreadable> {
        let Translator { duplicates, metric_name, options, .. } = &mut *self.translator;
        let (classic, exponential) = (options.classic_histograms, options.exponential_histograms);
        let (is_plain, is_compound) = match family.kind {
            Kind::Gauge | Kind::Sum => (true, false),
            Kind::Summary => (false, true),
            Kind::Histogram => (classic.custom_buckets, classic.classic),
            Kind::ExponentialHistogram => (exponential.native, exponential.classic),
        };
        let derives = is_compound || family.has_created;
        duplicates.begin_family(metric_name, family.identity, is_plain, derives)?;
        duplicates.set_origin(|| origin(&family.metric, self.resources, self.scope));
        Ok(())
    }

    /// Tells the sink what is known of the metric.
    fn announce(&mut self, metric: &Metric, kind: Kind, is_monotonic: bool) {
        let Translator { namer, metric_name, metadata, unit, .. } = &mut *self.translator;
        if *metadata == MetadataUse::None {
            return self.sink.family(None);
        }
        namer.write_unit(metric.unit, unit);
        self.sink.family(Some(&Metadata {
            name: metric_name,
            kind: metric_type(kind, is_monotonic, metric.prometheus_type),
            help: utf8_or_empty(metric.description),
            unit: utf8_or_empty(unit),
        }));
    }

    fn reject_metric(
        &mut self,
        reason: Reason,
        metric: &Metric,
        kind: Kind,
        data: &[u8],
        count: u64,
    ) -> Result<(), Unreadable> {
        if count > 0 {
            let what = || describe(metric, &format!("is of type {}", kind.name()));
            self.gate.rejections.add(reason, count, what);
        }
        // Points left out still tell how new the resource is.
        let mut points = points(data);
        while let Some(point) = points.next_point()? {
            let time = time(point)?;
            if is_in_nanoseconds(time) {
                self.newest = self.newest.max(time);
            }
        }
        Ok(())
    }
}

/// Where a point comes from, for people.
fn origin(metric: &Metric, resource: usize, scope: &[u8]) -> String {
    let name = Scope::read(scope).map(|scope| scope.name).unwrap_or_default();
    format!("metric {:?} of scope {:?}, resource {resource}", shortened(metric.name), shortened(name))
}

/// Why a metric of this kind cannot be translated, whatever its name and points.
fn reason_against(kind: Kind, temporality: Temporality, accumulates: bool) -> Option<Reason> {
    match temporality {
        _ if !has_temporality(kind) => None,
        Temporality::Cumulative => None,
        Temporality::Delta => (!accumulates).then_some(Reason::DeltaTemporality),
        Temporality::Unspecified => Some(Reason::UnspecifiedTemporality),
    }
}

/// Whether metrics of this kind say what their points count from.
fn has_temporality(kind: Kind) -> bool {
    !matches!(kind, Kind::Gauge | Kind::Summary)
}

/// What remote write calls the type. `prometheus_type` is what the metric was when it came from
/// Prometheus, whose types OTLP does not all have.
fn metric_type(kind: Kind, is_monotonic: bool, prometheus_type: &[u8]) -> MetricType {
    match (kind, prometheus_type) {
        (Kind::Gauge, b"unknown") => MetricType::Unknown,
        (Kind::Sum, _) if is_monotonic => MetricType::Counter,
        (Kind::Sum, b"info") => MetricType::Info,
        (Kind::Sum, b"stateset") => MetricType::Stateset,
        (Kind::Gauge | Kind::Sum, _) => MetricType::Gauge,
        (Kind::Histogram | Kind::ExponentialHistogram, _) => MetricType::Histogram,
        (Kind::Summary, _) => MetricType::Summary,
    }
}

fn utf8_or_empty(text: &[u8]) -> &[u8] {
    if std::str::from_utf8(text).is_ok() { text } else { b"" }
}

/// The part that the name of a metric family has in the identity of its series.
pub(super) fn family_identity(name: &[u8]) -> u64 {
    identity::label(identity::hash(METRIC_NAME).0, identity::hash(name).0)
}
