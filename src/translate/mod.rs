//! Translates OTLP metrics into Prometheus series, in one pass over the payload.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".)
//!
//! [`Translator`] walks resources, scopes, metrics and points and hands each series to a
//! [`sink::Sink`]; it knows no wire format of the other side. To add a metric type, write its module
//! beside `number`, `histogram` and `summary` and name it in `Walk::metric`.

pub mod base;
pub mod bases;
mod custom;
mod delta;
mod duplicates;
pub mod exemplar;
pub mod expansion;
mod exponential;
mod family;
mod glob;
mod histogram;
pub mod identity;
mod label;
pub mod labels;
mod name;
mod native;
mod number;
mod numbers;
mod plan;
mod reject;
mod rejections;
mod resource;
pub mod sink;
pub mod slots;
mod summary;
mod unit;

use crate::accumulate::Accumulator;
use crate::config::{Config, Translation};
use crate::otlp::exponential::ExponentialBuckets;
use crate::otlp::metric::{BEFORE_SCOPES, Kind, Metric, NotAMetric, number as field, points};
use crate::otlp::point::{Buckets, Part, PointHead, Quantiles};
use crate::otlp::value::Attribute;
use crate::otlp::wire::{Fields, Malformed};
use custom::CustomBuckets;
use duplicates::{Duplicates, LooksTwice};
use exemplar::{ExemplarSet, Exemplars};
use expansion::{Expansion, Repeated, TooFar};
use family::Family;
use labels::{LabelMaker, PointLabels};
use name::Namer;
use native::Layout;
use numbers::NumberTexts;
use preamp_contract::{Instant, NANOS_PER_MILLI, Protocol, Refusal, Rejection};
use reject::Gate;
use resource::{BaseOptions, Resource};
use sink::{Sample, Sink};

/// The value that tells Prometheus a series has ended (`StaleNaN`).
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A translator for one configuration, with the memory that lives from payload to payload.
pub struct Translator {
    options: Translation,
    metadata: MetadataUse,
    exemplar_use: ExemplarUse,
    /// The totals of delta metrics, if these are accumulated.
    totals: Option<Accumulator>,
    base_options: BaseOptions,
    namer: Namer,
    labels: LabelMaker,
    numbers: NumberTexts,
    buckets: Buckets,
    exponential: ExponentialBuckets,
    positive: Layout,
    negative: Layout,
    custom: CustomBuckets,
    duplicates: Duplicates,
    quantiles: Quantiles,
    exemplars: ExemplarSet,
    scratch: Vec<u8>,
    metric_name: Vec<u8>,
    series_name: Vec<u8>,
    unit: Vec<u8>,
    counted: u64,
}

/// Which metadata a sink is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MetadataUse {
    /// None.
    None,
    /// That of the families in the payload.
    Families,
    /// That of every series.
    Inline,
}

/// Which exemplars are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExemplarUse {
    /// None.
    None,
    /// Those of monotonic sums and histograms, as OpenMetrics 1.0 has it.
    CountersAndHistograms,
    /// All.
    All,
}

/// Why a payload cannot be translated at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    Malformed(Malformed),
    WrongSignal(&'static str),
    ExpandsTooFar,
    LooksTwice,
}

impl From<LooksTwice> for Unreadable {
    fn from(LooksTwice: LooksTwice) -> Self {
        Unreadable::LooksTwice
    }
}

