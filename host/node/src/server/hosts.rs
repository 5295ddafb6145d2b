//! Which names a server on loopback answers to.
//!
//! A page on the web can have its own name resolve to 127.0.0.1, and its scripts then reach what listens there as
//! if it were the page's own server. They cannot choose what the field `Host` says: the name of the page.

use http::header::HOST;
use http::{HeaderMap, Uri};
use preamp_base::LogLimiter;
use preamp_config::Hosts;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Names below these cannot be had by strangers: they are not in the DNS of the world.
const PRIVATE: [&str; 4] = ["localhost", "localdomain", "local", "internal"];

/// How much of a name is shown.
const SHOWN_MAX: usize = 100;

/// The names of a server.
pub(crate) struct Names {
    /// Those that it has beside private ones; `None` if it answers to any.
    named: Option<Vec<String>>,
    log_limiter: LogLimiter,
}

impl Names {
    /// Those of a server that listens there. With TLS, the certificate says who it is.
    pub(crate) fn new(hosts: &Hosts, address: Option<SocketAddr>, has_tls: bool) -> Self {
        let is_local = address.is_some_and(|address| address.ip().to_canonical().is_loopback());
        let named = match hosts {
            Hosts::Named(names) if is_local && !has_tls => Some(names.clone()),
            Hosts::Named(_) | Hosts::Any => None,
        };
        Names { named, log_limiter: LogLimiter::default() }
    }

    /// Whether a request is for this server.
    ///
    /// # Errors
    ///
    /// What is wrong, and what helps.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), String> {
        let Some(named) = &self.named else { return Ok(()) };
        let is_own = |host: &str| is_private(host) || named.contains(&bare(host).to_ascii_lowercase());
        let fields = headers.get_all(HOST).iter().map(|value| value.to_str().unwrap_or("?"));
        let Some(foreign) = uri
            .authority()
            .map(http::uri::Authority::as_str)
            .into_iter()
            .chain(fields)
            .find(|host| !is_own(host))
        else {
            return Ok(());
        };
        let shown: String = foreign.chars().take(SHOWN_MAX).collect();
        if let Some(suppressed) = self.log_limiter.allow("host", 1) {
            tracing::warn!(
                host = ?shown,
                suppressed,
                "a request to a port on loopback was refused, since it names a host of the outside, as a page in a \
                 browser does that wants to get inside; if a proxy on this machine passes that name on, add it to \
                 the server's allowed_hosts"
            );
        }
        Err(format!(
            "{shown:?} is no name of this server, which listens on loopback only: use localhost or an address, or \
             add the name to allowed_hosts in the configuration"
        ))
    }
}

/// A host without its port.
fn bare(host: &str) -> &str {
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a host is an address, or a name that no stranger can have.
fn is_private(host: &str) -> bool {
    let host = bare(host);
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.rsplit('.').next().unwrap_or_default();
    host.parse::<IpAddr>().is_ok()
        || !host.contains('.')
        || PRIVATE.iter().any(|private| private.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hosts: Hosts) -> Names {
        Names::new(&hosts, Some(SocketAddr::from(([127, 0, 0, 1], 4318))), false)
    }

    fn ask(names: &Names, uri: &str, host: &[&str]) -> Result<(), String> {
        let headers = host.iter().map(|host| (HOST, host.parse().unwrap())).collect();
        names.check(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn addresses_and_private_names_are_answered_to_and_others_are_not() {
        let names = names(Hosts::Named(vec!["otlp.example.com".to_owned()]));
        for host in [
            "localhost:4318",
            "LOCALHOST",
            "preamp",
            "127.0.0.1:4318",
            "10.1.2.3",
            "[::1]:4318",
            "[2001:db8::1]",
            "a.localhost",
            "localhost.localdomain",
            "preamp.monitoring.svc.cluster.local:4318",
            "localhost.",
            "host.docker.internal",
            "otlp.example.com:80",
            "OTLP.Example.com.",
            "",
        ] {
            assert_eq!(ask(&names, "/v1/metrics", &[host]), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example:4318", "127.0.0.1.evil.example", "[::1].evil.com", "a.b"]
        {
            let refused = ask(&names, "/v1/metrics", &[host]).unwrap_err();
            assert!(refused.contains("allowed_hosts"), "{refused}");
            assert!(
                ask(&names, &format!("http://{host}/v1/metrics"), &["localhost"]).is_err()
                    || host.contains('[')
            );
            assert!(ask(&names, "/v1/metrics", &["localhost", host]).is_err(), "{host}");
        }
        assert_eq!(ask(&names, "/v1/metrics", &[]), Ok(()));
        let long = ask(&names, "/", &["x.".repeat(5_000).as_str()]).unwrap_err();
        assert!(long.len() < 400, "{long}");
    }

    #[test]
    fn a_server_that_others_reach_or_that_has_a_certificate_is_called_as_they_like() {
        let none = Hosts::Named(Vec::new());
        let (inside, outside) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([0, 0, 0, 0], 1)));
        for names in [
            names(Hosts::Any),
            Names::new(&none, Some(outside), false),
            Names::new(&none, Some(inside), true),
        ] {
            assert_eq!(ask(&names, "/", &["evil.example"]), Ok(()));
        }
        let mapped = "[::ffff:127.0.0.1]:1".parse().unwrap();
        assert!(ask(&Names::new(&none, Some(mapped), false), "/", &["evil.example"]).is_err());
    }
}
