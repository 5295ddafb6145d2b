//! Shows an encoded request to people, in the notation of the Prometheus and OpenMetrics text formats.

use super::message::{Buckets, Entry, Exemplar, Histogram, Series, for_each_entry, type_name, value_text};
use crate::otlp::wire::Malformed;
use crate::translate::base::{DERIVED_SUFFIXES, METRIC_NAME};
use crate::translate::labels::Label;
use crate::translate::sink::Metadata;
use preamp_contract::Protocol;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One line for each sample, `name{label="value",…} value timestamp`, and for each native histogram;
/// behind it the time since when it adds up, and exemplars. What is known of a family stands before
/// the first of its series, in lines that begin with `#`: in remote write 1.0 the message has it at its end.
///
/// # Errors
///
/// Bytes that are no message of the protocol.
pub fn to_text(request: &[u8], protocol: Protocol) -> Result<String, Malformed> {
    let mut text = String::new();
    let mut latest = None;
    let mut families = Families::read(request, protocol)?;
    for_each_entry(request, protocol, &mut |entry| {
        match entry {
            Entry::Metadata(_) => {}
            Entry::Series(series) => {
                families.push_for(series.name(), &mut text);
                let family = series.family();
                if family != latest {
                    family.iter().for_each(|family| push_family(&mut text, family));
                    latest = family;
                }
                push_series(&mut text, series)?;
            }
        }
        Ok(())
    })?;
    families.push_rest(&mut text);
    Ok(text)
}

/// What a message of remote write 1.0 says of families, apart from their series.
struct Families {
    /// In the order of the message. An empty text was pushed.
    texts: Vec<String>,
    by_name: BTreeMap<Vec<u8>, usize>,
}

impl Families {
    fn read(request: &[u8], protocol: Protocol) -> Result<Families, Malformed> {
        let mut families = Families { texts: Vec::new(), by_name: BTreeMap::new() };
        for_each_entry(request, protocol, &mut |entry| {
            if let Entry::Metadata(family) = entry {
                let next = families.texts.len();
                let index = *families.by_name.entry(family.name.to_vec()).or_insert(next);
                if index == next {
                    families.texts.push(String::new());
                }
                push_family(&mut families.texts[index], &family);
            }
            Ok(())
        })?;
        Ok(families)
    }

    /// Pushes what is known of the family of a series, unless it stands there already.
    fn push_for(&mut self, series: &[u8], text: &mut String) {
        if self.by_name.is_empty() {
            return;
        }
        let bases = DERIVED_SUFFIXES.into_iter().filter_map(|suffix| series.strip_suffix(suffix));
        let index = std::iter::once(series).chain(bases).find_map(|name| self.by_name.get(name));
        if let Some(index) = index {
            text.push_str(&std::mem::take(&mut self.texts[*index]));
        }
    }

    /// Pushes what is known of families without a series here.
    fn push_rest(self, text: &mut String) {
        self.texts.iter().for_each(|family| text.push_str(family));
    }
}

fn push_family(text: &mut String, family: &Metadata) {
    let name = String::from_utf8_lossy(family.name);
    line(text, format_args!("# TYPE {name} {}", type_name(family.kind)));
    if !family.help.is_empty() {
        let help = String::from_utf8_lossy(family.help).replace('\\', "\\\\").replace('\n', "\\n");
        line(text, format_args!("# HELP {name} {help}"));
    }
    if !family.unit.is_empty() {
        line(text, format_args!("# UNIT {name} {}", String::from_utf8_lossy(family.unit)));
    }
}

fn push_series(text: &mut String, series: &Series) -> Result<(), Malformed> {
    let others: Vec<Label> =
        series.labels.iter().filter(|label| label.name != METRIC_NAME).copied().collect();
    let head = format!("{}{}", String::from_utf8_lossy(series.name()), labels_text(&others));
    let exemplars: String = series.exemplars.iter().map(exemplar_text).collect();
    for sample in &series.samples {
        let (value, start) = (value_text(sample.value), start_text(sample.start));
        line(text, format_args!("{head} {value} {}{start}{exemplars}", sample.time));
    }
    for message in &series.histograms {
        let histogram = Histogram::read(message)?;
        let (value, start) = (histogram_text(&histogram), start_text(histogram.start));
        line(text, format_args!("{head} {value} {}{start}{exemplars}", histogram.time));
    }
    Ok(())
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    let _infallible = writeln!(text, "{content}");
}

fn labels_text(labels: &[Label]) -> String {
    let pair = |label: &Label| {
        let (name, value) = (String::from_utf8_lossy(label.name), String::from_utf8_lossy(label.value));
        format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    };
    format!("{{{}}}", labels.iter().map(pair).collect::<Vec<_>>().join(","))
}

fn start_text(start: i64) -> String {
    if start == 0 { String::new() } else { format!(" st@{start}") }
}

fn exemplar_text(exemplar: &Exemplar) -> String {
    let (labels, value) = (labels_text(&exemplar.labels), value_text(exemplar.value));
    format!(" # {labels} {value} {}", exemplar.time)
}

/// A native histogram, as its message has it.
fn histogram_text(histogram: &Histogram) -> String {
    let mut text = format!(
        "{{count:{} sum:{} schema:{} zero:{} zero_threshold:{}",
        histogram.count,
        value_text(histogram.sum),
        histogram.schema,
        histogram.zero_count,
        value_text(histogram.zero_threshold),
    );
    for (name, buckets) in [("negative", &histogram.negative), ("positive", &histogram.positive)] {
        if !buckets.spans.is_empty() {
            let _infallible = write!(text, " {name}:{}", buckets_text(buckets));
        }
    }
    if !histogram.custom_values.is_empty() {
        let _infallible =
            write!(text, " bounds:[{}]", joined(histogram.custom_values.iter().map(|b| value_text(*b))));
    }
    text.push('}');
    text
}

/// Where each run of buckets begins and how long it is, then the differences between the counts.
fn buckets_text(buckets: &Buckets) -> String {
    let spans = joined(buckets.spans.iter().map(|span| format!("{}+{}", span.offset, span.length)));
    format!("({spans})[{}]", joined(buckets.deltas.iter().map(i64::to_string)))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}
