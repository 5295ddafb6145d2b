//! `service.telemetry.metrics.readers[].periodic`: preamp's own metrics, pushed into its own pipeline or over OTLP
//! (Collector 0.165: otelconf v0.3.0, `PeriodicMetricReader`).

use crate::definition::Sort;
use crate::exporter::{header, header_entries, host_of};
use crate::receiver::GRPC_EXPORT_PATH;
use crate::settings::{
    ClientSettings, ClientTls, OtlpProtocol, Pem, Push, PushReceiver, PushTarget, TlsIdentity,
};
use crate::view::keys::{Key, Text, keys};
use crate::view::{Section, View};
use crate::yaml::Value as Yaml;
use preamp_base::Secret;
use std::time::Duration;

keys! {
    /// The keys of `periodic`.
    pub(super) mod periodic {
        /// How long it is from one push to the next, in milliseconds.
        interval: Count.within(1, u32::MAX as i64).or(60_000),
        /// How long a push may take, in milliseconds.
        timeout: Count.within(1, u32::MAX as i64).or(30_000),
        /// Where the metrics go.
        exporter: Sub.of(&[push_exporter::TABLE]),
    }
}

keys! {
    /// The keys of `periodic.exporter`.
    mod push_exporter {
        /// To a receiver of OTLP.
        otlp: Sub.of(&[otlp::TABLE]),
        /// Into the metrics pipeline of this file, within the process: write `{}`. They are delivered like those of all
        /// senders.
        pipeline: Sub.of(&[]).own(),
    } and [ignored("console", "preamp's own metrics are not printed; scrape or push them instead")]
}

const PROTOCOLS: &[&str] = &["http/protobuf", "grpc"];

keys! {
    /// The keys of `periodic.exporter.otlp`.
    mod otlp {
        /// How OTLP is spoken.
        protocol: Choice.among(PROTOCOLS).required(),
        /// The URL of the receiver. Without a path, `http/protobuf` takes `/v1/metrics`.
        endpoint: Text.sort(Sort::Url).required(),
        /// Without a scheme in `endpoint`: whether TLS is left out.
        insecure: Flag.or(false),
        /// Further header fields for each push.
        headers: Other.form(Form::Headers(&[header::TABLE])),
        /// The same as one text, `name=value,name=value`; fields of `headers` win.
        headers_list: Text.sort(Sort::Secret),
        /// How the body is compressed.
        compression: Choice.among(&["none", "gzip"]).or("none"),
        /// How long an attempt may take, in milliseconds; `periodic.timeout` bounds it as well.
        timeout: Count.within(1, u32::MAX as i64).or(10_000),
        /// The certificate authorities to trust instead of the system's.
        certificate: Text.sort(Sort::Path),
        /// Who this side is, for receivers that ask. It needs its key beside it.
        client_certificate: Text.sort(Sort::Path),
        /// The private key of `client_certificate`.
        client_key: Text.sort(Sort::Path),
    } and [
        only("temporality_preference", &["cumulative"], &["delta", "lowmemory"]),
        ignored("default_histogram_aggregation", "preamp's own histograms have fixed bounds"),
    ]
}

keys! {
    /// The keys of an attribute in a list.
    mod attribute {
        /// The name of the attribute.
        name: Text.required(),
        /// Its value.
        value: Other.form(Form::Scalar),
    } and [ignored("type", "attributes of the resource become texts")]
}

/// Reads a periodic reader; `None` after something was reported, or where nothing is pushed.
pub(super) fn read(periodic: &Section) -> Option<Push> {
    let interval = milliseconds(periodic.value(&periodic::interval));
    let timeout = milliseconds(periodic.value(&periodic::timeout));
    let exporter = periodic.within(&periodic::exporter);
    let own = exporter.as_ref().and_then(|exporter| exporter.switched_on(&push_exporter::pipeline));
    let other = exporter.as_ref().and_then(|exporter| exporter.within(&push_exporter::otlp));
    let to = match (own, other) {
        (Some(own), Some(_)) => {
            own.view()
                .key_error("cannot stand beside `otlp`: write a second `periodic` reader for one of the two");
            return None;
        }
        (Some(_), None) => PushTarget::OwnPipeline,
        (None, Some(otlp)) => PushTarget::Receiver(Box::new(read_receiver(&otlp, timeout)?)),
        (None, None) => {
            let prints = exporter
                .is_some_and(|exporter| exporter.view().entries().iter().any(|(name, _)| *name == "console"));
            if !prints {
                periodic
                    .view()
                    .error("lacks `exporter.otlp`, or `exporter.pipeline` for the pipeline of this file");
            }
            return None;
        }
    };
    Some(Push { interval, timeout, to })
}

