//! The receiver: its address, the way there, whether it can be reached, and what time it has.

use super::{Step, Subject};
use bytes::Bytes;
use http::Uri;
use preamp_config::ExporterSettings;
use preamp_contract::{Limits, Response};
use preamp_host::delivery::{Arrival, Exchange, Route, clock_probe};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// AWS refuses signatures that are off by five minutes.
const TOLERATED: Duration = Duration::from_secs(5 * 60);

/// What is told of a difference of clocks from here on.
const NOTABLE: Duration = Duration::from_secs(60);

/// Name servers take no longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Greeting {
    pub connection: Step,
    pub clock: Option<Step>,
}

/// The URL as it will be used. What is wrong with it was said when the file was read.
pub(super) fn address(settings: &ExporterSettings) -> Step {
    Step::pass("endpoint", without_user(&settings.endpoint))
}

/// What the receiver is taken for, and why.
pub(super) fn profile(limits: &Limits) -> Step {
    Step::pass("profile", format!("{}: {}", limits.profile, limits.profile_reason))
}

/// The way that requests take, as `preamp run` sends them.
pub(super) fn route(subject: &Subject<'_>) -> Route {
    let url: Result<Uri, _> = subject.settings.endpoint.parse();
    url.map_or(Route::Direct, |url| subject.client.route(&url))
}

/// The addresses behind the name of the host that is connected to: the receiver, or the proxy on the way.
pub(super) async fn names(settings: &ExporterSettings, route: &Route) -> Step {
    const NAME: &str = "dns";
    let (whose, host, port, remedy) = match route {
        Route::Proxy { host, port, named_by } => {
            let remedy =
                format!("check the host of the proxy in {named_by}, and the name servers of this machine");
            ("the proxy ", host.clone(), *port, remedy)
        }
        Route::Direct | Route::Spared { .. } => {
            let Some((host, port)) = host_and_port(&settings.endpoint) else {
                return Step::fail(NAME, "the endpoint names no host", "write the full remote-write URL");
            };
            let remedy = "check the spelling of the region and the host, and the name servers of this machine; where only a \
                          proxy leads out, name it in proxy_url or HTTPS_PROXY";
            ("", host, port, remedy.to_owned())
        }
    };
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host.as_str(), port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            addresses.dedup();
            let told = format!("{whose}{host} is {}", addresses.join(", "));
            match host_and_port(&settings.endpoint) {
                Some((receiver, _)) if !whose.is_empty() => {
                    Step::pass(NAME, format!("{told}; it looks up {receiver} itself"))
                }
                _ => Step::pass(NAME, told),
            }
        }
        Ok(Err(error)) => Step::fail(NAME, format!("{whose}{host}: {error}"), remedy),
        Err(_elapsed) => {
            let problem =
                format!("{whose}{host}: no answer of the name servers within {} s", PATIENCE.as_secs());
            Step::wait(NAME, problem, "check the name servers of this machine")
        }
    }
}

/// Connects and asks for nothing in particular. Whatever is answered, the receiver is there.
pub(super) async fn greet(subject: &Subject<'_>, route: &Route) -> Greeting {
    const NAME: &str = "connection";
    let before = subject.clock.now();
    let asked = subject.client.send(clock_probe(&subject.settings.endpoint), Bytes::new()).await;
    let after = subject.clock.now();
    let Exchange { response, arrival } = asked;
    let way = described(route);
    if response.status == 0 {
        let problem = format!("{way}{}", String::from_utf8_lossy(&response.body));
        let connection = match (arrival, route) {
            // Something is there, and does not answer.
            (Arrival::Possible, _) => Step::wait(
                NAME,
                problem,
                "the receiver, or what is on the way to it, does not answer; preamp run tries again. If this lasts, look \
                 for a firewall that drops packets, or raise `timeout`",
            ),
            (Arrival::Settled, Route::Proxy { named_by, .. }) => {
                let remedy = format!(
                    "check the proxy in {named_by}: that it runs, takes this user, and lets the receiver's host through; \
                     or spare that host in NO_PROXY"
                );
                Step::fail(NAME, problem, remedy)
            }
            (Arrival::Settled, Route::Direct | Route::Spared { .. }) => Step::fail(
                NAME,
                problem,
                "let this machine reach it (firewall, route); where only a proxy leads out, name it in proxy_url or \
                 HTTPS_PROXY; for a certificate: tls.ca_file, or the name in the URL",
            ),
        };
        return Greeting { connection, clock: None };
    }
    let secured = if subject.settings.endpoint.starts_with("https") { "with TLS" } else { "without TLS" };
    let connection = Step::pass(NAME, format!("{way}{secured}, answered {}", response.status));
    Greeting { connection, clock: Some(clock(&response, before / 2 + after / 2)) }
}

/// The way in words, in front of what was found there.
fn described(route: &Route) -> String {
    match route {
        Route::Direct => String::new(),
        Route::Spared { variable } => {
            format!("not through the proxy of {variable} (NO_PROXY, or this machine): ")
        }
        Route::Proxy { host, port, named_by } => format!("through the proxy {host}:{port} ({named_by}), "),
    }
}

/// Compares the receiver's clock, which is exact to a second, to the local one.
fn clock(response: &Response, local: u64) -> Step {
    const NAME: &str = "clock";
    let date = response.headers.iter().find(|header| header.name == "date");
    let theirs = date.and_then(|date| OffsetDateTime::parse(&date.value, &Rfc2822).ok());
    let Some(theirs) = theirs else { return Step::skip(NAME, "the receiver does not say its time") };
    let ahead = i64::try_from(local / 1_000_000_000).unwrap_or(i64::MAX) - theirs.unix_timestamp();
    let difference = Duration::from_secs(ahead.unsigned_abs());
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let detail = format!("{} s {side} the receiver's", difference.as_secs());
    let remedy = "set the clock of this machine (NTP)";
    if difference >= TOLERATED {
        Step::warn(NAME, format!("{detail}; preamp signs with the receiver's time"), remedy)
    } else if difference >= NOTABLE {
        Step::warn(NAME, detail, remedy)
    } else {
        Step::pass(NAME, "agrees with the receiver's")
    }
}

fn host_and_port(endpoint: &str) -> Option<(String, u16)> {
    let url: Uri = endpoint.parse().ok()?;
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port))
}

/// A user and a password in a URL are nobody's business.
fn without_user(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}
