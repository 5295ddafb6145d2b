//! Differences for people and programs, on standard output.

use super::comparison::{Difference, Differences, Sides};
use super::inspected::{Description, Labels, Point};
use crate::cli::totals::Totals;
use crate::cli::words::Counted;
use preamp_base::printable::{Line, Printable};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write, stdout};

/// Writes differences in lines: `~` before what has another name or description, `-` and `+` before
/// what one side lacks, `!` before what has other points.
pub(super) fn text(
    names: &Sides<String>,
    differences: &Differences,
    unreadable: u64,
    limit: usize,
) -> io::Result<()> {
    let mut out = Printable::lines(BufWriter::new(stdout().lock()));
    let totals = &differences.totals;
    if unreadable > 0 {
        let what = Counted(unreadable, "input");
        writeln!(out, "not compared: {what} could not be read; see standard error")?;
    }
    if differences.is_empty() && unreadable > 0 {
        if totals[0].payloads > 0 {
            writeln!(out, "the rest is the same on both sides: {}", totals[0])?;
        }
        return out.flush();
    }
    if differences.is_empty() {
        writeln!(out, "no difference: {}", totals[0])?;
        return out.flush();
    }
    writeln!(out, "--- {}\n+++ {}", Line(&names[0]), Line(&names[1]))?;
    let mut listing = Listing { out: &mut out, limit };
    listing.write("renamed", &edits(&differences.renamed), |(edit, renamed)| {
        let example = renamed.first().map(|labels| labels.to_string()).unwrap_or_default();
        format!("~ {}: {edit}\n    {example}", Counted(renamed.len() as u64, "series"))
    })?;
    listing.write("lost", &differences.lost, |(labels, points)| lone('-', labels, *points))?;
    listing.write("added", &differences.added, |(labels, points)| lone('+', labels, *points))?;
    listing.write("changed", &differences.changed, |(labels, difference)| {
        format!("! {labels}: {}", changed(difference))
    })?;
    listing.write("described otherwise", &differences.described, |(name, [old, new])| {
        format!("~ {name}: {}", redescribed(old, new))
    })?;
    listing.write("rejected", &differences.rejections, |(reason, [old, new])| {
        format!("! {reason}: {} → {new}", Counted(*old, "point"))
    })?;
    table(&mut out, totals)?;
    out.flush()
}

struct Listing<'o, W> {
    out: &'o mut W,
    limit: usize,
}

impl<W: Write> Listing<'_, W> {
    /// Writes the first differences of a kind, and how many more there are.
    fn write<T>(&mut self, kind: &str, all: &[T], line: impl Fn(&T) -> String) -> io::Result<()> {
        let shown = if self.limit == 0 { all.len() } else { self.limit.min(all.len()) };
        for difference in &all[..shown] {
            writeln!(self.out, "{}", line(difference))?;
        }
        match all.len() - shown {
            0 => Ok(()),
            more => writeln!(self.out, "… and {more} more {kind} (--limit 0 shows all)"),
        }
    }
}

/// Renamed series by what was done to their labels.
fn edits(renamed: &[(Sides<Labels>, u64)]) -> Vec<(String, Vec<&Labels>)> {
    let mut edits = BTreeMap::<String, Vec<&Labels>>::new();
    for ([old, new], _) in renamed {
        edits.entry(edit(old, new)).or_default().push(old);
    }
    let mut edits: Vec<_> = edits.into_iter().collect();
    edits.sort_by_key(|(_, renamed)| std::cmp::Reverse(renamed.len()));
    edits
}

