//! How a server treats those who connect to it: the times and numbers that connections may take.

use super::definition::{Harmless, Table, ignored, not_yet, only};
use super::settings::{Hosts, ServerTls, Serving};
use super::tls::read_server_tls;
use super::view::keys::{Key, Sub, Text, Time, keys};
use super::view::{Section, View, of_nothing};
use std::time::Duration;

/// What every server has, and every one of preamp's treats alike.
pub(super) const SERVER_FIELDS: Table = &[
    only("transport", &["tcp"], &["tcp4", "tcp6", "unix"]),
    not_yet("middlewares", Harmless::Empty),
    ignored("include_metadata", "preamp passes no request metadata on"),
];

/// What every HTTP server has beside that.
pub(super) const HTTP_FIELDS: Table = &[
    not_yet("cors", Harmless::Empty),
    not_yet("response_headers", Harmless::Empty),
    not_yet("compression_algorithms", Harmless::Off),
];

/// The most connections that can be asked for.
const CONNECTIONS_MAX: i64 = 1_000_000;

/// gRPC for Go pings no more often either.
const PING_INTERVAL_MIN: Duration = Duration::from_secs(1);

keys! {
    /// The times of an HTTP server.
    pub(super) mod times {
        /// How long the body of a request may take to arrive, once its head is there; 0 sets no limit.
        read_timeout: Time.or(Duration::from_secs(60)),
        /// How long the head of a request may take to arrive; 0 means `read_timeout`, if that is set.
        read_header_timeout: Time.or(Duration::from_secs(60)),
        /// How long an answer may wait to be read; 0 sets no limit.
        write_timeout: Time.or(Duration::from_secs(30)),
        /// How long a connection may be without a request; 0 means `read_timeout`, if that is set.
        idle_timeout: Time.or(Serving::IDLE),
        /// Serves more than one request over a connection of HTTP/1.
        keep_alives_enabled: Flag.or(true),
    }
}

keys! {
    /// What preamp bounds beside what the Collector does.
    pub(super) mod bounds {
        /// The most connections of this port, as far as the system's limit of open files allows them.
        max_connections: Count.within(1, CONNECTIONS_MAX).or(10_000).own(),
        /// The most connections from one address, in IPv6 from one /64; 0 sets no limit.
        max_connections_per_address: Count.within(0, CONNECTIONS_MAX).or(0).own(),
    }
}

keys! {
    /// Which names an HTTP server is called by.
    pub(super) mod hosts {
        /// Further names that a server on loopback without TLS may be called by; `"*"` allows any.
        allowed_hosts: Texts.own(),
    }
}

keys! {
    /// What a gRPC server bounds in one connection.
    pub(super) mod streams {
        /// The most requests at a time in one connection; 0 means the default.
        max_concurrent_streams: Count.within(0, u32::MAX as i64).or(100),
        /// How connections are tested and ended.
        keepalive: Sub.of(&[keepalive::TABLE]),
    }
}

keys! {
    /// The keys of `keepalive`.
    mod keepalive {
        /// Takes the section into account.
        enabled: Flag.or(true),
        /// What the server does. In it 0 means the default.
        server_parameters: Sub.of(&[server_parameters::TABLE]),
    } and [
        ignored(
            "enforcement_policy",
            "preamp answers a client's pings however often they come, since they cost next to nothing",
        ),
    ]
}

keys! {
    /// The keys of `keepalive.server_parameters`.
    mod server_parameters {
        /// Takes the section into account.
        enabled: Flag.or(true),
        /// How long a connection may be without a request.
        max_connection_idle: Time.or(Serving::IDLE),
        /// How old a connection may get.
        max_connection_age: Time,
        /// How long requests of a connection that is too old may go on.
        max_connection_age_grace: Time,
        /// How often a connection is tested with a ping; less than 1s counts as 1s.
        time: Time.or(Duration::from_secs(60)),
        /// How long the answer to a ping may take.
        timeout: Time.or(Duration::from_secs(20)),
    }
}

/// Reads what an HTTP server bounds.
pub(super) fn read_http_serving(section: &Section) -> Serving {
    of_nothing(|nothing| read_serving(section, section, nothing))
}

/// The same of a server whose number of connections is preamp's own affair.
pub(super) fn read_unbounded_http_serving(section: &Section) -> Serving {
    of_nothing(|nothing| read_serving(nothing, section, nothing))
}

/// Reads what a gRPC server bounds.
pub(super) fn read_grpc_serving(section: &Section) -> Serving {
    let idle_timeout = keepalive_time(section, &server_parameters::max_connection_idle);
    of_nothing(|nothing| Serving { idle_timeout, ..read_serving(section, nothing, section) })
}

