//! `extensions.health_check` and `extensions.healthcheckv2`: where it is told whether the process is well.

use super::ids::Component;
use super::keys::{Harmless, Key, ignored, not_yet, read};
use super::receiver::{HTTP_FIELDS, SERVER_FIELDS, read_address, read_tls};
use super::serving::{HOSTS, TIMES, read_http_serving};
use super::settings::{Health, HealthAnswer};
use super::view::Section;
use std::time::Duration;

/// The types, of which the second begins as the first unless `use_v2` is set.
pub(super) const HEALTH_CHECK: [&str; 2] = ["health_check", "healthcheckv2"];

const ENDPOINT: &str = "localhost:13133";
const STATUS_PATH: &str = "/status";
const RECOVERY: Duration = Duration::from_secs(5 * 60);

const EXTENSION: &[Key] = &[
    read("endpoint"),
    read("tls"),
    AUTH,
    HOSTS,
    read("path"),
    read("response_body"),
    ignored("check_collector_pipeline", "newer Collectors do not know it, and it never worked"),
    read("use_v2"),
    read("http"),
    not_yet("grpc", Harmless::Off),
    read("component_health"),
];

/// Whoever asks learns next to nothing, and most that ask cannot say who they are.
const AUTH: Key = not_yet("auth", Harmless::Off);

const BODY: &[Key] = &[read("healthy"), read("unhealthy")];

const HTTP: &[Key] = &[read("endpoint"), read("tls"), AUTH, HOSTS, read("status"), read("config")];

const STATUS: &[Key] = &[read("enabled"), read("path")];

const CONFIG: &[Key] = &[not_yet("enabled", Harmless::Flag(false)), read("path")];

const COMPONENT_HEALTH: &[Key] = &[
    ignored("include_permanent_errors", "preamp goes on after every error"),
    read("include_recoverable_errors"),
    read("recovery_duration"),
];

/// Reads an extension of these types; `None` after something was reported, or if it tells nothing.
pub(super) fn read_health(extension: &Component) -> Option<Health> {
    let section = extension.view.section(&[EXTENSION, SERVER_FIELDS, TIMES, HTTP_FIELDS]);
    if section.get("use_v2").and_then(|view| view.boolean()) == Some(true) {
        return read_v2(extension.id, &section);
    }
    let body = section.get("response_body");
    let body = body.map(|view| view.section(&[BODY]));
    let body = |key| body.as_ref().and_then(|body| body.text(key)).map(|(text, _)| text.to_owned());
    let path = section.text("path").map_or("/", |(path, _)| path);
    let answer = HealthAnswer::Available {
        path: path.to_owned(),
        healthy: body("healthy"),
        unhealthy: body("unhealthy"),
    };
    read_server(extension.id, &section, answer)
}

fn read_v2(id: &str, section: &Section) -> Option<Health> {
    for key in ["endpoint", "path", "response_body", "tls"] {
        if let Some(view) = section.get(key) {
            view.warn("says nothing with `use_v2: true`: see `http`");
        }
    }
    let Some(http) = section.get("http") else {
        section.view().warn("tells nothing: with `use_v2: true` it needs `http`");
        return None;
    };
    let http = http.section(&[HTTP, SERVER_FIELDS, TIMES, HTTP_FIELDS]);
    if let Some(config) = http.get("config") {
        config.section(&[CONFIG]);
    }
    let status = http.get("status").map(|view| view.section(&[STATUS]));
    let status = status.as_ref();
    if status.and_then(|status| status.get("enabled")).and_then(|view| view.boolean()) == Some(false) {
        return None;
    }
    let path = status.and_then(|status| status.text("path")).map_or(STATUS_PATH, |(path, _)| path);
    let health = section.get("component_health").map(|view| view.section(&[COMPONENT_HEALTH]));
    let health = health.as_ref();
    let recoverable = health.and_then(|health| health.get("include_recoverable_errors"));
    let recovery = health.and_then(|health| health.get("recovery_duration")).and_then(|view| view.duration());
    let recovery =
        recoverable.and_then(|view| view.boolean()).unwrap_or(false).then(|| recovery.unwrap_or(RECOVERY));
    read_server(id, &http, HealthAnswer::Status { path: path.to_owned(), recovery })
}

fn read_server(id: &str, server: &Section, answer: HealthAnswer) -> Option<Health> {
    let endpoint = match server.get("endpoint") {
        Some(view) => read_address(&view)?,
        None => ENDPOINT.to_owned(),
    };
    let serving = read_http_serving(server);
    Some(Health { id: id.to_owned(), endpoint, tls: read_tls(server)?, serving, answer })
}