fn read_receiver(otlp: &Section, timeout: Duration) -> Option<PushReceiver> {
    let protocol = otlp.given(&otlp::protocol);
    if otlp.get(&otlp::protocol).is_none() {
        otlp.report_missing(&otlp::protocol, "lacks `protocol`: http/protobuf or grpc");
    }
    let attempt = milliseconds(otlp.value(&otlp::timeout)).min(timeout);
    let headers = read_headers(otlp);
    let is_gzipped = otlp.value(&otlp::compression) == "gzip";
    let tls = read_tls(otlp);
    let protocol = match protocol? {
        "grpc" => OtlpProtocol::Grpc,
        _ => OtlpProtocol::Http,
    };
    let url = read_url(otlp, protocol)?;
    Some(PushReceiver {
        url,
        protocol,
        headers: headers?,
        is_gzipped,
        client: ClientSettings { tls: tls?, ..ClientSettings::new(attempt) },
    })
}

/// The URL that requests go to, with the path of the protocol.
fn read_url(otlp: &Section, protocol: OtlpProtocol) -> Option<String> {
    let is_insecure = otlp.value(&otlp::insecure);
    let Some((text, view)) = otlp.text(&otlp::endpoint) else {
        otlp.report_missing(&otlp::endpoint, "lacks `endpoint`, such as http://localhost:4318");
        return None;
    };
    let scheme = if is_insecure { "http" } else { "https" };
    let url = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
    if let Err(problem) = host_of(&url) {
        view.error(format!("{problem}: write http://HOST:PORT"));
        return None;
    }
    if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
        view.error("is no URL of http or https: write http://HOST:PORT");
        return None;
    }
    let bare = url.trim_end_matches('/');
    let has_path = bare.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    match protocol {
        OtlpProtocol::Grpc if has_path => {
            view.error("has a path, which gRPC sets itself: leave it out");
            None
        }
        OtlpProtocol::Grpc => Some(format!("{bare}{GRPC_EXPORT_PATH}")),
        OtlpProtocol::Http if has_path => Some(url),
        OtlpProtocol::Http => Some(format!("{bare}/v1/metrics")),
    }
}

/// The header fields of both keys; `None` after something was reported.
fn read_headers(otlp: &Section) -> Option<Vec<(String, Secret)>> {
    let mut headers: Vec<(String, Secret)> = Vec::new();
    let mut is_right = true;
    let mut add = |field: Option<(&str, &str)>, view: &View| {
        let Some((name, value)) = field else {
            view.error("has an entry that is not NAME=VALUE: write NAME=VALUE,NAME=VALUE");
            is_right = false;
            return;
        };
        let is_known = headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if http::HeaderName::from_bytes(name.as_bytes()).is_err()
            || http::HeaderValue::from_str(value).is_err()
        {
            view.error("is no header field: a name of letters, digits and dashes, and a value in one line");
            is_right = false;
        } else if !is_known {
            headers.push((name.to_owned(), Secret::new(value.to_owned())));
        }
    };
    for (name, view) in otlp.get(&otlp::headers).map(|view| header_entries(&view)).unwrap_or_default() {
        if let Some(value) = view.text() {
            add(Some((&name, value)), &view);
        }
    }
    if let Some((list, view)) = otlp.text(&otlp::headers_list) {
        for entry in list.split(',').filter(|entry| !entry.trim().is_empty()) {
            add(entry.split_once('=').map(|(name, value)| (name.trim(), value.trim())), &view);
        }
    }
    is_right.then_some(headers)
}

fn read_tls(otlp: &Section) -> Option<ClientTls> {
    let file = |key: &Key<Text>| {
        otlp.text(key).map(|(path, view)| {
            view.names_file(path.as_ref());
            Pem::File(path.into())
        })
    };
    let identity = match (file(&otlp::client_certificate), file(&otlp::client_key)) {
        (Some(certificate), Some(key)) => Some(TlsIdentity { certificate, key }),
        (None, None) => None,
        _ => {
            otlp.view().error("has one of `client_certificate` and `client_key`: each needs the other");
            return None;
        }
    };
    Some(ClientTls { ca: file(&otlp::certificate), identity, ..ClientTls::default() })
}

/// Reads the attributes of the resource that pushed metrics are of: under their names, where a null leaves a default
/// one out, or as a list `attributes`.
pub(super) fn read_resource(view: &View) -> Vec<(String, Option<String>)> {
    let mut attributes = Vec::new();
    for (name, value) in view.entries() {
        match (name, value.value()) {
            ("attributes", _) => {
                for item in value.list() {
                    let item = item.section(&[attribute::TABLE]);
                    let name = item.given(&attribute::name);
                    let value = item.get(&attribute::value).and_then(|value| scalar(&value));
                    attributes.extend(
                        name.zip(value).map(|(name, value)| (name.to_owned(), Some(value.to_owned()))),
                    );
                }
            }
            ("schema_url", _) => {}
            ("attributes_list" | "detection/development" | "detectors", _) => {
                value.warn("is ignored: write the attributes under their names");
            }
            (_, Yaml::Null) => attributes.push((name.to_owned(), None)),
            _ => attributes.extend(scalar(&value).map(|text| (name.to_owned(), Some(text.to_owned())))),
        }
    }
    attributes
}

fn scalar<'d>(view: &View<'d>) -> Option<&'d str> {
    let text = view.scalar_text();
    if text.is_none() {
        view.error(format!("expected a text, a number, or true or false, found {}", view.shown()));
    }
    text
}

fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(count.unsigned_abs())
}
