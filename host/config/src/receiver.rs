//! `receivers.otlp`: the addresses that OTLP is taken on.

use super::definition::{Harmless, Sort, Table, Tables, Type, ignored, not_yet};
use super::draft::Draft;
use super::extensions::Extensions;
use super::serving::{
    HTTP_FIELDS, SERVER_FIELDS, bounds, hosts, read_endpoint, read_grpc_serving, read_http_serving, read_tls,
    streams, times,
};
use super::settings::{Listener, OtlpReceiver, Senders};
use super::tls;
use super::view::keys::{Count, Key, Sub, Text, keys};
use super::view::{Section, View};
use super::yaml::Node;

/// The type, and its keys.
pub(super) const TYPES: &[Type] = &[Type::new(&["otlp"], &[receiver::TABLE])];

/// The path of the one method of OTLP/gRPC for metrics (`metrics_service.proto` of `opentelemetry-proto`).
pub const GRPC_EXPORT_PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

const MEBIBYTE: i64 = 1024 * 1024;

/// The largest request that can be asked for, in MiB: what a 32-bit size can say.
const REQUEST_MIB_MAX: i64 = 4095;

keys! {
    /// The keys of the receiver.
    mod receiver {
        /// The protocols that are served, `grpc`, `http` or both. One that is not named is off.
        protocols: Sub.of(&[protocols::TABLE]),
    }
}

keys! {
    /// The protocols. One that is named is on, with whatever its section leaves out at its default.
    pub(super) mod protocols {
        /// OTLP/gRPC.
        grpc: Sub.of(GRPC),
        /// OTLP/HTTP.
        http: Sub.of(HTTP),
    }
}

const GRPC: Tables = &[grpc::TABLE, server::TABLE, SERVER_FIELDS, bounds::TABLE, streams::TABLE];

const HTTP: Tables =
    &[http::TABLE, server::TABLE, SERVER_FIELDS, bounds::TABLE, times::TABLE, hosts::TABLE, HTTP_FIELDS];

keys! {
    /// What both protocols have.
    mod server {
        /// Serves the protocol.
        enabled: Flag.or(true),
        /// TLS. Without the section connections are plain.
        tls: Sub.of(tls::SERVER),
        /// Who may send. Without the section everybody may.
        auth: Sub.of(&[auth::TABLE]),
    }
}

keys! {
    /// The keys of `auth` of a protocol.
    mod auth {
        /// The id of an extension `bearertokenauth` or `basicauth`.
        authenticator: Text.sort(Sort::Id).required(),
    } and [not_yet("request_params", Harmless::Empty)]
}

keys! {
    /// What OTLP/gRPC has beside that.
    pub(super) mod grpc {
        /// The address to listen on. Without a host it means all addresses, of IPv6 too.
        endpoint: Text.sort(Sort::Address).or("localhost:4317"),
        /// The largest request, after decompression too; 0 means the default.
        max_recv_msg_size_mib: Count.mebibytes(0, REQUEST_MIB_MAX).or(4),
    } and [
        ignored("read_buffer_size", "preamp sizes its buffers itself"),
        ignored("write_buffer_size", "preamp sizes its buffers itself"),
    ]
}

keys! {
    /// What OTLP/HTTP has beside that.
    pub(super) mod http {
        /// The address to listen on. Without a host it means all addresses, of IPv6 too.
        endpoint: Text.sort(Sort::Address).or("localhost:4318"),
        /// The largest request, after decompression too; 0 means the default.
        max_request_body_size: Count.bytes(0, REQUEST_MIB_MAX * MEBIBYTE).or(20 * MEBIBYTE),
        /// The path for metrics.
        metrics_url_path: Text.or("/v1/metrics"),
    } and [
        ignored("traces_url_path", "preamp takes metrics only"),
        ignored("logs_url_path", "preamp takes metrics only"),
    ]
}

/// Reads a receiver of type `otlp`; `None` after something was reported.
pub(super) fn read_otlp<'d>(id: &str, view: &View<'d>, extensions: &Extensions<'d>) -> Option<OtlpReceiver> {
    let receiver = view.section(TYPES[0].tables);
    let Some(section) = receiver.within(&receiver::protocols) else {
        view.error("lacks `protocols`, with `grpc`, `http` or both");
        return None;
    };
    let protocols = section.view();
    let switched_on =
        |key: &Key<Sub>| section.switched_on(key).filter(|section| section.value(&server::enabled));
    let grpc = switched_on(&protocols::grpc);
    let http = switched_on(&protocols::http);
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

fn read_grpc<'d>(section: &Section<'d>, extensions: &Extensions<'d>) -> Option<Listener> {
    let limit = positive_or_default(section, &grpc::max_recv_msg_size_mib);
    Some(Listener {
        endpoint: read_endpoint(section, &grpc::endpoint)?,
        max_request_bytes: limit * MEBIBYTE.unsigned_abs(),
        metrics_path: String::new(),
        tls: read_tls(section, &server::tls)?,
        serving: read_grpc_serving(section),
        senders: read_auth(section, extensions)?,
    })
}

fn read_http<'d>(section: &Section<'d>, extensions: &Extensions<'d>) -> Option<Listener> {
    Some(Listener {
        endpoint: read_endpoint(section, &http::endpoint)?,
        max_request_bytes: positive_or_default(section, &http::max_request_body_size),
        metrics_path: read_path(section),
        tls: read_tls(section, &server::tls)?,
        serving: read_http_serving(section),
        senders: read_auth(section, extensions)?,
    })
}

/// A number of which 0 means the default.
fn positive_or_default(section: &Section, key: &Key<Count>) -> u64 {
    let numbers = [section.value(key), key.preset().unwrap_or_default()];
    numbers.into_iter().find(|number| *number > 0).unwrap_or_default().unsigned_abs()
}

/// Reads who may send; `None` after something was reported.
fn read_auth<'d>(section: &Section<'d>, extensions: &Extensions<'d>) -> Option<Option<Senders>> {
    let Some(auth) = section.within(&server::auth) else { return Some(None) };
    let Some(reference) = auth.get(&auth::authenticator) else {
        auth.report_missing(&auth::authenticator, "lacks `authenticator`, the id of an extension");
        return None;
    };
    extensions.senders(&reference).map(Some)
}

/// The receiver's protocols, both at their defaults.
pub(super) fn local_protocols(draft: Draft) -> Node {
    let protocol = |endpoint: &Key<Text>| {
        let default = endpoint.preset().map(|address| draft.text(address));
        Some(draft.section([(endpoint.definition.name, default)]))
    };
    draft.section([
        (protocols::grpc.definition.name, protocol(&grpc::endpoint)),
        (protocols::http.definition.name, protocol(&http::endpoint)),
    ])
}

fn read_path(section: &Section) -> String {
    match section.value(&http::metrics_url_path) {
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    }
}
