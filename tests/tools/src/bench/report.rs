//! The table, the bars it is held to, and the same figures for programs.

use std::path::Path;

use serde::Serialize;

/// The versions of remote write that are compared.
const VERSIONS: [&str; 2] = ["1.0", "2.0"];

/// What figures count, for each point.
pub const NANOSECONDS: &str = "ns/point";
/// Bytes that would be sent.
pub const BYTES: &str = "bytes/point";
/// Bytes before compression.
pub const ENCODED: &str = "encoded bytes/point";

/// One figure.
#[derive(Serialize)]
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// With which kind of payload.
    pub payload: &'static str,
    /// In which version of remote write.
    pub protocol: &'static str,
    /// How many points the payload had.
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

/// What all rows of one payload and protocol have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    payload: &'static str,
    protocol: &'static str,
    points: usize,
}

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

    /// Prints the row of the run that was measured last.
    pub fn print_latest(&self) {
        let Some(run) = self.runs().pop() else { return };
        let time = |name| self.value(name, run, NANOSECONDS);
        let ratio = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
        let (native, component, floor) = (time("native"), time("component"), time("floor"));
        let (go, vm) = (time("go-peer"), time("vm-peer"));
        println!(
            "{:<13} {:>3} {:>9}  {:>8} {:>9} {:>8} {:>9} {:>9}  {:>8} {:>7} {:>7}  {:>8} {:>8}  {:>8} {:>8}",
            run.payload,
            run.protocol,
            run.points,
            shown(native, 0),
            shown(component, 0),
            shown(floor, 0),
            shown(go, 0),
            shown(vm, 0),
            shown(ratio(component, native), 2),
            shown(ratio(go, component), 1),
            shown(ratio(vm, component), 2),
            shown(self.value("component", run, BYTES), 1),
            shown(self.value("go-peer", run, BYTES), 1),
            shown(self.value("component", run, ENCODED), 0),
            shown(self.value("go-peer", run, ENCODED), 0),
        );
    }

    /// Prints how the figures compare with the bars.
    pub fn print_bars(&self) {
        println!();
        for bar in self.bars() {
            println!("{bar}");
        }
    }

    fn bars(&self) -> Vec<String> {
        let mut bars = Vec::new();
        let mut payloads: Vec<&str> = self.runs().iter().map(|run| run.payload).collect();
        payloads.dedup();
        for payload in payloads {
            for protocol in VERSIONS {
                let what = format!("{payload}, {protocol}");
                let of = |one, other| self.ratios(payload, protocol, one, other);
                let faster = least(of("go-peer", "component"));
                bars.push(at_least(&format!("{what}: ahead of the Go exporter"), faster, 6.0, "times"));
                if protocol == VERSIONS[0] {
                    let faster = least(of("vm-peer", "component"));
                    bars.push(at_least(&format!("{what}: ahead of VictoriaMetrics"), faster, 1.0, "times"));
                }
                let slower = most(of("component", "native"));
                bars.push(at_most(&format!("{what}: component against native"), slower, 1.6, "times"));
                let drift = self.drift(payload, protocol);
                bars.push(at_most(
                    &format!("{what}: cost per point over all sizes, off by"),
                    drift,
                    25.0,
                    "%",
                ));
            }
            let of = |unit| most(self.shrinking(payload, unit));
            bars.push(at_most(&format!("{payload}: 2.0 before compression, of 1.0"), of(ENCODED), 35.0, "%"));
            bars.push(at_most(&format!("{payload}: 2.0 compressed, of 1.0"), of(BYTES), 75.0, "%"));
        }
        let program = Run { payload: "requests", protocol: VERSIONS[0], points: 1 };
        let program = |name, unit| self.value(name, program, unit).unwrap_or(f64::NAN);
        bars.push(at_most("start to the first accepted payload", program("start", "ms"), 150.0, "ms"));
        bars.push(at_most("idle memory", program("idle-memory", "MiB"), 40.0, "MiB"));
        bars
    }

    /// All runs, in their order.
    fn runs(&self) -> Vec<Run> {
        let times = self.rows.iter().filter(|row| row.name == "native" && row.unit == NANOSECONDS);
        let run = |row: &Row| Run { payload: row.payload, protocol: row.protocol, points: row.points };
        times.map(run).collect()
    }

    fn runs_of(&self, payload: &str, protocol: &str) -> Vec<Run> {
        let mut runs = self.runs();
        runs.retain(|run| (run.payload, run.protocol) == (payload, protocol));
        runs
    }

    /// How many times as long one takes as the other, at each number of points.
    fn ratios(&self, payload: &str, protocol: &str, one: &str, other: &str) -> Vec<f64> {
        let ratio = |run| Some(self.value(one, run, NANOSECONDS)? / self.value(other, run, NANOSECONDS)?);
        self.runs_of(payload, protocol).into_iter().filter_map(ratio).collect()
    }

    /// How far the component's cost of a point is from that at 1,000 points, in percent, at the most.
    fn drift(&self, payload: &str, protocol: &str) -> f64 {
        let runs = self.runs_of(payload, protocol);
        let time = |run| self.value("component", run, NANOSECONDS).unwrap_or(f64::NAN);
        let Some(thousand) = runs.iter().find(|run| run.points == 1_000) else { return 0.0 };
        let thousand = time(*thousand);
        most(runs.into_iter().map(|run| (time(run) / thousand - 1.0).abs() * 100.0).collect())
    }

    /// The component's bytes in 2.0 as a part of those in 1.0, in percent, at each number of points.
    fn shrinking(&self, payload: &str, unit: &str) -> Vec<f64> {
        let part = |run: Run| {
            let old = self.value("component", run, unit)?;
            let new = self.value("component", Run { protocol: VERSIONS[1], ..run }, unit)?;
            Some(new / old * 100.0)
        };
        self.runs_of(payload, VERSIONS[0]).into_iter().filter_map(part).collect()
    }

    fn value(&self, name: &str, run: Run, unit: &str) -> Option<f64> {
        let wanted = (name, run.payload, run.protocol, run.points, unit);
        let row = self
            .rows
            .iter()
            .find(|row| (row.name, row.payload, row.protocol, row.points, row.unit) == wanted)?;
        Some(row.value)
    }
}

/// Prints the head of the table, whose rows come as they are measured.
pub fn print_head() {
    println!(
        "{:<27}  {:^47}  {:^24}  {:^17}  {:^17}",
        "", "ns per point", "times as long", "bytes per point", "before compression"
    );
    println!(
        "{:<13} {:>3} {:>9}  {:>8} {:>9} {:>8} {:>9} {:>9}  {:>8} {:>7} {:>7}  {:>8} {:>8}  {:>8} {:>8}",
        "payload",
        "RW",
        "points",
        "native",
        "component",
        "floor",
        "Go",
        "VM",
        "c/native",
        "Go/c",
        "VM/c",
        "preamp",
        "Go",
        "preamp",
        "Go"
    );
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

fn least(values: Vec<f64>) -> f64 {
    values.into_iter().reduce(f64::min).unwrap_or(f64::NAN)
}

fn most(values: Vec<f64>) -> f64 {
    values.into_iter().reduce(f64::max).unwrap_or(f64::NAN)
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
