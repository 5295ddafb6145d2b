//! What alerts answer to: `promtool test rules`, with what `preamp` really shows at `/metrics`.

use crate::children::{fetched, program};
use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Minutes that a test lasts.
const MINUTES: u32 = 55;

/// A fault as two pages of metrics show it, a minute apart: counters go on as they did in that minute, and what waits
/// grows old.
pub struct Case {
    /// What it is called.
    pub name: String,
    /// The page before.
    pub before: String,
    /// The page in the fault.
    pub after: String,
    /// Whether the process is gone after five minutes.
    pub is_killed: bool,
    /// The alert that fires.
    pub alert: String,
}

/// Runs `promtool test rules` on a file.
///
/// # Errors
/// When there is none, or it fails.
pub fn test_rules(file: &Path) -> anyhow::Result<()> {
    let promtool = program("PREAMP_PROMTOOL", fetched("prometheus/usr/bin/promtool"))?;
    let tested = Command::new(promtool).args(["test", "rules"]).arg(file).output()?;
    let said = [tested.stdout, tested.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    ensure!(tested.status.success(), "{}", said.concat());
    Ok(())
}

/// A file for `promtool test rules`.
///
/// # Errors
/// When a page cannot be read.
pub fn rules_test(rules: &Path, cases: &[Case]) -> anyhow::Result<String> {
    let mut file = format!("rule_files: [{}]\nevaluation_interval: 1m\ntests:\n", rules.display());
    for case in cases {
        let name = case.name.replace('\'', "''");
        write!(file, "  - name: '{name}'\n    interval: 1m\n    input_series:\n")?;
        for (series, values) in series(case)? {
            let series = series.replace('\'', "''");
            writeln!(file, "      - {{series: '{series}', values: '{values}'}}")?;
        }
        let expression = format!("group(ALERTS{{alertname=\"{}\", alertstate=\"firing\"}})", case.alert);
        writeln!(
            file,
            "    promql_expr_test:\n      - {{expr: '{expression}', eval_time: 50m, exp_samples: [{{labels: '{{}}', value: 1}}]}}"
        )?;
    }
    Ok(file)
}

fn series(case: &Case) -> anyhow::Result<BTreeMap<String, String>> {
    let (before, after) = (samples(&case.before)?, samples(&case.after)?);
    let minutes = if case.is_killed { 5 } else { MINUTES };
    let mut all = BTreeMap::new();
    for (series, (now, is_counter)) in &after {
        let values = match (is_counter, before.get(series)) {
            (true, Some((then, _))) => format!("{then}+{}x{minutes}", (now - then).max(0.0)),
            (true, None) => format!("_ {now}+{now}x{minutes}"),
            (false, _) if series.starts_with("preamp_queue_oldest_seconds") && *now > 0.0 => {
                format!("{now}+60x{minutes}")
            }
            (false, _) => format!("{now}x{minutes}"),
        };
        all.insert(series.clone(), values);
    }
    let up = if case.is_killed { format!("1x5 0x{MINUTES}") } else { format!("1x{MINUTES}") };
    all.insert("up{job=\"kubernetes-pods\",instance=\"a\"}".to_owned(), up);
    Ok(all)
}

/// The samples of a page of OpenMetrics with labels of a target, and whether each is a counter.
fn samples(page: &str) -> anyhow::Result<BTreeMap<String, (f64, bool)>> {
    let (mut samples, mut is_counter) = (BTreeMap::new(), false);
    for line in page.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            // The Collector's counters have no suffix, so that OpenMetrics does not know their type.
            is_counter = described.ends_with(" counter") || described.ends_with(" unknown");
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').context("a sample")?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let separator = if labels == "}" { "" } else { "," };
        let series = format!("{name}{{job=\"kubernetes-pods\",instance=\"a\"{separator}{labels}");
        samples.insert(series, (value.parse()?, is_counter));
    }
    Ok(samples)
}