impl From<TooFar> for Unreadable {
    fn from(TooFar: TooFar) -> Self {
        Unreadable::ExpandsTooFar
    }
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
        let options = config.translation.clone();
        Translator {
            metadata: match config.protocol {
                Protocol::RemoteWriteV2 => MetadataUse::Inline,
                Protocol::RemoteWriteV1 if options.send_metadata => MetadataUse::Families,
                Protocol::RemoteWriteV1 => MetadataUse::None,
            },
            exemplar_use: match config.protocol {
                _ if !options.exemplars => ExemplarUse::None,
                Protocol::RemoteWriteV1 => ExemplarUse::CountersAndHistograms,
                Protocol::RemoteWriteV2 => ExemplarUse::All,
            },
            totals: options.delta.map(Accumulator::new),
            base_options: BaseOptions::new(&options),
            namer: Namer::new(&options),
            labels: LabelMaker::new(options.label_style),
            numbers: NumberTexts::new(!options.refuses_duplicates),
            duplicates: Duplicates::new(options.refuses_duplicates),
            options,
            buckets: Buckets::default(),
            exponential: ExponentialBuckets::default(),
            positive: Layout::default(),
            negative: Layout::default(),
            custom: CustomBuckets::default(),
            quantiles: Quantiles::default(),
            exemplars: ExemplarSet::default(),
            scratch: Vec::new(),
            metric_name: Vec::new(),
            series_name: Vec::new(),
            unit: Vec::new(),
            counted: 0,
        }
    }

    /// Translates an `ExportMetricsServiceRequest`, which was given as so many bytes. Returns what was
    /// left out.
    ///
    /// # Errors
    ///
    /// The payload is malformed, of another signal, or expands too far; what the sink got by then must be discarded.
    pub fn translate(
        &mut self,
        payload: &[u8],
        given_bytes: usize,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Result<Vec<Rejection>, Refusal> {
        self.duplicates.begin();
        let (mut walked, mut rejections, mut expansion) = self.walk(payload, given_bytes, now, sink);
        if walked == Err(Unreadable::LooksTwice) {
            sink.restart();
            self.duplicates.begin_exactly();
            (walked, rejections, expansion) = self.walk(payload, given_bytes, now, sink);
        }
        self.duplicates.end();
        self.counted = expansion.spent;
        match walked {
            Ok(()) => Ok(rejections),
            Err(Unreadable::ExpandsTooFar) => Err(Refusal::ExpandsTooFar(expansion.reason)),
            Err(Unreadable::WrongSignal(signal)) => Err(Refusal::WrongSignal(signal.into())),
            Err(Unreadable::Malformed(malformed)) => Err(Refusal::Malformed(format!(
                "{} at byte {}",
                malformed.what,
                malformed.offset_in(payload)
            ))),
            // An exact look does not say this.
            Err(Unreadable::LooksTwice) => {
                Err(Refusal::Malformed("a series that stands there twice".to_owned()))
            }
        }
    }

    /// Walks over the payload once, and says what became of it.
    fn walk(
        &mut self,
        payload: &[u8],
        given_bytes: usize,
        now: Instant,
        sink: &mut impl Sink,
    ) -> (Result<(), Unreadable>, Vec<Rejection>, Expansion) {
        let now_ms = (now / NANOS_PER_MILLI) as i64;
        if let Some(totals) = &mut self.totals {
            totals.begin(now);
        }
        let limits = self.options.limits;
        let mut walk = Walk {
            oldest: limits.max_age_ms.map_or(i64::MIN, |age| now_ms.saturating_sub_unsigned(age)),
            newest_allowed: limits
                .max_future_ms
                .map_or(i64::MAX, |ahead| now_ms.saturating_add_unsigned(ahead)),
            translator: self,
            sink,
            gate: Gate::new(limits, given_bytes),
            resource: Resource::default(),
            attributes: Vec::new(),
            exemplars: Vec::new(),
            newest: 0,
            resources: 0,
            scope: b"",
        };
        let walked = walk.payload(payload);
        let Gate { mut rejections, expansion, .. } = walk.gate;
        if let (Err(_), Some(totals)) = (walked, &mut self.totals) {
            totals.roll_back();
        }
        (walked, rejections.take(), expansion)
    }

    /// What the latest payload was found to expand to, in bytes: no less than what was written.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// The totals of delta metrics, if these are accumulated.
    pub fn totals(&self) -> Option<&Accumulator> {
        self.totals.as_ref()
    }

    /// The same, to be changed.
    pub fn totals_mut(&mut self) -> Option<&mut Accumulator> {
        self.totals.as_mut()
    }
}

