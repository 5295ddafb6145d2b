//! How a server treats those who connect to it.

use std::time::Duration;

/// What connections of a server may take. A time of `None` has no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// How long the head of a request may take to arrive (`read_header_timeout`).
    pub read_header_timeout: Option<Duration>,
    /// How long a body may take to arrive, once its head is there (`read_timeout`).
    pub read_timeout: Option<Duration>,
    /// How long an answer may wait to be read (`write_timeout`).
    pub write_timeout: Option<Duration>,
    /// How long a connection may be without a request (`idle_timeout`; gRPC: `max_connection_idle`).
    pub idle_timeout: Option<Duration>,
    /// Whether a connection of HTTP/1 serves more than one request (`keep_alives_enabled`).
    pub keeps_alive: bool,
    /// The most connections at a time, as far as the system's limit of open files allows them.
    pub max_connections: usize,
    /// The most of them from one address, or from one network of 64 bits in IPv6.
    pub max_connections_per_address: Option<usize>,
    /// HTTP/2: the most requests at a time in one connection (`max_concurrent_streams`).
    pub max_concurrent_streams: u32,
    /// HTTP/2: how often the other side is asked whether it is there (`time`).
    pub ping_interval: Option<Duration>,
    /// HTTP/2: how long it may take to answer that (`timeout`).
    pub ping_timeout: Duration,
    /// How old a connection may get (`max_connection_age`).
    pub max_age: Option<Duration>,
    /// How long requests of a connection that is too old may go on (`max_connection_age_grace`).
    pub max_age_grace: Option<Duration>,
    /// Which names a server on loopback is called by.
    pub hosts: Hosts,
}

/// Which names a server that listens on loopback may be called by in requests, beside addresses and names that
/// nobody else can have. A web page can give its own name the address 127.0.0.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Any.
    Any,
    /// These, in lower case.
    Named(Vec<String>),
}

impl Serving {
    /// Twice as long as exporters wait between two exports: most connections see the next one.
    pub const IDLE: Duration = Duration::from_secs(120);
}
