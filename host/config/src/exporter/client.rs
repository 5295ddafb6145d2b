//! The HTTP client of the exporter: where requests go, what they carry, how they are secured.

use super::keys;
use crate::authorization::take_user;
use crate::component::ComponentConfig;
use crate::extensions::{self, Extensions};
use crate::placeholder;
use crate::settings::{Authorization, Connections};
use crate::sigv4auth::{Sigv4Auth, data_plane, is_aps, read_aws_auth};
use crate::view::{Section, View, of_nothing};
use crate::yaml::Value as Yaml;
use preamp_base::Secret;
use serde_json::Map;
use std::time::Duration;

/// Reports the client's keys that stand beside a section of their own (the Collector's form since 0.158).
pub(super) fn check_nested(exporter: &Section) {
    for key in keys::client::TABLE {
        // The time limit exists twice in the Collector, for the exporter and for its client.
        if key.name != keys::client::timeout.definition.name
            && let Some(view) = exporter.at(key)
        {
            view.key_error("cannot stand beside `http`, which takes its place: move it there");
        }
    }
}

/// Where requests go.
pub(super) struct Endpoint<'d> {
    /// The URL, without the user that may stand in it.
    pub url: String,
    pub host: String,
    /// What that user shows.
    pub user: Option<Authorization>,
    pub view: View<'d>,
}

impl Endpoint<'_> {
    /// Warns of what Amazon Managed Prometheus is going to refuse.
    pub fn warn_of_traps(&self, exporter: &Section, client: &Section) {
        if let Some(right) = data_plane(&self.host) {
            let right =
                if self.view.is_hidden() { "aps-workspaces.REGION.amazonaws.com" } else { right.as_str() };
            self.view.warn(format!(
                "is the host that manages workspaces, which takes no samples: write https://{right}/workspaces/…"
            ));
        }
        if !is_aps(&self.host) {
            return;
        }
        let size = exporter.at(&keys::MAX_BATCH_SIZE_BYTES);
        if let Some(view) = size.filter(|view| matches!(view.value(), Yaml::Integer(AMP_BYTES_MAX..))) {
            view.warn("Amazon Managed Prometheus takes requests of less than 1 MB: they are made no larger");
        }
        let headers =
            client.get(&keys::client::headers).map(|view| header_entries(&view)).unwrap_or_default();
        for (name, view) in headers {
            if name.eq_ignore_ascii_case("X-Scope-OrgID") {
                view.warn(
                    "Amazon Managed Prometheus has been seen to deny requests with this header: take it out",
                );
            }
        }
    }

    /// Warns of requests without the signature that Amazon Managed Prometheus asks for.
    pub fn warn_if_unsigned(&self) {
        if is_aps(&self.host) {
            self.view.warn(
                "Amazon Managed Prometheus takes signed requests only: add the extension `sigv4auth` and \
                 name it in `auth.authenticator`",
            );
        }
    }
}

/// The largest request that Amazon Managed Prometheus takes is smaller than this, in bytes.
const AMP_BYTES_MAX: i64 = 1_000_000;

/// Reads the URL as far as the host needs it; the component checks the rest.
pub(super) fn read_endpoint<'d>(client: &Section<'d>) -> Option<Endpoint<'d>> {
    let Some(view) = client.get(&keys::client::endpoint) else {
        client.report_missing(&keys::client::endpoint, "lacks `endpoint`, the full remote-write URL");
        return None;
    };
    let text = view.text()?;
    if let Some(fault) = view.variable_fault() {
        view.error(fault);
        return None;
    }
    if !text.contains("://") {
        let example = view.quotable().filter(|text| !text.is_empty()).unwrap_or("HOST/PATH");
        view.error(format!("lacks a scheme: write https://{example}"));
        return None;
    }
    let (url, user) = take_user(text);
    let kind =
        if text.contains("aps-workspaces") { placeholder::Kind::OfAws } else { placeholder::Kind::Chosen };
    let placeholder = placeholder::find(&url, kind);
    let host = match host_of(&url) {
        Ok(host) => host,
        Err(problem) => {
            // What looks like a port may be a part of a password, so it is not shown.
            let hint = match text.contains('@') {
                true => "; in a user or password, write `/` as %2F, `@` as %40 and `:` as %3A",
                false => "",
            };
            match placeholder {
                Some(found) => view.error(placeholder::message(&view, found)),
                None => view.error(format!("{problem}{hint}")),
            }
            return None;
        }
    };
    if let Some(found) = placeholder {
        view.warn(placeholder::message(&view, found));
    }
    let is_complete = !is_aps(&host) || check_workspace_url(&url, &view);
    is_complete.then(|| Endpoint { url, host, user, view })
}

