//! `exporters.prometheusremotewrite`: what the host needs of it, and what is carried to the component.

mod client;
mod delivery;
mod keys;

use super::component::ComponentConfig;
use super::extensions::Extensions;
use super::keys::Key;
use super::settings::{ClientTls, Queue, Retry, SigV4};
use super::sigv4auth::Sigv4Auth;
use super::view::{Section, View};
use serde_json::{Map, Value};
use std::time::Duration;

/// The Collector's limit for one attempt where the file gives none.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An exporter as it stands in the file.
pub(super) struct Exporter {
    /// The component's configuration, but for what depends on the receiver.
    pub component: ComponentConfig,
    pub timeout: Duration,
    pub retry: Retry,
    pub queue: Queue,
    pub sigv4: Option<SigV4>,
    pub tls: ClientTls,
}

/// Reads an exporter of type `prometheusremotewrite`; `None` after something was reported that leaves
/// nothing to go on with.
pub(super) fn read_remote_write<'d>(view: &View<'d>, extensions: &Extensions<'d>) -> Option<Exporter> {
    let section = view.section(&[keys::EXPORTER, keys::CLIENT]);
    let nested = section.get("http").map(|http| client::read_nested(&section, &http));
    let client = nested.as_ref().unwrap_or(&section);
    let mut component = ComponentConfig::new(view);
    let endpoint = client::read_endpoint(client, view);
    let tls = client::read_tls(client, endpoint.as_ref());
    client::check_compression(client);
    client::read_headers(client, &mut component);
    let authenticator = client::read_authenticator(client, extensions);
    let timeout = client::read_timeout(client).or_else(|| client::read_timeout(&section)).unwrap_or(TIMEOUT);
    let queue = delivery::read_queue(&section, &mut component);
    let retry = delivery::read_retry(&section, &mut component);
    read_translation(&section, &mut component);
    let endpoint = endpoint?;
    component.set_from("endpoint", endpoint.url.as_str(), &endpoint.view);
    let sigv4 = match authenticator {
        client::Authenticator::None => {
            endpoint.warn_if_unsigned();
            None
        }
        client::Authenticator::Unusable => None,
        client::Authenticator::Sigv4(auth) => Some(read_scope(auth, &endpoint, &mut component)?),
    };
    Some(Exporter { component, timeout, retry, queue, sigv4, tls })
}

fn read_scope(
    auth: &Sigv4Auth,
    endpoint: &client::Endpoint,
    component: &mut ComponentConfig,
) -> Option<SigV4> {
    let scope = auth.scope(&endpoint.host)?;
    component.set("sigv4", serde_json::json!({ "region": scope.region, "service": scope.service }));
    component.place(&["sigv4"], auth.view());
    for part in ["region", "service"] {
        if let Some(view) = auth.part(part) {
            component.place(&["sigv4", part], &view);
        }
    }
    Some(scope)
}

/// The options of the translation go to the component as they are; it knows their rules.
fn read_translation(section: &Section, component: &mut ComponentConfig) {
    if let Some(view) = section.get("namespace")
        && let Some(text) = view.text()
    {
        component.set_from("namespace", text, &view);
    }
    read_external_labels(section, component);
    read_suffixes(section, component);
    read_flag(section, "disable_scope_info", component);
    read_flags(section, "target_info", &[keys::TARGET_INFO], component);
    read_flags(section, "resource_to_telemetry_conversion", &[keys::RESOURCE_LABELS], component);
    if let Some(view) = section.get("max_batch_size_bytes") {
        // As in the Collector, 0 asks for the default.
        match view.integer(0, i64::MAX) {
            Some(0) | None => {}
            Some(bytes) => component.set_from("max_batch_size_bytes", bytes, &view),
        }
    }
}

fn read_external_labels(section: &Section, component: &mut ComponentConfig) {
    let Some(view) = section.get("external_labels") else { return };
    let mut labels = Map::new();
    for (name, value) in view.entries() {
        component.place(&["external_labels", name], &value);
        // No value is the empty one, about which the component will complain.
        let text = if value.is_null() { Some("") } else { value.text() };
        labels.extend(text.map(|text| (name.to_owned(), Value::from(text))));
    }
    component.set_from("external_labels", labels, &view);
}

/// `translation_strategy` overrides the older `add_metric_suffixes`.
fn read_suffixes(section: &Section, component: &mut ComponentConfig) {
    read_flag(section, "add_metric_suffixes", component);
    let Some(strategy) = section.get("translation_strategy") else { return };
    match strategy.text() {
        Some(keys::WITH_SUFFIXES) => component.set_from("add_metric_suffixes", true, &strategy),
        Some(keys::WITHOUT_SUFFIXES) => component.set_from("add_metric_suffixes", false, &strategy),
        _ => {}
    }
}

fn read_flag(section: &Section, key: &'static str, component: &mut ComponentConfig) {
    if let Some(view) = section.get(key)
        && let Some(flag) = view.boolean()
    {
        component.set_from(key, flag, &view);
    }
}

/// A section that holds nothing but flags.
fn read_flags(
    section: &Section,
    key: &'static str,
    table: &'static [&'static [Key]],
    component: &mut ComponentConfig,
) {
    let Some(view) = section.get(key) else { return };
    let flags = view.section(table);
    let mut object = Map::new();
    for flag in table.iter().copied().flatten() {
        if let Some(view) = flags.get(flag.name)
            && let Some(on) = view.boolean()
        {
            object.insert(flag.name.to_owned(), on.into());
            component.place(&[key, flag.name], &view);
        }
    }
    component.set_from(key, object, &view);
}
