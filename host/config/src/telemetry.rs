//! `service.telemetry`: how the process reports on itself.

mod push;

use super::definition::{Harmless, Sort, ignored, not_yet};
use super::draft::Draft;
use super::place::Place;
use super::serving::{hosts, listening_host, read_address, read_hosts};
use super::settings::{Hosts, LogFormat, MetricNames, Push, Telemetry};
use super::view::keys::{NOT_YET, keys};
use super::view::{Section, of_nothing};
use super::yaml::Node;
use tracing::Level;

keys! {
    /// The keys of `service.telemetry`.
    pub(super) mod telemetry {
        /// Log lines, which go to standard error.
        logs: Sub.of(&[logs::TABLE]),
        /// The metrics of the process itself.
        metrics: Sub.of(&[metrics::TABLE]),
        /// The attributes of the resource that pushed metrics are of, under their names; a null leaves a default one out.
        resource: Other.says("`service.name: preamp`, `service.version`, and `service.instance.id`: the name of the host"),
    } and [
        ignored("traces", "preamp traces nothing of itself"),
    ]
}

/// Levels above error end the Collector's own process; here they are the least talkative.
const LOG_LEVELS: &[&str] = &["debug", "info", "warn", "error", "dpanic", "panic", "fatal"];

keys! {
    /// The keys of `logs`.
    mod logs {
        /// The least severe level that is logged. Levels above `error` count as `error`.
        level: Choice.among_in_any_case(LOG_LEVELS).or("info"),
        /// How a log line looks: for people, or one JSON object.
        encoding: Choice.among(&["console", "json"]).or("console"),
        /// Where log lines go: `stderr` only.
        output_paths: Texts.says("[stderr]"),
    } and [
        ignored("development", "there is no development mode"),
        ignored("disable_caller", "log lines name no line of source"),
        ignored("disable_stacktrace", "log lines carry no stack trace"),
        ignored("sampling", "each reason is logged once a minute, with the number of suppressed lines"),
        ignored("error_output_paths", "all log lines go to standard error"),
        ignored("processors", "log lines go to standard error only"),
        ignored("disable_zap_resource", "log lines carry no resource"),
        not_yet("initial_fields", Harmless::Empty),
    ]
}

keys! {
    /// The keys of `metrics`.
    mod metrics {
        /// `none` serves no metrics; all other levels mean the same.
        level: Choice.among_in_any_case(&["none", "basic", "normal", "detailed"]).or("normal"),
        /// Where metrics are scraped, at most one reader with `pull.exporter.prometheus`, and where they are pushed.
        readers: Sub.list_of(&[reader::TABLE]).says("one with the defaults"),
        /// The old form of a reader: the address where metrics are served.
        address: Text.sort(Sort::Address).says("as `readers` say"),
    } and [ignored("views", "preamp's own metrics are always the same")]
}

keys! {
    /// The keys of a reader.
    mod reader {
        /// Serves the metrics.
        pull: Sub.of(&[pull::TABLE]),
        /// Pushes the metrics, and once more when the process stops.
        periodic: Sub.of(&[push::periodic::TABLE]),
    }
}

keys! {
    /// The key of `pull`.
    mod pull {
        /// The form that metrics are served in.
        exporter: Sub.of(&[pull_exporter::TABLE]),
    }
}

keys! {
    /// The key of `pull.exporter`.
    mod pull_exporter {
        /// Prometheus' text format at `/metrics`.
        prometheus: Sub.of(&[prometheus::TABLE, hosts::TABLE]),
    }
}

const NAMES_ARE_FIXED: &str = "the names and labels of preamp's own metrics are fixed";

keys! {
    /// The keys of the server of `/metrics`.
    mod prometheus {
        /// The host to listen on; an empty text means all addresses, of IPv6 too.
        host: Text.or("localhost"),
        /// The port to listen on; 0 lets the system choose.
        port: Count.within(0, u16::MAX as i64).or(8888),
        /// Leaves the suffix `_total` out of the names of counters that begin with `otelcol_`. Those of preamp itself
        /// always have it.
        without_type_suffix: Flag.or(true),
        /// Leaves units out of the names of metrics that begin with `otelcol_`.
        without_units: Flag.or(true),
    } and [
        ignored("without_scope_info", NAMES_ARE_FIXED),
        ignored("with_resource_constant_labels", NAMES_ARE_FIXED),
    ]
}

