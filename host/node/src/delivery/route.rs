//! The way to a receiver: directly, or through a proxy that the file or the environment names.

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// Which proxy leads where.
pub(super) struct Proxies {
    matcher: Matcher,
    is_of_file: bool,
}

/// The way to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// No proxy is named.
    Direct,
    /// The environment names a proxy, which is not for this receiver: `NO_PROXY` spares it, or it is on this machine.
    Spared {
        /// The variable that names the proxy.
        variable: &'static str,
    },
    /// Through a proxy.
    Proxy {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// The key of the file, or the variable, that names it.
        named_by: &'static str,
    },
}

impl Proxies {
    /// The proxy of the file if it names one, else those of the environment.
    pub fn new(url: Option<&str>) -> Self {
        let matcher = url.map_or_else(Matcher::from_env, |url| Matcher::builder().all(url).build());
        Self { matcher, is_of_file: url.is_some() }
    }

    /// The proxy on the way to a receiver. One of the environment is for other machines only.
    pub fn on_the_way_to(&self, receiver: &Uri) -> Option<Intercept> {
        if !self.is_of_file && receiver.host().is_some_and(is_loopback) {
            return None;
        }
        self.matcher.intercept(receiver)
    }

    /// The same for people.
    pub fn route(&self, receiver: &Uri) -> Route {
        let is_secure = receiver.scheme_str() == Some("https");
        let variable = || variables(is_secure).into_iter().find(|name| is_set(name));
        let Some(proxy) = self.on_the_way_to(receiver) else {
            return variable().map_or(Route::Direct, |variable| Route::Spared { variable });
        };
        let named_by = if self.is_of_file { "proxy_url" } else { variable().unwrap_or("the environment") };
        let uri = proxy.uri();
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        Route::Proxy { host, port: uri.port_u16().unwrap_or(default), named_by }
    }
}

/// The variables that name a proxy, as the matcher reads them.
fn variables(is_secure: bool) -> [&'static str; 4] {
    if is_secure {
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether a host is this machine, as far as its name tells.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
