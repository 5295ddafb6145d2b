//! What a stand-in keeps, for people: `GET /series?name=METRIC`. AMP has no such path.

use crate::store::Store;
use std::fmt::Write as _;

/// The path.
pub const SERIES_PATH: &str = "/series";

/// The most series that are shown.
const SHOWN_MAX: usize = 1000;

/// The series of a metric, or of all of them, each with its last sample, in Prometheus' text format.
pub(crate) fn series(store: &Store, query: Option<&str>) -> String {
    let wanted = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("name=")));
    let name = |labels: &[(String, String)]| {
        labels.iter().find(|(name, _)| name == "__name__").map_or("", |(_, name)| name).to_owned()
    };
    let mut text = String::new();
    let mut left_out = 0;
    for (number, (labels, samples)) in store
        .series()
        .iter()
        .filter(|(labels, _)| wanted.is_none_or(|wanted| name(labels) == wanted))
        .enumerate()
    {
        if number >= SHOWN_MAX {
            left_out += 1;
            continue;
        }
        let others = labels.iter().filter(|(name, _)| name != "__name__");
        let others: Vec<_> = others.map(|(name, value)| format!("{name}={value:?}")).collect();
        let last = samples.last().map(|sample| format!("{} {}", sample.value, sample.timestamp));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}{{{}}} {}", name(labels), others.join(","), last.unwrap_or_default());
    }
    if left_out > 0 {
        let _ = writeln!(text, "# and {left_out} more: name a metric, as in {SERIES_PATH}?name=up");
    }
    text
}