/// The host of a URL, in lower case.
pub(crate) fn host_of(url: &str) -> Result<String, String> {
    let url = url.parse::<http::Uri>().map_err(|error| format!("is no URL: {error}"))?;
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("has no number from 0 to 65535 where the port is expected".to_owned());
    }
    let host = url.host().filter(|host| !host.is_empty());
    host.map(str::to_ascii_lowercase).ok_or_else(|| "is a URL without a host".to_owned())
}

/// Whether the URL of an AMP host is one that takes remote write. The console and the API show the
/// workspace's URL, which does not.
fn check_workspace_url(url: &str, view: &View) -> bool {
    const REMOTE_WRITE: &str = "/api/v1/remote_write";
    if url.starts_with("http://") {
        view.warn("sends signed requests without encryption: write https://");
    }
    let workspace_end = url.find("/workspaces/").map(|at| {
        let id = at + "/workspaces/".len();
        url[id..].find(['/', '?']).map_or(url.len(), |length| id + length)
    });
    match workspace_end.map(|end| url.split_at(end)) {
        Some((workspace, REMOTE_WRITE)) if !workspace.ends_with('/') => true,
        Some((workspace, _)) if !workspace.ends_with('/') => {
            let shown = if view.may_quote(workspace) { workspace } else { "WORKSPACE_URL" };
            view.error(format!("is not the remote-write URL of the workspace: write {shown}{REMOTE_WRITE}"));
            false
        }
        _ => {
            view.error(format!(
                "names no workspace; a remote-write URL of Amazon Managed Prometheus ends in \
                 /workspaces/WORKSPACE_ID{REMOTE_WRITE}"
            ));
            false
        }
    }
}

/// Reads the proxy to go through.
pub(super) fn read_proxy(client: &Section) -> Option<Secret> {
    let (text, view) = client.text(&keys::client::proxy_url)?;
    let url = text.parse::<http::Uri>().ok().filter(|url| url.host().is_some());
    match url.as_ref().map(|url| url.scheme_str()) {
        Some(Some("http")) => {}
        Some(scheme) => {
            let scheme = scheme.unwrap_or("nothing");
            view.error(format!("a proxy is spoken to by http only, not by {scheme}: write http://HOST:PORT"));
        }
        // What stands there may hold a password.
        None => view.error("is no URL: write http://HOST:PORT"),
    }
    Some(Secret::new(text.to_owned()))
}

/// Reads how connections are kept.
pub(super) fn read_connections(client: &Section) -> Connections {
    use keys::client::{
        disable_keep_alives, force_attempt_http2, http2_ping_timeout, http2_read_idle_timeout,
        idle_conn_timeout, max_idle_conns, max_idle_conns_per_host,
    };
    // All connections lead to one host, so its share is as good as the whole; zero means no limit.
    let limits = [client.value(&max_idle_conns), client.value(&max_idle_conns_per_host)];
    let max_idle = limits.into_iter().filter(|limit| *limit > 0).min();
    let max_idle = max_idle.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let ping_timeout = positive(client.value(&http2_ping_timeout)).or(http2_ping_timeout.preset());
    Connections {
        idle_timeout: positive(client.value(&idle_conn_timeout)),
        max_idle: if client.value(&disable_keep_alives) { 0 } else { max_idle },
        offers_http2: client.value(&force_attempt_http2),
        http2_read_idle_timeout: positive(client.value(&http2_read_idle_timeout)),
        http2_ping_timeout: ping_timeout.unwrap_or_default(),
    }
}

impl Default for Connections {
    fn default() -> Self {
        of_nothing(read_connections)
    }
}

