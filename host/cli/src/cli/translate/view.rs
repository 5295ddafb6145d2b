//! Translated payloads for people and programs, on standard output.

use super::report::Report;
use crate::capture::Payload;
use crate::cli::offline::Offline;
use crate::cli::totals::Taken;
use preamp_base::printable::{Line, Printable};
use preamp_contract::Acceptance;
use serde_json::json;
use std::io::{BufWriter, Stdout, Write, stdout};

/// A stream of payloads, each followed by its series.
pub(super) struct View {
    out: Printable<BufWriter<Stdout>>,
    notation: Notation,
}

#[derive(Clone, Copy)]
enum Notation {
    Text,
    Json,
}

impl View {
    pub(super) fn text() -> View {
        View::new(Notation::Text)
    }

    pub(super) fn json() -> View {
        View::new(Notation::Json)
    }

    fn new(notation: Notation) -> View {
        let out = BufWriter::with_capacity(1 << 16, stdout());
        let out = match notation {
            Notation::Text => Printable::lines(out),
            Notation::Json => Printable::json(out),
        };
        View { out, notation }
    }

    /// Writes one payload and its series.
    pub(super) async fn write(
        &mut self,
        exporter: &Offline,
        payload: &Payload,
        acceptance: Acceptance,
    ) -> anyhow::Result<()> {
        let place = &payload.place;
        let taken = Taken::of(&acceptance);
        match self.notation {
            Notation::Text => {
                writeln!(self.out, "# {}: {taken}", Line(place))?;
            }
            Notation::Json => {
                let Taken { points, rejected_points } = taken;
                let object = json!({ "payload": {
                    "place": place.to_string(), "points": points, "rejected_points": rejected_points,
                }});
                writeln!(self.out, "{object}")?;
            }
        }
        for batch in acceptance.batches {
            let series = match self.notation {
                Notation::Text => exporter.explain(batch).await?,
                Notation::Json => exporter.inspect(batch).await?,
            };
            self.out.write_all(series.as_bytes())?;
        }
        Ok(())
    }

    /// Writes what became of all of them.
    pub(super) fn finish(mut self, report: &Report) -> anyhow::Result<()> {
        match self.notation {
            Notation::Text => {
                for line in report.to_string().lines() {
                    writeln!(self.out, "# {line}")?;
                }
            }
            Notation::Json => {
                for object in report.to_json() {
                    writeln!(self.out, "{object}")?;
                }
            }
        }
        Ok(self.out.flush()?)
    }
}
