//! The exporter `preamp` in an OpenTelemetry Collector: beside the exporter it takes the place of, on the same pipeline, and
//! with receivers that do what receivers do.

mod comparison;
mod credentials;
mod files;
mod receivers;

use amp_stand_in::StandIn;

/// A pipeline from OTLP to the exporter, which has these further keys.
fn configuration(stand_in: &StandIn, keys: &[&str]) -> String {
    let mut text = format!(
        "exporters:\n  preamp:\n    endpoint: {}\n    target_info: {{enabled: false}}\n",
        stand_in.url()
    );
    for key in keys {
        text.push_str(&format!("    {key}\n"));
    }
    text + "service: {pipelines: {metrics: {receivers: [otlp], exporters: [preamp]}}}\n"
}

/// The component signs.
fn signed() -> String {
    format!("sigv4: {{region: {}}}", super::scenarios::REGION)
}

/// Callers wait for the receiver.
const NO_QUEUE: &str = "sending_queue: {enabled: false}";
