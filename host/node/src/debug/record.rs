//! A record of the log: in the shape of the Collector's console, or as JSON like preamp's own.

use super::text::Counts;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What is written at once.
pub(super) struct Record {
    time: String,
    message: String,
    fields: Map<String, Value>,
}

impl Record {
    /// A message of an exporter, which may have many lines.
    pub(super) fn new(exporter: &str, message: &str) -> Self {
        let fields = Map::from_iter([
            ("otelcol.component.id".to_owned(), json!(exporter)),
            ("otelcol.component.kind".to_owned(), json!("exporter")),
            ("otelcol.signal".to_owned(), json!("metrics")),
        ]);
        // That a time has no text is not to be feared: the form has no part that could be missing.
        let time = OffsetDateTime::now_utc().format(MILLISECONDS).unwrap_or_default();
        Record { time, message: message.to_owned(), fields }
    }

    /// How much is in a payload.
    pub(super) fn of_counts(exporter: &str, counts: Counts) -> Self {
        let mut record = Record::new(exporter, "Metrics");
        let Counts { resources, metrics, points } = counts;
        for (name, count) in [("resource metrics", resources), ("metrics", metrics), ("data points", points)]
        {
            record.fields.insert(name.to_owned(), json!(count));
        }
        record
    }

    /// For people.
    pub(super) fn console(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!("{}: {value}", json!(name)));
        let fields = fields.collect::<Vec<_>>().join(", ");
        format!("{}\tinfo\t{}\t{{{fields}}}\n", self.time, self.message)
    }

    /// For programs: one line.
    pub(super) fn json(&self) -> String {
        let mut record = Map::from_iter([
            ("timestamp".to_owned(), json!(self.time)),
            ("level".to_owned(), json!("INFO")),
            ("message".to_owned(), json!(self.message)),
        ]);
        record.extend(self.fields.clone());
        format!("{}\n", Value::Object(record))
    }
}
