//! Requests read again, for all that is not the hot path: what both protocols say, in one form.
//! (Prometheus remote-write specifications 1.0 and 2.0.)

mod histogram;

pub use histogram::{Buckets, Histogram};

use crate::otlp::value::write_double;
use crate::otlp::wire::{Field, Fields, Malformed};
use crate::translate::STALE;
use crate::translate::base::{DERIVED_SUFFIXES, METRIC_NAME};
use crate::translate::labels::Label;
use crate::translate::sink::{Metadata, MetricType, Sample};
use preamp_contract::Protocol;

/// What stands in a request.
#[derive(Debug)]
pub enum Entry<'s, 'a> {
    /// A series.
    Series(&'s Series<'a>),
    /// The metadata of a family, which stands alone in remote write 1.0.
    Metadata(Metadata<'a>),
}

/// A `TimeSeries` of either protocol.
#[derive(Debug, Default)]
pub struct Series<'a> {
    /// The labels as sent, metric name included.
    pub labels: Vec<Label<'a>>,
    /// The samples.
    pub samples: Vec<Sample>,
    /// The native histograms, each a `Histogram` message.
    pub histograms: Vec<&'a [u8]>,
    /// The exemplars.
    pub exemplars: Vec<Exemplar<'a>>,
    /// Type, help and unit, without a name; in 2.0 only.
    pub metadata: Option<Metadata<'a>>,
}

/// An `Exemplar` of either protocol.
#[derive(Debug, Default)]
pub struct Exemplar<'a> {
    /// The labels as sent.
    pub labels: Vec<Label<'a>>,
    /// The value observed.
    pub value: f64,
    /// When, in milliseconds since the Unix epoch.
    pub time: i64,
}

/// Reads a whole request, in its order.
///
/// # Errors
///
/// Bytes that are no message of the protocol, or refer to symbols that are not there; what `take` says.
pub fn for_each_entry<'a>(
    request: &'a [u8],
    protocol: Protocol,
    take: &mut dyn FnMut(Entry<'_, 'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let texts = symbols(request, protocol)?;
    let mut series = Series::default();
    let mut fields = Fields::of(request);
    while let Some(field) = fields.next_shared()? {
        if field.number == series_field(protocol) {
            series.read(field.bytes()?, protocol, &texts)?;
            take(Entry::Series(&series))?;
        } else if protocol == Protocol::RemoteWriteV1 && field.number == 3 {
            take(Entry::Metadata(read_metadata_v1(field.bytes()?)?))?;
        }
    }
    Ok(())
}

/// The symbols of a request; none in 1.0.
///
/// # Errors
///
/// Bytes that are no message.
pub fn symbols(request: &[u8], protocol: Protocol) -> Result<Vec<&[u8]>, Malformed> {
    let mut symbols = Vec::new();
    let mut fields = Fields::of(request);
    if protocol == Protocol::RemoteWriteV2 {
        while let Some(field) = fields.next_shared()? {
            if field.number == 4 {
                symbols.push(field.bytes()?);
            }
        }
    }
    Ok(symbols)
}

/// The number of the field of a request that holds its series.
pub fn series_field(protocol: Protocol) -> u32 {
    match protocol {
        Protocol::RemoteWriteV1 => 1,
        Protocol::RemoteWriteV2 => 5,
    }
}