fn edit(old: &Labels, new: &Labels) -> String {
    let [old, new] = [old, new].map(|labels| labels.iter().collect::<BTreeMap<_, _>>());
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let changes = names.into_iter().filter_map(|name| match (old.get(name), new.get(name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some(format!("{name} {old:?} → {new:?}")),
        (Some(old), None) => Some(format!("without {name}={old:?}")),
        (None, new) => Some(format!("with {name}={:?}", new.copied().unwrap_or_default())),
    });
    changes.collect::<Vec<_>>().join(", ")
}

fn lone(mark: char, labels: &Labels, points: u64) -> String {
    format!("{mark} {labels}: {}", Counted(points, "sample"))
}

fn changed(difference: &Difference) -> String {
    let Difference { lone: [lost, added], altered, example, .. } = difference;
    let mut parts = Vec::new();
    if let Some(example) = example {
        parts.push(format!("{} altered, first {}", Counted(*altered, "sample"), altered_point(example)));
    }
    for (number, what) in [(lost, "lost"), (added, "added")] {
        if *number > 0 {
            parts.push(format!("{} {what}", Counted(*number, "sample")));
        }
    }
    parts.join(", ")
}

fn altered_point([old, new]: &Sides<Point>) -> String {
    match (old.start, new.start) {
        (Some(old_start), Some(new_start)) if old.value == new.value => {
            format!("start {old_start} → {new_start} at {}", old.time)
        }
        _ => format!("{} → {} at {}", old.value, new.value, old.time),
    }
}

fn redescribed(old: &Description, new: &Description) -> String {
    let parts =
        [("type", &old.kind, &new.kind), ("unit", &old.unit, &new.unit), ("help", &old.help, &new.help)];
    let changes = parts.into_iter().filter(|(_, old, new)| old != new);
    changes.map(|(part, old, new)| format!("{part} {old:?} → {new:?}")).collect::<Vec<_>>().join(", ")
}

/// Sums that a table shows.
fn sums(totals: &Totals) -> [(&'static str, u64); 9] {
    [
        ("points", totals.points),
        ("rejected points", totals.rejected_points),
        ("series", totals.series),
        ("samples", totals.samples),
        ("native histograms", totals.histograms),
        ("exemplars", totals.exemplars),
        ("request bodies", totals.batches),
        ("bytes", totals.uncompressed_bytes),
        ("compressed bytes", totals.compressed_bytes),
    ]
}

fn table(out: &mut impl Write, [first, second]: &Sides<Totals>) -> io::Result<()> {
    let payloads = Counted(first.payloads, "payload").to_string();
    writeln!(out, "{payloads:18}{:>14}{:>14}", "---", "+++")?;
    for ((name, old), (_, new)) in sums(first).into_iter().zip(sums(second)) {
        let row = format!("{name:18}{old:>14}{new:>14}{:>10}", growth(old, new));
        if old > 0 || new > 0 {
            writeln!(out, "{}", row.trim_end())?;
        }
    }
    Ok(())
}

fn growth(old: u64, new: u64) -> String {
    match old {
        _ if old == new => String::new(),
        0 => "new".to_owned(),
        _ => format!("{:+.1} %", (new as f64 / old as f64 - 1.0) * 100.0),
    }
}

/// Writes an object a line.
pub(super) fn json(names: &Sides<String>, differences: &Differences, unreadable: u64) -> io::Result<()> {
    let mut out = Printable::json(BufWriter::new(stdout().lock()));
    let mut write = |kind: &str, value: Value| writeln!(out, "{}", json!({ kind: value }));
    for ([from, to], samples) in &differences.renamed {
        write("renamed", json!({ "from": pairs(from), "to": pairs(to), "samples": samples }))?;
    }
    for (kind, series) in [("lost", &differences.lost), ("added", &differences.added)] {
        for (labels, samples) in series {
            write(kind, json!({ "labels": pairs(labels), "samples": samples }))?;
        }
    }
    for (labels, Difference { lone: [lost, added], altered, example, .. }) in &differences.changed {
        let example = example.as_deref().map(|points| points.each_ref().map(point));
        let counts = json!({ "lost": lost, "added": added, "altered": altered });
        write("changed", json!({ "labels": pairs(labels), "samples": counts, "first_altered": example }))?;
    }
    for (name, descriptions) in &differences.described {
        write(
            "described",
            json!({ "name": name, "descriptions": descriptions.each_ref().map(description) }),
        )?;
    }
    for (reason, points) in &differences.rejections {
        write("rejected", json!({ "reason": reason, "points": points }))?;
    }
    if unreadable > 0 {
        write("not_compared", json!({ "inputs": unreadable }))?;
    }
    write("total", json!({ "sides": names, "totals": differences.totals.each_ref().map(total) }))?;
    out.flush()
}

fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels.iter().collect()
}

fn point(Point { time, start, value }: &Point) -> Value {
    json!({ "time": time, "start": start, "value": value })
}

fn description(Description { kind, help, unit }: &Description) -> Value {
    json!({ "type": kind, "help": help, "unit": unit })
}

fn total(totals: &Totals) -> Value {
    let sums = sums(totals).into_iter().chain([("payloads", totals.payloads)]);
    sums.map(|(name, sum)| (name.replace(' ', "_"), Value::from(sum)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