impl Default for Serving {
    fn default() -> Self {
        of_nothing(|nothing| read_serving(nothing, nothing, nothing))
    }
}

/// What is read of three sections, of which any may be nothing: of the number of connections, of the times of HTTP, and
/// of the streams of gRPC.
fn read_serving(bounds: &Section, http: &Section, grpc: &Section) -> Serving {
    // As in Go, the time for all of a request stands in for those that are 0.
    let whole = http.given(&times::read_timeout);
    let max_connections = bounds.value(&bounds::max_connections);
    let of_address = bounds.value(&bounds::max_connections_per_address);
    let most_streams = &streams::max_concurrent_streams;
    let streams = [grpc.value(most_streams), most_streams.preset().unwrap_or_default()];
    Serving {
        read_header_timeout: time(http, &times::read_header_timeout, whole),
        read_timeout: time(http, &times::read_timeout, None),
        write_timeout: time(http, &times::write_timeout, None),
        idle_timeout: time(http, &times::idle_timeout, whole),
        keeps_alive: http.value(&times::keep_alives_enabled),
        max_connections: usize::try_from(max_connections).unwrap_or(usize::MAX),
        max_connections_per_address: usize::try_from(of_address).ok().filter(|count| *count > 0),
        max_concurrent_streams: streams.into_iter().find(|count| *count > 0).unwrap_or_default() as u32,
        ping_interval: keepalive_time(grpc, &server_parameters::time).map(|time| time.max(PING_INTERVAL_MIN)),
        ping_timeout: keepalive_time(grpc, &server_parameters::timeout).unwrap_or_default(),
        max_age: keepalive_time(grpc, &server_parameters::max_connection_age),
        max_age_grace: keepalive_time(grpc, &server_parameters::max_connection_age_grace),
        hosts: read_hosts(http),
    }
}

/// A time of `keepalive`. As in gRPC for Go, 0 means the default.
fn keepalive_time(grpc: &Section, key: &Key<Time>) -> Option<Duration> {
    let keepalive = grpc.below(&streams::keepalive);
    if !keepalive.value(&keepalive::enabled) {
        return key.preset();
    }
    let parameters = keepalive.below(&keepalive::server_parameters);
    if !parameters.value(&server_parameters::enabled) {
        return key.preset();
    }
    let time = if key.preset().is_some() { Some(parameters.value(key)) } else { parameters.given(key) };
    time.filter(|time| !time.is_zero()).or(key.preset())
}

/// A time of which 0 is none, unless something stands in for it.
fn time(section: &Section, key: &Key<Time>, stand_in: Option<Duration>) -> Option<Duration> {
    let time = Some(section.value(key)).filter(|time| !time.is_zero());
    let time = time.or(stand_in.filter(|time| !time.is_zero()));
    if let (None, Some(view)) = (time, section.get(key)) {
        view.warn(
            "0 sets no limit: whoever connects and does no more keeps a connection for as long as they like; \
             leave it out for preamp's default",
        );
    }
    time
}

/// Reads which names a server is called by.
pub(super) fn read_hosts(section: &Section) -> Hosts {
    let texts = section.get(&hosts::allowed_hosts).map(|view| view.texts()).unwrap_or_default();
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

/// Reads whether TLS is spoken; `None` after something was reported.
pub(super) fn read_tls(section: &Section, key: &Key<Sub>) -> Option<Option<ServerTls>> {
    section.within(key).map_or(Some(None), |section| read_server_tls(&section))
}

/// Reads an address to listen on; `None` after something was reported.
pub(super) fn read_endpoint(section: &Section, key: &Key<Text>) -> Option<String> {
    match section.get(key) {
        Some(view) => read_address(&view),
        None => Some(section.text_or_default(key).to_owned()),
    }
}

/// An address to listen on, `host:port`. Without a host, which is then empty, it means all addresses of the machine.
pub(super) fn read_address(view: &View) -> Option<String> {
    let text = view.text()?;
    let address = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let address = address.and_then(|(host, port)| Some(format!("{}:{port}", listening_host(host)?)));
    if address.is_none() {
        let hint = if text.matches(':').count() > 1 {
            "; an IPv6 address stands in brackets: [::1]:4317"
        } else {
            ""
        };
        view.error(format!("expected host:port, such as 127.0.0.1:4317, found {}{hint}", view.shown()));
    }
    address
}

/// A host name or an address as it stands before a port: IPv6 in brackets, anything else without; empty for all
/// addresses. Charts write brackets around whatever a variable holds.
pub(super) fn listening_host(text: &str) -> Option<String> {
    let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => Some(text.to_owned()),
        Some(bare) => Some(bare.to_owned()).filter(|bare| is_name(bare)),
        None => Some(text.to_owned()).filter(|text| is_name(text)),
    }
}
