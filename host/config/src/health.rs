//! `extensions.health_check` and `extensions.healthcheckv2`: where it is told whether the process is well.

use super::definition::{Definition, Form, Harmless, Sort, Tables, Type, ignored, not_yet};
use super::ids::Component;
use super::serving::{HTTP_FIELDS, SERVER_FIELDS, read_endpoint, read_tls};
use super::serving::{hosts, read_unbounded_http_serving, times};
use super::settings::{Health, HealthAnswer};
use super::tls;
use super::view::Section;
use super::view::keys::{Key, Sub, Text, keys};
use std::time::Duration;

/// The types, of which the second begins as the first unless `use_v2` is set.
pub(super) const HEALTH_CHECK: [&str; 2] = ["health_check", "healthcheckv2"];

/// The same with their keys.
pub(super) const TYPES: &[Type] = &[Type::new(
    &HEALTH_CHECK,
    &[extension::TABLE, server::TABLE, SERVER_FIELDS, times::TABLE, hosts::TABLE, HTTP_FIELDS],
)];

/// Whoever asks learns next to nothing, and most that ask cannot say who they are.
const AUTH: Definition = not_yet("auth", Harmless::Off);

keys! {
    /// What the server of both versions has.
    mod server {
        /// The address to listen on.
        endpoint: Text.sort(Sort::Address).or("localhost:13133"),
        /// TLS. Without the section connections are plain.
        tls: Sub.of(tls::SERVER),
    } and [AUTH]
}

keys! {
    /// The keys of the extension.
    mod extension {
        /// The path that is answered.
        path: Text.or("/"),
        /// What is answered in place of the Collector's JSON.
        response_body: Sub.of(&[body::TABLE]).says("the Collector's JSON"),
        /// Answers in the way of version 2, as `http` says.
        use_v2: Flag.or(false),
        /// Version 2: the server.
        http: Sub.of(HTTP),
        /// Version 2: what counts as unwell.
        component_health: Sub.of(&[component_health::TABLE]),
    } and [
        ignored("check_collector_pipeline", "newer Collectors do not know it, and it never worked"),
        not_yet("grpc", Harmless::Off),
    ]
}

keys! {
    /// The keys of `response_body`.
    mod body {
        /// The body while requests are taken.
        healthy: Text,
        /// The body while they are not.
        unhealthy: Text,
    }
}

const HTTP: Tables = &[v2::TABLE, server::TABLE, SERVER_FIELDS, times::TABLE, hosts::TABLE, HTTP_FIELDS];

keys! {
    /// What the server of version 2 has beside that.
    mod v2 {
        /// The answer about the status.
        status: Sub.of(&[status::TABLE]),
        /// The answer about the configuration, which preamp does not give.
        config: Sub.of(&[config::TABLE]),
    }
}

keys! {
    /// The keys of `status`.
    mod status {
        /// Answers about the status.
        enabled: Flag.or(true),
        /// The path that is answered.
        path: Text.or("/status"),
    }
}

keys! {
    /// The keys of `config`.
    mod config {} and [
        not_yet("enabled", Harmless::Flag(false)),
        Definition::new("path", Form::Text(Sort::Plain), "The path that would be answered."),
    ]
}

keys! {
    /// The keys of `component_health`.
    mod component_health {
        /// Counts batches that wait for credentials as unwell, after `recovery_duration`.
        include_recoverable_errors: Flag.or(false),
        /// How long that may go on.
        recovery_duration: Time.or(Duration::from_secs(5 * 60)),
    } and [ignored("include_permanent_errors", "preamp goes on after every error")]
}

/// Reads an extension of these types; `None` after something was reported, or if it tells nothing.
pub(super) fn read_health(extension: &Component) -> Option<Health> {
    let section = extension.view.section(TYPES[0].tables);
    if section.value(&extension::use_v2) {
        return read_v2(extension.id, &section);
    }
    let body = section.within(&extension::response_body);
    let body =
        |key: &Key<Text>| body.as_ref().and_then(|body| body.text(key)).map(|(text, _)| text.to_owned());
    let answer = HealthAnswer::Available {
        path: section.text_or_default(&extension::path).to_owned(),
        healthy: body(&body::healthy),
        unhealthy: body(&body::unhealthy),
    };
    read_server(extension.id, &section, answer)
}

fn read_v2(id: &str, section: &Section) -> Option<Health> {
    for key in [&server::endpoint, &extension::path] {
        warn_of_v1(section, key);
    }
    for key in [&extension::response_body, &server::tls] {
        warn_of_v1(section, key);
    }
    let Some(http) = section.within(&extension::http) else {
        section.view().warn("tells nothing: with `use_v2: true` it needs `http`");
        return None;
    };
    http.within(&v2::config);
    let status = http.below(&v2::status);
    if !status.value(&status::enabled) {
        return None;
    }
    let path = status.text_or_default(&status::path).to_owned();
    let health = section.below(&extension::component_health);
    let recovery = health.value(&component_health::recovery_duration);
    let recovery = health.value(&component_health::include_recoverable_errors).then_some(recovery);
    read_server(id, &http, HealthAnswer::Status { path, recovery })
}

fn warn_of_v1<K>(section: &Section, key: &Key<K>) {
    if let Some(view) = section.get(key) {
        view.warn("says nothing with `use_v2: true`: see `http`");
    }
}

fn read_server(id: &str, server: &Section, answer: HealthAnswer) -> Option<Health> {
    let endpoint = read_endpoint(server, &server::endpoint)?;
    let serving = read_unbounded_http_serving(server);
    Some(Health { id: id.to_owned(), endpoint, tls: read_tls(server, &server::tls)?, serving, answer })
}
