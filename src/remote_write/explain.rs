//! Shows an encoded request to people.

use super::message::WriteRequest;
use std::fmt::Write;

/// One line for each sample: `name{label="value",…} value timestamp`, as the Prometheus text format
/// has it.
pub fn to_text(request: &WriteRequest) -> String {
    let mut text = String::new();
    for series in &request.timeseries {
        let name = series.labels.iter().find(|label| label.name == "__name__");
        let others = series.labels.iter().filter(|label| label.name != "__name__");
        let labels: Vec<String> =
            others.map(|label| format!("{}=\"{}\"", label.name, escaped(&label.value))).collect();
        let head = format!("{}{{{}}}", name.map_or("", |label| &label.value), labels.join(","));
        for sample in &series.samples {
            let _infallible = writeln!(text, "{head} {} {}", number(sample.value), sample.timestamp);
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => value.to_string(),
    }
}