/// One walk over one payload.
struct Walk<'a, 't, S> {
    translator: &'t mut Translator,
    sink: &'t mut S,
    gate: Gate,
    /// Samples older than this many milliseconds since the epoch are left out, and later than that.
    oldest: i64,
    newest_allowed: i64,
    resource: Resource<'a>,
    /// The attributes of the point at hand, behind those of the resource that become labels.
    attributes: Vec<Attribute<'a>>,
    /// The exemplars of the point at hand, `Exemplar` messages.
    exemplars: Vec<&'a [u8]>,
    /// The newest point of the resource, in nanoseconds since the epoch.
    newest: u64,
    /// How many resources were begun, and the `InstrumentationScope` message at hand.
    resources: usize,
    scope: &'a [u8],
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
        self.resources += 1;
        self.attributes.clear();
        self.attributes.extend_from_slice(self.resource.converted());
        let mut fields = Fields::of(message);
        while let Some(part) = fields.next_field()? {
            match part.number {
                field::SCOPE_METRICS => self.scope_metrics(part.bytes()?)?,
                field::INSTRUMENTATION_LIBRARY_METRICS => {
                    return Err(Malformed::at(BEFORE_SCOPES, part.bytes()?).into());
                }
                _ => {}
            }
        }
        if self.translator.options.target_info {
            self.target_info()?;
        }
        Ok(())
    }

    fn scope_metrics(&mut self, message: &'a [u8]) -> Result<(), Unreadable> {
        let scope = find_message(message, field::SCOPE)?;
        self.scope = scope;
        let Translator { labels, base_options, .. } = &mut *self.translator;
        let source = self.resource.base_source(scope, true);
        let (resource_bytes, scope_bytes) = source.size();
        self.gate.expansion.scope(resource_bytes + self.resource.scratch().len(), scope_bytes)?;
        labels.set_base(source, || base_options.scope_base(&self.resource, scope))?;
        // `otel_scope_info` of the scope before may have left its own here.
        self.translator.scratch.clear();
        self.translator.scratch.extend_from_slice(self.resource.scratch());
        let newest_before = std::mem::take(&mut self.newest);
        let mut fields = Fields::of(message);
        while let Some(part) = fields.next_field()? {
            if part.number == field::METRICS {
                self.metric(Metric::read(part.bytes()?)?)?;
            }
        }
        let newest = self.newest;
        if self.translator.options.scope_info {
            self.scope_info(scope, newest)?;
        }
        self.newest = newest.max(newest_before);
        Ok(())
    }

    fn metric(&mut self, metric: Metric<'a>) -> Result<(), Unreadable> {
        let Some(family) = self.family(metric)? else { return Ok(()) };
        let mut points = points(family.data);
        while let Some(message) = points.next_point()? {
            match family.kind {
                Kind::Gauge | Kind::Sum => self.number_point(message, &family)?,
                Kind::Histogram => self.histogram_point(message, &family)?,
                Kind::ExponentialHistogram => self.exponential_point(message, &family)?,
                Kind::Summary => self.summary_point(message, &family)?,
            }
        }
        Ok(())
    }

    /// Makes the exemplars of the point at hand ready to be written, if they are sent.
    #[inline]
    fn read_exemplars(&mut self, family: &Family) -> Result<(), Unreadable> {
        let Translator { exemplars, scratch, .. } = &mut *self.translator;
        exemplars.clear();
        if family.has_exemplars && !self.exemplars.is_empty() {
            exemplars.read(&self.exemplars, scratch)?;
            // A native histogram may have them, and a classic one beside it.
            self.gate.expansion.bytes(2 * exemplars.bytes(), family.metric.name)?;
        }
        Ok(())
    }

    /// Starts a point: forgets the attributes and exemplars of the one before.
    #[inline]
    fn begin_point(&mut self) {
        self.attributes.truncate(self.resource.converted().len());
        self.exemplars.clear();
        self.translator.scratch.truncate(self.resource.scratch().len());
    }
}

/// So many series of a point, and texts that only one of them has.
#[inline]
fn repeated<'r>(
    family: &'r Family,
    name: &'r [u8],
    labels: &'r PointLabels<'r>,
    series: usize,
    texts: usize,
) -> Repeated<'r> {
    let series = series + usize::from(family.has_created);
    Repeated { metric: family.metric.name, name, about: family.about_bytes, labels, series, texts }
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

/// A sample of a point, whose value may be that the series has ended.
#[inline]
fn sample(head: &PointHead, time: i64, value: f64) -> Sample {
    let value = if head.no_recorded_value { f64::from_bits(STALE) } else { value };
    Sample { value, time, start: time_ms(head.start) }
}

/// Writes the series that says since when the others of a point add up, if that is known: the time in
/// milliseconds since the epoch. `name` is scratch memory.
fn write_created(
    sink: &mut impl Sink,
    labels: &PointLabels,
    metric_name: &[u8],
    name: &mut Vec<u8>,
    head: &PointHead,
    time: i64,
) {
    if head.start != 0 {
        set_name(name, metric_name, b"_created");
        let created = sample(head, time, time_ms(head.start) as f64);
        sink.series(labels, name, None, created, Exemplars::default());
    }
}

/// OTLP's nanoseconds as milliseconds, cut toward zero.
#[inline]
fn time_ms(nanos: u64) -> i64 {
    nanos.cast_signed() / NANOS_PER_MILLI.cast_signed()
}

/// OTLP's nanoseconds as milliseconds, rounded down.
fn time_ms_floor(nanos: u64) -> i64 {
    nanos.cast_signed().div_euclid(NANOS_PER_MILLI.cast_signed())
}

/// Keeps an attribute or exemplar of the point at hand; an attribute with an empty value is no label.
#[inline]
fn keep_part<'a>(
    part: Part<'a>,
    attributes: &mut Vec<Attribute<'a>>,
    exemplars: &mut Vec<&'a [u8]>,
    scratch: &mut Vec<u8>,
) -> Result<(), Malformed> {
    match part {
        Part::Attribute(message) => {
            let attribute = Attribute::read(message, scratch)?;
            if !attribute.value.is_empty() {
                attributes.push(attribute);
            }
        }
        Part::Exemplar(message) => exemplars.push(message),
    }
    Ok(())
}

/// The name of a series: that of the metric with a suffix.
fn set_name(name: &mut Vec<u8>, metric: &[u8], suffix: &[u8]) {
    name.clear();
    name.extend_from_slice(metric);
    name.extend_from_slice(suffix);
}
