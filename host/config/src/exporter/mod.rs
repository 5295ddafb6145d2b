//! `exporters.prometheusremotewrite`: what the host needs of it, and what is carried to the component.

mod client;
pub(super) mod debug;
mod delivery;
mod keys;
mod translation;

use super::component::ComponentConfig;
use super::definition::{Form, Tables, Type};
use super::extensions::Extensions;
use super::ids::Component;
use super::settings::{ClientSettings, Queue, Retry, SigV4};
use super::sigv4auth::Sigv4Auth;
use super::tls::read_client_tls;
use super::view::Section;
pub(super) use client::{header_entries, host_of};
pub(super) use keys::OPTIONS;
pub(super) use keys::header;
use std::path::PathBuf;

/// The exporter's names: the one of today, the one it is going to have, and that of old collectors of AWS.
pub(super) const EXPORTERS: [&str; 3] = ["prometheusremotewrite", "prometheus_remote_write", ADOT];
const ADOT: &str = "awsprometheusremotewrite";

/// The same, each with its keys.
pub(super) const TYPES: &[Type] = &[REMOTE_WRITE, OF_ADOT, debug::TYPES[0], debug::TYPES[1]];
const OF_ADOT: Type = Type { names: &[ADOT], tables: &[keys::adot::TABLE], base: Some(&REMOTE_WRITE) };
const REMOTE_WRITE: Type = Type::new(&[EXPORTERS[0], EXPORTERS[1]], keys::TABLES);

/// An exporter as it stands in the file.
pub(super) struct Exporter {
    /// The component's configuration, but for what depends on the receiver.
    pub component: ComponentConfig,
    pub endpoint: String,
    pub client: ClientSettings,
    pub retry: Retry,
    pub queue: Queue,
    pub sigv4: Option<SigV4>,
    pub state_file: Option<PathBuf>,
}

/// Whether a path of keys is one of the exporter, or of its queue.
pub(super) fn is_key(path: &str) -> bool {
    let of_queue: Tables = &[keys::remote_write_queue::TABLE];
    [keys::TABLES, of_queue].into_iter().any(|mut tables| {
        path.split('.').all(|name| {
            let found = tables.iter().copied().flatten().find(|key| key.name == name);
            tables = match found.map(|key| key.form) {
                Some(Form::Section(within)) => within,
                _ => &[],
            };
            found.is_some()
        })
    })
}

/// Reads an exporter of type `prometheusremotewrite`; `None` after something was reported that leaves
/// nothing to go on with.
pub(super) fn read_remote_write<'d>(
    exporter: &Component<'d>,
    extensions: &Extensions<'d>,
) -> Option<Exporter> {
    let is_adot = exporter.kind == ADOT;
    let view = &exporter.view;
    let tables: Tables = if is_adot { keys::ADOT_TABLES } else { keys::TABLES };
    let section = view.section(tables);
    if is_adot {
        view.warn(
            "newer collectors of AWS do not know it: write `prometheusremotewrite`, and `aws_auth` as the \
                   extension `sigv4auth`",
        );
    }
    let nested = section.within(&keys::nested::http);
    if nested.is_some() {
        client::check_nested(&section);
    }
    let client = nested.as_ref().unwrap_or(&section);
    let mut component = ComponentConfig::new(view);
    let endpoint = client::read_endpoint(client);
    let url = endpoint.as_ref().map(|endpoint| endpoint.url.as_str());
    let tls = read_client_tls(&client.below(&keys::client::tls), url);
    client::check_compression(client);
    client::read_headers(client, &mut component);
    let own = if is_adot { section.within(&keys::adot::aws_auth) } else { None };
    let authenticator = client::read_authenticator(own, client, extensions);
    let timeout = client::read_timeout(&section, client);
    let proxy_url = client::read_proxy(client);
    let connections = client::read_connections(client);
    let authorization = authenticator.authorization(client, endpoint.as_ref());
    let settings = ClientSettings { timeout, tls, authorization, proxy_url, connections };
    let queue = delivery::read_queue(exporter.id, &section, extensions, &mut component);
    delivery::check_lease(&section, &queue, timeout, extensions);
    let retry = delivery::read_retry(&section, queue.storage.outlives(), &mut component);
    translation::read_translation(&section, &mut component);
    let state_file = read_state_file(&section);
    check_metadata_keys(&section);
    let endpoint = endpoint?;
    endpoint.warn_of_traps(&section, client);
    component.set_from("endpoint", endpoint.url.as_str(), &endpoint.view);
    let sigv4 = match authenticator {
        client::Authenticator::None | client::Authenticator::Shows(_) => {
            endpoint.warn_if_unsigned();
            None
        }
        client::Authenticator::Unusable => None,
        client::Authenticator::Sigv4(auth) => Some(read_scope(auth, &endpoint, &mut component)?),
        client::Authenticator::Own(auth) => Some(read_scope(&auth, &endpoint, &mut component)?),
    };
    let endpoint = endpoint.url;
    Some(Exporter { component, endpoint, client: settings, retry, queue, sigv4, state_file })
}

/// Looks at the metadata of requests that would be sent on.
fn check_metadata_keys(section: &Section) {
    const RESERVED: [&str; 4] =
        ["Content-Encoding", "Content-Type", "User-Agent", "X-Prometheus-Remote-Write-Version"];
    let Some(view) = section.get(&keys::exporter::include_metadata_keys) else { return };
    let names = view.texts();
    let is_reserved = |name: &str| RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    for (_, view) in names.iter().filter(|(name, _)| is_reserved(name)) {
        view.error("is set by the exporter itself: take it out");
    }
    if !names.is_empty() {
        view.warn(
            "sends nothing on: preamp joins payloads of several requests into one; write what is the same for all into \
             `headers`",
        );
    }
}

/// Reads where the totals of delta metrics are kept.
fn read_state_file(section: &Section) -> Option<PathBuf> {
    let view = section.get(&keys::exporter::delta_state_file)?;
    let accumulates = section.at(&keys::DELTA).and_then(|delta| delta.text()) == Some("accumulate");
    if !accumulates {
        view.warn("keeps nothing without `delta: accumulate`");
    }
    view.text().filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn read_scope(
    auth: &Sigv4Auth,
    endpoint: &client::Endpoint,
    component: &mut ComponentConfig,
) -> Option<SigV4> {
    let scope = auth.scope(&endpoint.host, &endpoint.view)?;
    component.set("sigv4", serde_json::json!({ "region": scope.region, "service": scope.service }));
    component.place(&["sigv4"], auth.view());
    for (part, view) in auth.parts() {
        component.place(&["sigv4", part], &view);
    }
    Some(scope)
}
