//! How a server treats those who connect to it: the times and numbers that connections may take.

use super::keys::{Key, ignored, read};
use super::settings::{Hosts, Serving};
use super::view::{Section, View};
use std::time::Duration;

/// The times of an HTTP server.
pub(super) const TIMES: &[Key] = &[
    read("read_timeout"),
    read("read_header_timeout"),
    read("write_timeout"),
    read("idle_timeout"),
    read("keep_alives_enabled"),
];

/// What preamp bounds beside what the Collector does.
pub(super) const BOUNDS: &[Key] = &[read("max_connections"), read("max_connections_per_address")];

/// Which names an HTTP server is called by.
pub(super) const HOSTS: Key = read("allowed_hosts");

/// What a gRPC server bounds in one connection.
pub(super) const STREAMS: &[Key] = &[read("max_concurrent_streams"), read("keepalive")];

const KEEPALIVE: &[Key] = &[
    read("enabled"),
    read("server_parameters"),
    ignored(
        "enforcement_policy",
        "preamp answers a client's pings however often they come, since they cost next to nothing",
    ),
];

const SERVER_PARAMETERS: &[Key] = &[
    read("enabled"),
    read("max_connection_idle"),
    read("max_connection_age"),
    read("max_connection_age_grace"),
    read("time"),
    read("timeout"),
];

/// The most connections that can be asked for.
const CONNECTIONS_MAX: i64 = 1_000_000;

/// gRPC for Go pings no more often either.
const PING_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Reads what an HTTP server bounds.
pub(super) fn read_http_serving(section: &Section) -> Serving {
    let default = Serving::default();
    let read_timeout = read_time(section, "read_timeout");
    // As in Go, the time for all of a request stands in for those that are 0.
    let time = |key, default| match read_time(section, key) {
        None => default,
        Some(Duration::ZERO) => endless(section, key, read_timeout),
        time => time,
    };
    Serving {
        read_header_timeout: time("read_header_timeout", default.read_header_timeout),
        idle_timeout: time("idle_timeout", default.idle_timeout),
        read_timeout: match read_timeout {
            Some(Duration::ZERO) => endless(section, "read_timeout", None),
            time => time.or(default.read_timeout),
        },
        write_timeout: match read_time(section, "write_timeout") {
            Some(Duration::ZERO) => endless(section, "write_timeout", None),
            time => time.or(default.write_timeout),
        },
        keeps_alive: section.get("keep_alives_enabled").and_then(|view| view.boolean()).unwrap_or(true),
        hosts: read_hosts(section),
        ..read_bounds(section)
    }
}

/// Reads what a gRPC server bounds.
pub(super) fn read_grpc_serving(section: &Section) -> Serving {
    let bounds = read_bounds(section);
    let streams = section.get("max_concurrent_streams");
    let streams = streams.and_then(|view| view.integer(0, i64::from(u32::MAX))).filter(|count| *count > 0);
    let streams = streams.and_then(|count| u32::try_from(count).ok());
    let bounds =
        Serving { max_concurrent_streams: streams.unwrap_or(bounds.max_concurrent_streams), ..bounds };
    let keepalive = section.get("keepalive").map(|view| view.section(&[KEEPALIVE])).filter(is_on);
    let parameters = keepalive.and_then(|keepalive| keepalive.get("server_parameters"));
    let parameters = parameters.map(|view| view.section(&[SERVER_PARAMETERS]));
    let Some(parameters) = parameters.filter(is_on) else { return bounds };
    // As in gRPC for Go, 0 means the default.
    let time = |key| read_time(&parameters, key).filter(|time| !time.is_zero());
    Serving {
        idle_timeout: time("max_connection_idle").or(bounds.idle_timeout),
        max_age: time("max_connection_age"),
        max_age_grace: time("max_connection_age_grace"),
        ping_interval: time("time").map(|time| time.max(PING_INTERVAL_MIN)).or(bounds.ping_interval),
        ping_timeout: time("timeout").unwrap_or(bounds.ping_timeout),
        ..bounds
    }
}

fn is_on(section: &Section) -> bool {
    section.get("enabled").and_then(|view| view.boolean()) != Some(false)
}

fn read_bounds(section: &Section) -> Serving {
    let count = |key, least| {
        let count = section.get(key).and_then(|view| view.integer(least, CONNECTIONS_MAX))?;
        usize::try_from(count).ok().filter(|count| *count > 0)
    };
    let default = Serving::default();
    Serving {
        max_connections: count("max_connections", 1).unwrap_or(default.max_connections),
        max_connections_per_address: count("max_connections_per_address", 0),
        ..default
    }
}

/// A time; 0 is one too.
fn read_time(section: &Section, key: &str) -> Option<Duration> {
    section.get(key)?.duration()
}

/// What stands in for a time of 0, if anything does.
fn endless(section: &Section, key: &str, stand_in: Option<Duration>) -> Option<Duration> {
    let stand_in = stand_in.filter(|time| !time.is_zero());
    if let (None, Some(view)) = (stand_in, section.get(key)) {
        view.warn(
            "0 sets no limit: whoever connects and does no more keeps a connection for as long as they like; \
             leave it out for preamp's default",
        );
    }
    stand_in
}

/// Reads which names a server is called by.
pub(super) fn read_hosts(section: &Section) -> Hosts {
    let texts = section.get(HOSTS.name).map(|view| view.texts()).unwrap_or_default();
    if texts.iter().any(|(text, _)| *text == "*") {
        return Hosts::Any;
    }
    Hosts::Named(texts.iter().filter_map(|(text, view)| read_host(text, view)).collect())
}

fn read_host(text: &str, view: &View) -> Option<String> {
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !is_name {
        view.error(format!("expected the name of a host, without a port, or \"*\"; found {}", view.shown()));
    }
    is_name.then(|| text.trim_end_matches('.').to_ascii_lowercase())
}
