//! Shows an encoded request to people, in the notation of the Prometheus and OpenMetrics text formats.

use super::message::{Buckets, Entry, Exemplar, Histogram, Series, for_each_entry, type_name, value_text};
use crate::otlp::wire::Malformed;
use crate::translate::base::METRIC_NAME;
use crate::translate::labels::Label;
use crate::translate::sink::Metadata;
use preamp_contract::Protocol;
use std::fmt::Write;

/// One line for each sample, `name{label="value",…} value timestamp`, and for each native histogram;
/// behind it the time since when it adds up, and exemplars. What is known of a family stands before
/// its series, in lines that begin with `#`.
///
/// # Errors
///
/// Bytes that are no message of the protocol.
pub fn to_text(request: &[u8], protocol: Protocol) -> Result<String, Malformed> {
    let mut text = String::new();
    let mut latest = None;
    for_each_entry(request, protocol, &mut |entry| {
        match entry {
            Entry::Metadata(family) => push_family(&mut text, &family),
            Entry::Series(series) => {
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
    Ok(text)
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
