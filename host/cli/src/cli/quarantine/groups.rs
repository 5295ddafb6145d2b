//! A summary of the quarantine: by state and reason, and by metric.

use super::super::stored::{At, points};
use super::super::words::Counted;
use preamp_base::printable::Line;
use preamp_queue::durable::Kept;
use preamp_wasm::ExporterPool;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The most metrics that are named of one reason.
const NAMED_MAX: usize = 20;

/// A name in place of those of a batch that cannot be read.
const UNREADABLE: &str = "(cannot be read)";

/// The batches quarantined for one reason.
#[derive(Default)]
struct Group {
    points: u64,
    batches: u64,
    first: Option<i64>,
    last: Option<i64>,
    /// What the receiver said the last time.
    detail: String,
    /// Series by metric.
    series: BTreeMap<String, u64>,
}

/// Groups by state and reason.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<(String, String), Group>);

/// A series as the function `inspect` of the contract gives it.
#[derive(Deserialize)]
struct Named {
    labels: Vec<(String, String)>,
}

impl Groups {
    /// Groups quarantined batches.
    ///
    /// # Errors
    /// When the component fails.
    pub(super) async fn of<'k>(
        quarantined: impl Iterator<Item = &'k Kept>,
        exporters: &ExporterPool,
    ) -> anyhow::Result<Groups> {
        let mut groups = Groups::default();
        for kept in quarantined {
            let names = match &kept.batch {
                Some(batch) => {
                    exporters.inspect(batch.clone()).await?.map_or_else(|_| None, |text| Some(names(&text)))
                }
                None => None,
            };
            groups.add(kept, names.unwrap_or_else(|| vec![UNREADABLE.to_owned()]));
        }
        Ok(groups)
    }

    fn add(&mut self, kept: &Kept, names: Vec<String>) {
        let group = self.0.entry((kept.state.clone(), kept.reason.clone())).or_default();
        group.points += kept.points;
        group.batches += 1;
        group.first = Some(group.first.map_or(kept.at, |first| first.min(kept.at)));
        if group.last.is_none_or(|last| kept.at >= last) {
            group.last = Some(kept.at);
            group.detail.clone_from(&kept.detail);
        }
        for name in names {
            *group.series.entry(name).or_default() += 1;
        }
    }

    /// Prints a block for each reason.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let (in_all, batches) = self
            .0
            .values()
            .fold((0, 0), |(in_all, batches), group| (in_all + group.points, batches + group.batches));
        if batches == 0 {
            return writeln!(out, "the quarantine is empty");
        }
        writeln!(out, "{} in quarantine, in {}", points(in_all), Counted(batches, "batch"))?;
        for ((state, reason), group) in &self.0 {
            group.print(state, reason, out)?;
        }
        writeln!(out, "each batch: preamp quarantine list --all; series and samples: preamp quarantine show")
    }
}

impl Group {
    fn print(&self, state: &str, reason: &str, out: &mut impl Write) -> io::Result<()> {
        let (held, batches) = (points(self.points), Counted(self.batches, "batch"));
        writeln!(out, "\n{} {}: {held}, {batches}", Line(state), Line(reason))?;
        if let (Some(first), Some(last)) = (self.first, self.last) {
            writeln!(out, "  from {} to {}", At(first), At(last))?;
        }
        if !self.detail.is_empty() {
            writeln!(out, "  last: {}", Line(&self.detail))?;
        }
        let mut metrics: Vec<_> = self.series.iter().collect();
        metrics.sort_by_key(|(_, series)| std::cmp::Reverse(**series));
        for (name, series) in metrics.iter().take(NAMED_MAX) {
            writeln!(out, "  {series:>8} series  {}", Line(name))?;
        }
        if let Some(more @ 1..) = metrics.len().checked_sub(NAMED_MAX) {
            writeln!(out, "           and {}", Counted(more as u64, "other metric"))?;
        }
        Ok(())
    }
}

/// The metric of each series of a batch.
fn names(inspected: &str) -> Vec<String> {
    let series = inspected.lines().filter_map(|line| serde_json::from_str::<Named>(line).ok());
    let name = |Named { labels }: Named| labels.into_iter().find(|(name, _)| name == "__name__");
    series.map(|named| name(named).map_or_else(|| "(no name)".to_owned(), |(_, name)| name)).collect()
}