/// Reads `service.telemetry`; absent parts mean the Collector's defaults.
pub(super) fn read_telemetry(section: &Section) -> Telemetry {
    let (log_level, log_format) = read_logs(&section.below(&telemetry::logs));
    let (server, pushes) = read_metrics(&section.below(&telemetry::metrics));
    let (metrics_endpoint, metrics_hosts, metric_names) = match server {
        Some(Server { endpoint, hosts, names }) => (Some(endpoint), hosts, names),
        None => (None, Hosts::Named(Vec::new()), MetricNames::default()),
    };
    let resource =
        section.get(&telemetry::resource).map(|view| push::read_resource(&view)).unwrap_or_default();
    Telemetry { log_level, log_format, metrics_endpoint, metrics_hosts, metric_names, pushes, resource }
}

fn read_logs(logs: &Section) -> (Level, LogFormat) {
    let level = match logs.value(&logs::level) {
        "debug" => Level::DEBUG,
        "info" => Level::INFO,
        "warn" => Level::WARN,
        _ => Level::ERROR,
    };
    let format = match logs.value(&logs::encoding) {
        "json" => LogFormat::Json,
        _ => LogFormat::Console,
    };
    if let Some(view) = logs.get(&logs::output_paths)
        && view.texts().iter().any(|(path, _)| *path != "stderr")
    {
        view.key_error(format!("{NOT_YET}; log lines go to [stderr]"));
    }
    (level, format)
}

/// The server of `/metrics`.
struct Server {
    endpoint: String,
    /// The names it is called by.
    hosts: Hosts,
    /// Those of the metrics.
    names: MetricNames,
}

/// The server of `/metrics`, `None` where nothing is served, and where metrics are pushed.
fn read_metrics(metrics: &Section) -> (Option<Server>, Vec<Push>) {
    let level = metrics.value(&metrics::level);
    let address = metrics.get(&metrics::address).and_then(|view| {
        view.warn("newer Collectors do not know it: write it as a reader with `pull.exporter.prometheus`");
        read_address(&view)
    });
    let usual = of_nothing(read_prometheus);
    let (server, pushes) = match (metrics.get(&metrics::readers), address) {
        (Some(_), _) => read_readers(metrics),
        (None, Some(endpoint)) => (Some(Server { endpoint, ..usual }), Vec::new()),
        (None, None) => {
            if level != "none" {
                metrics.note_node(&metrics::readers, usual_reader);
            }
            (Some(usual), Vec::new())
        }
    };
    if level == "none" { (None, Vec::new()) } else { (server, pushes) }
}

/// The readers that a file without any has.
fn usual_reader() -> Node {
    let draft = Draft { place: Place::NOWHERE };
    let parts = draft.section([
        (prometheus::host.definition.name, prometheus::host.preset().map(|host| draft.text(host))),
        (prometheus::port.definition.name, prometheus::port.preset().map(|port| draft.integer(port))),
    ]);
    let keys = [pull_exporter::prometheus.definition, pull::exporter.definition, reader::pull.definition];
    draft.list(vec![keys.iter().fold(parts, |part, key| draft.within(key.name, part))])
}

/// The reader that is scraped, `None` without one, and those that push.
fn read_readers(metrics: &Section) -> (Option<Server>, Vec<Push>) {
    let (mut server, mut pushes) = (None, Vec::new());
    for reader in metrics.items(&metrics::readers) {
        pushes.extend(reader.switched_on(&reader::periodic).and_then(|periodic| push::read(&periodic)));
        let Some(pull) = reader.within(&reader::pull) else { continue };
        let exporter = pull.within(&pull::exporter);
        let prometheus = &pull_exporter::prometheus;
        if exporter.as_ref().and_then(|exporter| exporter.present_at(prometheus)).is_none() {
            pull.view().error("lacks `exporter.prometheus`");
            continue;
        }
        if server.is_some() {
            pull.view().key_error(format!("a second reader that is scraped is {NOT_YET}"));
        }
        server = server.or(exporter.map(|exporter| read_prometheus(&exporter.below(prometheus))));
    }
    (server, pushes)
}

fn read_prometheus(section: &Section) -> Server {
    let host = match section.value(&prometheus::host) {
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        host => listening_host(host).unwrap_or_else(|| host.to_owned()),
    };
    Server {
        endpoint: format!("{host}:{}", section.value(&prometheus::port)),
        hosts: read_hosts(section),
        names: MetricNames {
            have_type_suffix: !section.value(&prometheus::without_type_suffix),
            have_units: !section.value(&prometheus::without_units),
        },
    }
}
