//! The table, the bars it is held to, and the same figures for programs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

/// One figure.
#[derive(Serialize)]
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// With which kind of payload.
    pub payload: &'static str,
    /// How many points it had.
    pub points: usize,
    /// The figure.
    pub value: f64,
    /// What it counts.
    pub unit: &'static str,
}

/// All figures of a run.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

const CONTENDERS: [&str; 4] = ["native", "component", "floor", "go-peer"];

impl Report {
    /// Adds a figure.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Writes all figures as JSON.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let rows: Vec<String> =
            self.rows.iter().map(serde_json::to_string).collect::<Result<_, serde_json::Error>>()?;
        Ok(std::fs::write(path, format!("[{}]\n", rows.join(",\n ")))?)
    }

    /// Prints the table and how it compares with the bars.
    pub fn print(&self) {
        self.print_table();
        println!();
        for bar in self.bars() {
            println!("{bar}");
        }
    }

    fn print_table(&self) {
        println!("{:<10} {:>9}  {:^43}  {:^19}  {:^19}", "", "", "ns per point", "", "bytes per point");
        println!(
            "{:<10} {:>9}  {:>10} {:>10} {:>10} {:>10}  {:>9} {:>9}  {:>9} {:>9}",
            "payload",
            "points",
            "native",
            "component",
            "floor",
            "Go peer",
            "/native",
            "Go/comp.",
            "preamp",
            "Go peer"
        );
        let measured: BTreeMap<_, ()> = self.rows.iter().map(|row| ((row.payload, row.points), ())).collect();
        let mut measured: Vec<_> = measured.into_keys().collect();
        measured.sort_by_key(|(payload, points)| (*payload != "requests", *points));
        for (payload, points) in measured {
            let Some([native, component, floor, go]) = self.times(payload, points) else { continue };
            let bytes = |name| self.value(name, payload, points, "bytes/point").unwrap_or(f64::NAN);
            println!(
                "{payload:<10} {points:>9}  {native:>10.0} {component:>10.0} {floor:>10.0} {go:>10.0}  {:>9.2} {:>9.1}  {:>9.1} {:>9.1}",
                component / native,
                go / component,
                bytes("component"),
                bytes("go-peer"),
            );
        }
    }

    fn bars(&self) -> Vec<String> {
        let sizes: Vec<(usize, [f64; 4])> = self.sizes("requests");
        let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let faster = least(&mut sizes.iter().map(|(_, [_, component, _, go])| go / component));
        let slower = most(&mut sizes.iter().map(|(_, [native, component, ..])| component / native));
        let at_thousand =
            sizes.iter().find(|(points, _)| *points == 1_000).map_or(f64::NAN, |(_, all)| all[1]);
        let large = sizes.iter().filter(|(points, _)| *points >= 1_000);
        let drift = most(&mut large.map(|(_, all)| (all[1] / at_thousand - 1.0).abs() * 100.0));
        let program = |name, unit| self.value(name, "requests", 1, unit).unwrap_or(f64::NAN);
        vec![
            at_least("component against the Go peer, the least", faster, 4.0, "times as fast"),
            at_most("component against native, the most", slower, 2.0, "times as long"),
            at_most("per-point cost from 1,000 to 1,000,000 points, off by", drift, 25.0, "%"),
            at_most("start to the first accepted payload", program("start", "ms"), 150.0, "ms"),
            at_most("idle memory", program("idle-memory", "MiB"), 40.0, "MiB"),
        ]
    }

    fn sizes(&self, payload: &str) -> Vec<(usize, [f64; 4])> {
        let sizes = self.rows.iter().filter(|row| row.payload == payload && row.name == CONTENDERS[0]);
        let points: Vec<usize> = sizes.filter(|row| row.unit == "ns/point").map(|row| row.points).collect();
        points.into_iter().filter_map(|points| Some((points, self.times(payload, points)?))).collect()
    }

    /// Nanoseconds per point, in the order of [`CONTENDERS`].
    fn times(&self, payload: &str, points: usize) -> Option<[f64; 4]> {
        let mut times = [0.0; 4];
        for (time, name) in times.iter_mut().zip(CONTENDERS) {
            *time = self.value(name, payload, points, "ns/point")?;
        }
        Some(times)
    }

    fn value(&self, name: &str, payload: &str, points: usize, unit: &str) -> Option<f64> {
        let wanted = (name, payload, points, unit);
        let row = self.rows.iter().find(|row| (row.name, row.payload, row.points, row.unit) == wanted)?;
        Some(row.value)
    }
}

fn at_least(what: &str, value: f64, bar: f64, unit: &str) -> String {
    verdict(value >= bar, what, value, &format!("at least {bar}"), unit)
}

fn at_most(what: &str, value: f64, bar: f64, unit: &str) -> String {
    verdict(value <= bar, what, value, &format!("at most {bar}"), unit)
}

fn verdict(passed: bool, what: &str, value: f64, bar: &str, unit: &str) -> String {
    let word = if passed { "pass" } else { "FAIL" };
    format!("{word}  {what}: {value:.1} {unit} ({bar})")
}
