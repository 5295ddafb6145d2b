//! `service.telemetry`: how the process reports on itself.

use super::keys::{Harmless, Key, NOT_YET, ignored, not_yet, read};
use super::receiver::read_address;
use super::serving::{HOSTS, read_hosts};
use super::settings::{Hosts, LogFormat, Telemetry};
use super::view::{Section, View};
use tracing::Level;

const TELEMETRY: &[Key] = &[
    read("logs"),
    read("metrics"),
    ignored("traces", "preamp traces nothing of itself"),
    ignored("resource", "preamp's own metrics carry no resource"),
];

const LOGS: &[Key] = &[
    read("level"),
    read("encoding"),
    ignored("development", "there is no development mode"),
    ignored("disable_caller", "log lines name no line of source"),
    ignored("disable_stacktrace", "log lines carry no stack trace"),
    ignored("sampling", "each kind of trouble is told once a minute, with the number held back"),
    ignored("error_output_paths", "all log lines go to standard error"),
    ignored("processors", "log lines go to standard error only"),
    ignored("disable_zap_resource", "log lines carry no resource"),
    read("output_paths"),
    not_yet("initial_fields", Harmless::Empty),
];

const METRICS: &[Key] = &[
    read("level"),
    read("readers"),
    read("address"),
    ignored("views", "preamp's own metrics are always the same"),
];

const READER: &[Key] =
    &[read("pull"), ignored("periodic", "preamp's own metrics are not pushed; scrape them instead")];

const PULL: &[Key] = &[read("exporter")];

const PULL_EXPORTER: &[Key] = &[read("prometheus")];

const NAMES_ARE_FIXED: &str = "the names and labels of preamp's own metrics are fixed";

const PROMETHEUS: &[Key] = &[
    read("host"),
    read("port"),
    HOSTS,
    ignored("without_units", NAMES_ARE_FIXED),
    ignored("without_type_suffix", NAMES_ARE_FIXED),
    ignored("without_scope_info", NAMES_ARE_FIXED),
    ignored("with_resource_constant_labels", NAMES_ARE_FIXED),
];

/// Where metrics of the process are served unless the file says otherwise.
const HOST: &str = "localhost";
const PORT: i64 = 8888;

/// Reads `service.telemetry`; absent parts mean the Collector's defaults.
pub(super) fn read_telemetry(view: Option<View>) -> Telemetry {
    let section = view.map(|view| view.section(&[TELEMETRY]));
    let part = |key: &str| section.as_ref().and_then(|section| section.get(key));
    let logs = part("logs").map(|view| view.section(&[LOGS]));
    let (log_level, log_format) = logs.map_or((Level::INFO, LogFormat::Console), |logs| read_logs(&logs));
    let default = (format!("{HOST}:{PORT}"), Hosts::Named(Vec::new()));
    let metrics = match part("metrics") {
        Some(view) => read_metrics(&view.section(&[METRICS]), default.clone()),
        None => Some(default.clone()),
    };
    let (metrics_endpoint, metrics_hosts) = match metrics {
        Some((endpoint, hosts)) => (Some(endpoint), hosts),
        None => (None, default.1),
    };
    Telemetry { log_level, log_format, metrics_endpoint, metrics_hosts }
}

fn read_logs(logs: &Section) -> (Level, LogFormat) {
    // Levels above error end the Collector's own process; here they are the least talkative.
    const LEVELS: [&str; 7] = ["debug", "info", "warn", "error", "dpanic", "panic", "fatal"];
    let level = match logs.get("level").and_then(|view| view.choice_of_any_case(&LEVELS)) {
        Some("debug") => Level::DEBUG,
        Some("info") | None => Level::INFO,
        Some("warn") => Level::WARN,
        Some(_) => Level::ERROR,
    };
    let format = match logs.get("encoding").and_then(|view| view.choice(&["console", "json"])) {
        Some("json") => LogFormat::Json,
        _ => LogFormat::Console,
    };
    if let Some(view) = logs.get("output_paths")
        && view.texts().iter().any(|(path, _)| *path != "stderr")
    {
        view.key_error(format!("{NOT_YET}; log lines go to [stderr]"));
    }
    (level, format)
}

fn read_metrics(metrics: &Section, default: (String, Hosts)) -> Option<(String, Hosts)> {
    const LEVELS: [&str; 4] = ["none", "basic", "normal", "detailed"];
    let level = metrics.get("level").and_then(|view| view.choice_of_any_case(&LEVELS));
    let address = metrics.get("address").and_then(|view| {
        view.warn("newer Collectors do not know it: write it as a reader with `pull.exporter.prometheus`");
        read_address(&view)
    });
    let endpoint = match metrics.get("readers") {
        Some(readers) => read_readers(&readers),
        None => Some((address.unwrap_or(default.0), default.1)),
    };
    endpoint.filter(|_| level != Some("none"))
}

/// The address of the reader that is scraped, and the names it is called by; `None` without one.
fn read_readers(readers: &View) -> Option<(String, Hosts)> {
    let mut endpoint = None;
    for reader in readers.list() {
        let Some(pull) = reader.section(&[READER]).get("pull") else { continue };
        let exporter = pull.section(&[PULL]).get("exporter").map(|view| view.section(&[PULL_EXPORTER]));
        let Some(prometheus) = exporter.and_then(|exporter| exporter.present("prometheus")) else {
            pull.error("lacks `exporter.prometheus`");
            continue;
        };
        if endpoint.is_some() {
            pull.key_error(format!("a second reader is {NOT_YET}"));
        }
        endpoint = endpoint.or(Some(read_prometheus(&prometheus.section(&[PROMETHEUS]))));
    }
    endpoint
}

fn read_prometheus(section: &Section) -> (String, Hosts) {
    let host = match section.get("host").and_then(|view| view.text()).unwrap_or(HOST) {
        "" => "0.0.0.0".to_owned(),
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let port = section.get("port").and_then(|view| view.integer(0, i64::from(u16::MAX))).unwrap_or(PORT);
    (format!("{host}:{port}"), read_hosts(section))
}
