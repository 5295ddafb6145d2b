//! Shows an encoded request to programs, as JSON Lines.

use super::message::{Buckets, Entry, Exemplar, Histogram, Series, entries, type_name, value_text};
use crate::otlp::wire::Malformed;
use crate::translate::labels::Label;
use crate::translate::sink::{Metadata, Sample};
use crate::types::Protocol;

/// One JSON object a line for each series, and for each family whose metadata stands alone; the
/// contract (`inspect`) says what is in them.
///
/// # Errors
///
/// Bytes that are no message of the protocol.
pub fn to_json_lines(request: &[u8], protocol: Protocol) -> Result<String, Malformed> {
    let mut json = Json::default();
    for entry in &entries(request, protocol)? {
        match entry {
            Entry::Series(series) => json.series(series)?,
            Entry::Metadata(metadata) => json.object(|json| {
                json.member("metadata", |json| {
                    json.object(|json| {
                        json.member("name", |json| json.text(metadata.name));
                        json.metadata(metadata);
                    });
                });
            }),
        }
        json.0.push('\n');
    }
    Ok(json.0)
}

/// Text to which JSON is appended.
#[derive(Default)]
struct Json(String);

impl Json {
    fn series(&mut self, series: &Series) -> Result<(), Malformed> {
        let histograms = series.histograms.iter().map(|message| Histogram::read(message));
        let histograms = histograms.collect::<Result<Vec<_>, _>>()?;
        self.object(|json| {
            json.member("labels", |json| json.labels(&series.labels));
            if let Some(metadata) = &series.metadata {
                json.metadata(metadata);
            }
            json.member("samples", |json| json.array(&series.samples, Json::sample));
            json.member("histograms", |json| json.array(&histograms, Json::histogram));
            json.member("exemplars", |json| json.array(&series.exemplars, Json::exemplar));
        });
        Ok(())
    }

    fn metadata(&mut self, metadata: &Metadata) {
        self.member("type", |json| json.text(type_name(metadata.kind).as_bytes()));
        self.member("help", |json| json.text(metadata.help));
        self.member("unit", |json| json.text(metadata.unit));
    }

    fn labels(&mut self, labels: &[Label]) {
        self.array(labels, |json, label| {
            json.array(&[label.name, label.value], |json, text| json.text(text))
        });
    }

    fn sample(&mut self, sample: &Sample) {
        self.object(|json| {
            json.member("value", |json| json.value(sample.value));
            json.times(sample.time, sample.start);
        });
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        self.object(|json| {
            json.member("labels", |json| json.labels(&exemplar.labels));
            json.member("value", |json| json.value(exemplar.value));
            json.times(exemplar.time, 0);
        });
    }

    fn histogram(&mut self, histogram: &Histogram) {
        self.object(|json| {
            json.member("schema", |json| json.number(histogram.schema));
            json.member("count", |json| json.number(histogram.count));
            json.member("sum", |json| json.value(histogram.sum));
            json.member("zero_threshold", |json| json.value(histogram.zero_threshold));
            json.member("zero_count", |json| json.number(histogram.zero_count));
            json.member("positive", |json| json.buckets(&histogram.positive));
            json.member("negative", |json| json.buckets(&histogram.negative));
            json.member("custom_values", |json| {
                json.array(&histogram.custom_values, |json, bound| json.value(*bound));
            });
            json.times(histogram.time, histogram.start);
        });
    }

    fn buckets(&mut self, buckets: &Buckets) {
        self.object(|json| {
            json.member("spans", |json| {
                json.array(&buckets.spans, |json, span| {
                    json.array(&[i64::from(span.offset), i64::from(span.length)], |json, n| json.number(*n));
                });
            });
            json.member("deltas", |json| json.array(&buckets.deltas, |json, delta| json.number(*delta)));
        });
    }

    fn times(&mut self, time: i64, start: i64) {
        self.member("time", |json| json.number(time));
        if start != 0 {
            self.member("start", |json| json.number(start));
        }
    }

    fn object(&mut self, members: impl FnOnce(&mut Json)) {
        self.0.push('{');
        members(self);
        self.0.push('}');
    }

    fn member(&mut self, name: &str, value: impl FnOnce(&mut Json)) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.text(name.as_bytes());
        self.0.push(':');
        value(self);
    }

    fn array<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Json, &T)) {
        self.0.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            write(self, item);
        }
        self.0.push(']');
    }

    fn number(&mut self, number: impl ToString) {
        self.0.push_str(&number.to_string());
    }

    fn value(&mut self, value: f64) {
        self.text(value_text(value).as_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.0.push('"');
        for c in String::from_utf8_lossy(text).chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                '\n' => self.0.push_str("\\n"),
                c if c.is_ascii_control() => {
                    const HEX: [char; 16] =
                        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
                    let code = c as usize;
                    self.0.push_str("\\u00");
                    self.0.extend([HEX[code >> 4], HEX[code & 15]]);
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }
}
