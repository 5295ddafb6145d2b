//! Shows an encoded request to programs, as JSON Lines.

use super::message::{Buckets, Entry, Exemplar, Histogram, Series, for_each_entry, type_name, value_text};
use crate::otlp::wire::Malformed;
use crate::translate::labels::Label;
use crate::translate::sink::{Metadata, Sample};
use preamp_contract::Protocol;
use std::fmt::{Display, Write};

/// One JSON object a line for each series, and for each family whose metadata stands alone; the
/// contract (`inspect`) says what is in them.
///
/// # Errors
///
/// Bytes that are no message of the protocol.
pub fn to_json_lines(request: &[u8], protocol: Protocol) -> Result<String, Malformed> {
    let mut json = Json(String::new());
    for_each_entry(request, protocol, &mut |entry| {
        match entry {
            Entry::Series(series) => json.series(series)?,
            Entry::Metadata(metadata) => json.family(&metadata),
        }
        json.0.push('\n');
        Ok(())
    })?;
    Ok(json.0)
}

/// Text to which JSON is appended.
struct Json(String);

impl Json {
    fn series(&mut self, series: &Series) -> Result<(), Malformed> {
        self.open('{');
        self.key("labels");
        self.labels(&series.labels);
        if let Some(metadata) = &series.metadata {
            self.metadata(metadata);
        }
        self.key("samples");
        self.open('[');
        series.samples.iter().for_each(|sample| self.sample(sample));
        self.close(']');
        self.key("histograms");
        self.open('[');
        for message in &series.histograms {
            self.histogram(&Histogram::read(message)?);
        }
        self.close(']');
        self.key("exemplars");
        self.open('[');
        series.exemplars.iter().for_each(|exemplar| self.exemplar(exemplar));
        self.close(']');
        self.close('}');
        Ok(())
    }

    fn family(&mut self, metadata: &Metadata) {
        self.open('{');
        self.key("metadata");
        self.open('{');
        self.key("name");
        self.text(metadata.name);
        self.metadata(metadata);
        self.close('}');
        self.close('}');
    }

    fn metadata(&mut self, metadata: &Metadata) {
        let members =
            [("type", type_name(metadata.kind).as_bytes()), ("help", metadata.help), ("unit", metadata.unit)];
        for (name, text) in members {
            self.key(name);
            self.text(text);
        }
    }

    fn labels(&mut self, labels: &[Label]) {
        self.open('[');
        for label in labels {
            self.open('[');
            self.text(label.name);
            self.text(label.value);
            self.close(']');
        }
        self.close(']');
    }

    fn sample(&mut self, sample: &Sample) {
        self.open('{');
        self.double("value", sample.value);
        self.times(sample.time, sample.start);
        self.close('}');
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        self.open('{');
        self.key("labels");
        self.labels(&exemplar.labels);
        self.double("value", exemplar.value);
        self.times(exemplar.time, 0);
        self.close('}');
    }

    fn histogram(&mut self, histogram: &Histogram) {
        self.open('{');
        self.integer("schema", &histogram.schema);
        self.integer("count", &histogram.count);
        self.double("sum", histogram.sum);
        self.double("zero_threshold", histogram.zero_threshold);
        self.integer("zero_count", &histogram.zero_count);
        self.buckets("positive", &histogram.positive);
        self.buckets("negative", &histogram.negative);
        self.key("custom_values");
        self.open('[');
        histogram.custom_values.iter().for_each(|bound| self.text(value_text(*bound).as_bytes()));
        self.close(']');
        self.times(histogram.time, histogram.start);
        self.close('}');
    }

    fn buckets(&mut self, name: &str, buckets: &Buckets) {
        self.key(name);
        self.open('{');
        self.key("spans");
        self.open('[');
        for span in &buckets.spans {
            self.open('[');
            self.number(&span.offset);
            self.number(&span.length);
            self.close(']');
        }
        self.close(']');
        self.key("deltas");
        self.open('[');
        buckets.deltas.iter().for_each(|delta| self.number(delta));
        self.close(']');
        self.close('}');
    }

    fn times(&mut self, time: i64, start: i64) {
        self.integer("time", &time);
        if start != 0 {
            self.integer("start", &start);
        }
    }

    fn double(&mut self, name: &str, value: f64) {
        self.key(name);
        self.text(value_text(value).as_bytes());
    }

    fn integer(&mut self, name: &str, number: &dyn Display) {
        self.key(name);
        self.number(number);
    }

    /// A comma, unless what follows is the first of its kind or the value of a member.
    fn separate(&mut self) {
        if !self.0.ends_with(['{', '[', ':', '\n']) && !self.0.is_empty() {
            self.0.push(',');
        }
    }

    fn open(&mut self, bracket: char) {
        self.separate();
        self.0.push(bracket);
    }

    fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    fn key(&mut self, name: &str) {
        self.text(name.as_bytes());
        self.0.push(':');
    }

    fn number(&mut self, number: &dyn Display) {
        self.separate();
        let _infallible = write!(self.0, "{number}");
    }

    #[inline(never)]
    fn text(&mut self, text: &[u8]) {
        self.separate();
        self.0.push('"');
        for c in String::from_utf8_lossy(text).chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                c if c.is_ascii_control() => {
                    let _infallible = write!(self.0, "\\u{:04x}", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }
}