fn positive(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

/// Remote write is always compressed with snappy, which is what the Collector ends up with too.
pub(super) fn check_compression(client: &Section) {
    let compression = &keys::client::compression;
    let other = client.value(compression);
    if let Some(view) = client.get(compression).filter(|_| !["snappy", ""].contains(&other)) {
        view.warn(format!("remote write takes snappy only: sent as snappy, not as {other}"));
    }
}

/// Reads further header fields: a map, or a list of names and values.
pub(super) fn read_headers(client: &Section, component: &mut ComponentConfig) {
    let Some(view) = client.get(&keys::client::headers) else { return };
    let mut headers = Map::new();
    for (name, value) in header_entries(&view) {
        component.place(&["headers", &name], &value);
        if headers.contains_key(&name) {
            value.error("the header stands here again");
        } else if let Some(text) = value.text() {
            headers.insert(name, text.into());
        }
    }
    component.set_from("headers", headers, &view);
}

/// The header fields at a key: a map, or a list of names and values.
pub(crate) fn header_entries<'d>(view: &View<'d>) -> Vec<(String, View<'d>)> {
    if !matches!(view.value(), Yaml::List(_)) {
        return view.entries().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    }
    let entry = |item: View<'d>| {
        let section = item.section(&[keys::header::TABLE]);
        let entry = section.given(&keys::header::name).zip(section.get(&keys::header::value));
        if entry.is_none() && matches!(item.value(), Yaml::Map(_)) {
            item.error("a header needs `name` and `value`");
        }
        entry.map(|(name, value)| (name.to_owned(), value))
    };
    view.list().into_iter().filter_map(entry).collect()
}

/// How requests are authenticated.
pub(super) enum Authenticator<'e, 'd> {
    /// Not at all, or by a header field or a user of the URL.
    None,
    /// In a way that was reported as an error.
    Unusable,
    /// By a signature.
    Sigv4(&'e Sigv4Auth<'d>),
    /// By what each request shows.
    Shows(Authorization),
    /// By a signature whose settings stand in the exporter itself.
    Own(Box<Sigv4Auth<'d>>),
}

/// Reads `auth.authenticator` and finds the extension it names, or `aws_auth`, the exporter's own, in its place.
pub(super) fn read_authenticator<'e, 'd>(
    own: Option<Section<'d>>,
    client: &Section<'d>,
    extensions: &'e Extensions<'d>,
) -> Authenticator<'e, 'd> {
    let Some(auth) = client.within(&keys::client::auth) else {
        return own.map_or(Authenticator::None, |own| Authenticator::Own(Box::new(read_aws_auth(own))));
    };
    if let Some(own) = own {
        own.view().key_error("cannot stand beside `auth`: keep one of the two");
    }
    let Some(reference) = auth.get(&keys::authenticator::authenticator) else {
        auth.report_missing(
            &keys::authenticator::authenticator,
            "lacks `authenticator`, the id of an extension such as sigv4auth",
        );
        return Authenticator::Unusable;
    };
    match extensions.authenticator(&reference) {
        None => Authenticator::Unusable,
        Some(extensions::Authenticator::Signs(auth)) => Authenticator::Sigv4(auth),
        Some(extensions::Authenticator::Shows(authorization)) => Authenticator::Shows(authorization),
    }
}

impl Authenticator<'_, '_> {
    /// What each request shows. A second way to be authenticated beside this one is reported: a receiver sees one.
    pub fn authorization(&self, client: &Section, endpoint: Option<&Endpoint>) -> Option<Authorization> {
        let headers =
            client.get(&keys::client::headers).map(|view| header_entries(&view)).unwrap_or_default();
        let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let user = endpoint.and_then(|endpoint| Some((endpoint, endpoint.user.as_ref()?)));
        let first = match self {
            Authenticator::None => None,
            Authenticator::Unusable => return None,
            Authenticator::Sigv4(_) | Authenticator::Own(_) => {
                Some("requests are signed with AWS credentials, and the signature stands in the same field")
            }
            Authenticator::Shows(_) => Some("the extension in `auth.authenticator` sets the same field"),
        };
        if let (Some(reason), Some((_, view))) = (first, header) {
            view.error(format!("{reason}: take the header out, or `auth`"));
        }
        let reason = first.or(header.map(|_| "the header `Authorization` says the same"));
        match (self, user, reason) {
            (_, Some((endpoint, _)), Some(reason)) => {
                endpoint.view.error(format!("holds a user, but {reason}: keep one of the two"));
                None
            }
            (Authenticator::Shows(authorization), ..) => Some(authorization.clone()),
            (_, user, _) => user.map(|(_, user)| user.clone()),
        }
    }
}

/// Reads how long one attempt may take, which may stand in two places.
pub(super) fn read_timeout(exporter: &Section, client: &Section) -> Duration {
    let key = &keys::client::timeout;
    let holder = if client.get(key).is_some() { client } else { exporter };
    let timeout = holder.value(key);
    if let Some(view) = holder.get(key).filter(|_| timeout.is_zero()) {
        view.error("an attempt without a time limit is not supported; write one, such as 5s");
    }
    timeout
}
