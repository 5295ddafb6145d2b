//! `receivers.otlp`: the addresses that OTLP is taken on.

use super::extensions::Extensions;
use super::keys::{Harmless, Key, ignored, not_yet, only, read};
use super::serving::{BOUNDS, HOSTS, STREAMS, TIMES, read_grpc_serving, read_http_serving};
use super::settings::{Listener, OtlpReceiver, Senders, ServerTls};
use super::tls::read_server_tls;
use super::view::{Section, View};

/// The Collector's limits for one request where the file gives none, in bytes.
const GRPC_REQUEST_BYTES: u64 = 4 * MEBIBYTE;
const HTTP_REQUEST_BYTES: u64 = 20 * MEBIBYTE;

const MEBIBYTE: u64 = 1024 * 1024;

/// The largest request that can be asked for, in MiB: what a 32-bit size can say.
const REQUEST_MIB_MAX: i64 = 4095;

const RECEIVER: &[Key] = &[read("protocols")];

const PROTOCOLS: &[Key] = &[read("grpc"), read("http")];

const SERVER: &[Key] = &[read("enabled"), read("endpoint"), read("tls"), read("auth")];

const AUTH: &[Key] = &[read("authenticator"), not_yet("request_params", Harmless::Empty)];

/// What every server has, and every one of preamp's treats alike.
pub(super) const SERVER_FIELDS: &[Key] = &[
    only("transport", &["tcp"], &["tcp4", "tcp6", "unix"]),
    not_yet("middlewares", Harmless::Empty),
    ignored("include_metadata", "preamp passes no request metadata on"),
];

/// What every HTTP server has beside that.
pub(super) const HTTP_FIELDS: &[Key] = &[
    not_yet("cors", Harmless::Empty),
    not_yet("response_headers", Harmless::Empty),
    not_yet("compression_algorithms", Harmless::Off),
];

const GRPC: &[Key] = &[
    read("max_recv_msg_size_mib"),
    ignored("read_buffer_size", "preamp sizes its buffers itself"),
    ignored("write_buffer_size", "preamp sizes its buffers itself"),
];

const HTTP: &[Key] = &[
    read("max_request_body_size"),
    read("metrics_url_path"),
    HOSTS,
    ignored("traces_url_path", "preamp takes metrics only"),
    ignored("logs_url_path", "preamp takes metrics only"),
];

/// Reads a receiver of type `otlp`; `None` after something was reported.
pub(super) fn read_otlp<'d>(id: &str, view: &View<'d>, extensions: &Extensions<'d>) -> Option<OtlpReceiver> {
    let receiver = view.section(&[RECEIVER]);
    let Some(protocols) = receiver.get("protocols") else {
        view.error("lacks `protocols`, with `grpc`, `http` or both");
        return None;
    };
    let section = protocols.section(&[PROTOCOLS]);
    let switched_on = |key, tables| section.present(key).map(|view| view.section(tables)).filter(is_on);
    let grpc = switched_on("grpc", &[SERVER, SERVER_FIELDS, BOUNDS, STREAMS, GRPC]);
    let http = switched_on("http", &[SERVER, SERVER_FIELDS, BOUNDS, TIMES, HTTP, HTTP_FIELDS]);
    if grpc.is_none() && http.is_none() {
        protocols.error("switches neither `grpc` nor `http` on: nothing would be received");
        return None;
    }
    let grpc = grpc.map(|section| read_grpc(&section, extensions));
    let http = http.map(|section| read_http(&section, extensions));
    if let (Some(Some(grpc)), Some(Some(http))) = (&grpc, &http)
        && grpc.endpoint == http.endpoint
        && !http.endpoint.ends_with(":0")
    {
        protocols.error(format!("`grpc` and `http` cannot both listen on {}", http.endpoint));
    }
    let usable = |listener: Option<Option<Listener>>| match listener {
        Some(listener) => listener.map(Some),
        None => Some(None),
    };
    Some(OtlpReceiver { id: id.to_owned(), grpc: usable(grpc)?, http: usable(http)? })
}

fn is_on(section: &Section) -> bool {
    section.get("enabled").and_then(|view| view.boolean()) != Some(false)
}

fn read_grpc<'d>(section: &Section<'d>, extensions: &Extensions<'d>) -> Option<Listener> {
    let limit = section.get("max_recv_msg_size_mib").and_then(|view| view.integer(0, REQUEST_MIB_MAX));
    Some(Listener {
        endpoint: read_endpoint(section, "localhost:4317")?,
        max_request_bytes: limit
            .filter(|mib| *mib > 0)
            .map_or(GRPC_REQUEST_BYTES, |mib| mib as u64 * MEBIBYTE),
        metrics_path: String::new(),
        tls: read_tls(section)?,
        serving: read_grpc_serving(section),
        senders: read_auth(section, extensions)?,
    })
}

fn read_http<'d>(section: &Section<'d>, extensions: &Extensions<'d>) -> Option<Listener> {
    let most = REQUEST_MIB_MAX * MEBIBYTE as i64;
    let limit = section.get("max_request_body_size").and_then(|view| view.integer(0, most));
    let metrics_path = read_path(section);
    Some(Listener {
        endpoint: read_endpoint(section, "localhost:4318")?,
        max_request_bytes: limit.filter(|bytes| *bytes > 0).map_or(HTTP_REQUEST_BYTES, |bytes| bytes as u64),
        metrics_path,
        tls: read_tls(section)?,
        serving: read_http_serving(section),
        senders: read_auth(section, extensions)?,
    })
}

/// Reads who may send; `None` after something was reported.
fn read_auth<'d>(section: &Section<'d>, extensions: &Extensions<'d>) -> Option<Option<Senders>> {
    let Some(auth) = section.get("auth") else { return Some(None) };
    let Some(reference) = auth.section(&[AUTH]).get("authenticator") else {
        auth.error("lacks `authenticator`, the id of an extension");
        return None;
    };
    extensions.senders(&reference).map(Some)
}

/// Reads whether TLS is spoken; `None` after something was reported.
pub(super) fn read_tls(section: &Section) -> Option<Option<ServerTls>> {
    section.get("tls").map_or(Some(None), |view| read_server_tls(&view))
}

fn read_endpoint(section: &Section, default: &str) -> Option<String> {
    match section.get("endpoint") {
        Some(view) => read_address(&view),
        None => Some(default.to_owned()),
    }
}

/// An address to listen on, `host:port`. Without a host it means all IPv4 addresses.
pub(super) fn read_address(view: &View) -> Option<String> {
    let text = view.text()?;
    let address = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && is_host(host) => match host {
            "" => Some(format!("0.0.0.0:{port}")),
            _ => Some(text.to_owned()),
        },
        _ => None,
    };
    if address.is_none() {
        view.error(format!("expected host:port, such as 127.0.0.1:4317, found {}", view.shown()));
    }
    address
}

/// Whether a text can be a host name or an address; IPv6 addresses stand in brackets.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    }
}

fn read_path(section: &Section) -> String {
    let path = section.get("metrics_url_path").and_then(|view| view.text());
    match path.unwrap_or("/v1/metrics") {
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    }
}