impl<'a> Series<'a> {
    /// The metric name; empty if there is none.
    pub fn name(&self) -> &'a [u8] {
        let name = self.labels.iter().find(|label| label.name == METRIC_NAME);
        name.map_or(b"", |label| label.value)
    }

    /// The metadata with the name of the family, as remote write 1.0 has it: that of the series
    /// without what tells the series of a classic histogram or a summary apart.
    pub fn family(&self) -> Option<Metadata<'a>> {
        let suffixes: &[&[u8]] = match self.metadata?.kind {
            MetricType::Histogram | MetricType::GaugeHistogram | MetricType::Summary
                if self.histograms.is_empty() =>
            {
                &DERIVED_SUFFIXES
            }
            _ => &[],
        };
        let name = self.name();
        let family = suffixes.iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(name);
        Some(Metadata { name: family, ..self.metadata? })
    }

    /// Reads a `TimeSeries`, in place of what was read before.
    ///
    /// # Errors
    ///
    /// Bytes that are no such message, or refer to symbols that are not there.
    pub fn read(
        &mut self,
        message: &'a [u8],
        protocol: Protocol,
        texts: &[&'a [u8]],
    ) -> Result<(), Malformed> {
        self.labels.clear();
        self.samples.clear();
        self.histograms.clear();
        self.exemplars.clear();
        self.metadata = None;
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next_shared()? {
            match (protocol, field.number) {
                (_, 1) => read_labels(&field, protocol, texts, &mut self.labels)?,
                (_, 2) => self.samples.push(read_sample(field.bytes()?)?),
                (Protocol::RemoteWriteV1, 3) | (Protocol::RemoteWriteV2, 4) => {
                    self.exemplars.push(read_exemplar(field.bytes()?, protocol, texts)?);
                }
                (Protocol::RemoteWriteV1, 4) | (Protocol::RemoteWriteV2, 3) => {
                    self.histograms.push(field.bytes()?);
                }
                (Protocol::RemoteWriteV2, 5) => {
                    self.metadata = Some(read_metadata_v2(field.bytes()?, texts)?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the field `labels` or `labels_refs` of a series or an exemplar.
fn read_labels<'a>(
    field: &Field<'a>,
    protocol: Protocol,
    texts: &[&'a [u8]],
    labels: &mut Vec<Label<'a>>,
) -> Result<(), Malformed> {
    if protocol == Protocol::RemoteWriteV1 {
        labels.push(read_label(field.bytes()?)?);
        return Ok(());
    }
    let packed = field.bytes()?;
    let mut references = Vec::new();
    field.repeated_varint(&mut references)?;
    let (pairs, rest) = references.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Malformed::at("a label name without a value", packed));
    }
    for [name, value] in pairs {
        labels.push(Label { name: text(texts, *name, packed)?, value: text(texts, *value, packed)? });
    }
    Ok(())
}

fn read_label(message: &[u8]) -> Result<Label<'_>, Malformed> {
    let mut label = Label { name: b"", value: b"" };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        match field.number {
            1 => label.name = field.bytes()?,
            2 => label.value = field.bytes()?,
            _ => {}
        }
    }
    Ok(label)
}

fn text<'a>(texts: &[&'a [u8]], reference: u64, place: &[u8]) -> Result<&'a [u8], Malformed> {
    let text = usize::try_from(reference).ok().and_then(|reference| texts.get(reference));
    text.copied().ok_or_else(|| Malformed::at("a reference to a symbol that is not there", place))
}

/// Reads a `Sample`; only 2.0 knows the start time.
fn read_sample(message: &[u8]) -> Result<Sample, Malformed> {
    let mut sample = Sample { value: 0.0, time: 0, start: 0 };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        match field.number {
            1 => sample.value = field.double()?,
            2 => sample.time = field.varint()?.cast_signed(),
            3 => sample.start = field.varint()?.cast_signed(),
            _ => {}
        }
    }
    Ok(sample)
}

fn read_exemplar<'a>(
    message: &'a [u8],
    protocol: Protocol,
    texts: &[&'a [u8]],
) -> Result<Exemplar<'a>, Malformed> {
    let mut exemplar = Exemplar::default();
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        match field.number {
            1 => read_labels(&field, protocol, texts, &mut exemplar.labels)?,
            2 => exemplar.value = field.double()?,
            3 => exemplar.time = field.varint()?.cast_signed(),
            _ => {}
        }
    }
    Ok(exemplar)
}

fn read_metadata_v1(message: &[u8]) -> Result<Metadata<'_>, Malformed> {
    let mut metadata = Metadata { name: b"", kind: MetricType::Unknown, help: b"", unit: b"" };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        match field.number {
            1 => metadata.kind = metric_type(field.varint()?),
            2 => metadata.name = field.bytes()?,
            4 => metadata.help = field.bytes()?,
            5 => metadata.unit = field.bytes()?,
            _ => {}
        }
    }
    Ok(metadata)
}

fn read_metadata_v2<'a>(message: &'a [u8], texts: &[&'a [u8]]) -> Result<Metadata<'a>, Malformed> {
    let mut metadata = Metadata { name: b"", kind: MetricType::Unknown, help: b"", unit: b"" };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next_shared()? {
        match field.number {
            1 => metadata.kind = metric_type(field.varint()?),
            3 => metadata.help = text(texts, field.varint()?, message)?,
            4 => metadata.unit = text(texts, field.varint()?, message)?,
            _ => {}
        }
    }
    Ok(metadata)
}

fn metric_type(number: u64) -> MetricType {
    match number {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::Stateset,
        _ => MetricType::Unknown,
    }
}

/// The name of a type in the text formats (OpenMetrics 1.0, "MetricFamily").
pub fn type_name(kind: MetricType) -> &'static str {
    match kind {
        MetricType::Unknown => "unknown",
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Histogram => "histogram",
        MetricType::GaugeHistogram => "gaugehistogram",
        MetricType::Summary => "summary",
        MetricType::Info => "info",
        MetricType::Stateset => "stateset",
    }
}

/// A value as Prometheus writes it: the shortest digits that tell it from others. The mark of a
/// series that has ended is told from other NaNs.
pub fn value_text(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ if value.to_bits() == STALE => "StaleNaN".to_owned(),
        _ => {
            let mut text = Vec::new();
            write_double(value, &mut text);
            String::from_utf8(text).unwrap_or_default()
        }
    }
}
