//! The process as the system sees it. Nothing is told where the system has no `/proc`.

use std::fmt;
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Asks the system at each scrape.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    pub(super) started: Instant,
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut counter = |name: &str, help: &str, value: f64| {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)
        };
        counter("otelcol_process_uptime", "Seconds since the start", self.started.elapsed().as_secs_f64())?;
        let Some(Usage { cpu_seconds, resident_bytes }) = usage() else { return Ok(()) };
        counter("otelcol_process_cpu_seconds", "Processor time used, of user and system", cpu_seconds)?;
        let (name, help) = ("otelcol_process_memory_rss", "Resident memory in bytes");
        ConstGauge::new(resident_bytes).encode(encoder.encode_descriptor(
            name,
            help,
            None,
            MetricType::Gauge,
        )?)
    }
}

/// What the process uses.
struct Usage {
    cpu_seconds: f64,
    resident_bytes: u64,
}

/// The memory that the process uses now, in bytes, if the system tells.
pub(crate) fn process_memory() -> Option<u64> {
    usage().map(|usage| usage.resident_bytes)
}

/// What the process uses now, if the system tells.
#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "ticks of years have less than 52 bits")]
fn usage() -> Option<Usage> {
    let stat = procfs::process::Process::myself().and_then(|process| process.stat()).ok()?;
    let ticks = stat.utime + stat.stime;
    Some(Usage {
        cpu_seconds: ticks as f64 / procfs::ticks_per_second() as f64,
        resident_bytes: stat.rss * procfs::page_size(),
    })
}

/// What the process uses now, if the system tells.
#[cfg(not(target_os = "linux"))]
fn usage() -> Option<Usage> {
    None
}
