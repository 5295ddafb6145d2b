//! Translated payloads for people and programs, on standard output.

use super::report::Report;
use crate::cli::offline::Offline;
use crate::cli::words::Counted;
use preamp_host::capture::Payload;
use preamp_host::component::Acceptance;
use std::io::{BufWriter, Stdout, Write, stdout};

/// A stream of payloads, each followed by its series.
pub(super) struct View {
    out: BufWriter<Stdout>,
}

impl View {
    pub(super) fn new() -> View {
        View { out: BufWriter::with_capacity(1 << 16, stdout()) }
    }

    /// Writes one payload and its series.
    pub(super) async fn write(
        &mut self,
        exporter: &Offline,
        payload: &Payload,
        acceptance: Acceptance,
    ) -> anyhow::Result<()> {
        write!(self.out, "# {}: {}", payload.place, Counted(acceptance.accepted_points, "point"))?;
        match acceptance.rejections.iter().map(|rejection| rejection.points).sum::<u64>() {
            0 => writeln!(self.out)?,
            rejected => writeln!(self.out, ", {rejected} rejected")?,
        }
        for batch in acceptance.batches {
            self.out.write_all(exporter.explain(batch).await?.as_bytes())?;
        }
        Ok(())
    }

    /// Writes what became of all of them.
    pub(super) fn finish(mut self, report: &Report) -> anyhow::Result<()> {
        for line in report.to_string().lines() {
            writeln!(self.out, "# {line}")?;
        }
        Ok(self.out.flush()?)
    }
}
