//! What is known of the receivers of remote write: one row of [`TRAITS`] each. The texts of their answers
//! are in `judge/data.rs`, and `docs/receivers.md` names the source of both.

use super::{Endpoint, SigningScope};

/// A kind of receiver. Its [traits](Profile::traits) say what it takes and how it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Amazon Managed Service for Prometheus.
    Aps,
    /// Prometheus' own receiver, and whatever is not known to be another one.
    Prometheus,
    /// Grafana Mimir, Cortex and Grafana Cloud.
    Mimir,
    /// Thanos Receive.
    Thanos,
    /// VictoriaMetrics: single server, vminsert, vmagent, and vmauth in front of them.
    VictoriaMetrics,
}

/// What a receiver takes, and how it answers.
#[derive(Debug)]
pub struct Traits {
    /// The name that the option `profile` has for it.
    pub name: &'static str,
    /// The largest body, in bytes before compression, unless the configuration says another.
    pub max_batch_bytes: u64,
    /// Whether the configuration can only make bodies smaller.
    pub is_batch_limit_firm: bool,
    /// The greatest age of a point, in milliseconds; `None` takes any.
    pub max_age_ms: Option<u64>,
    /// The greatest age of a sample that is worth sending: less by what a request may take on its way.
    pub max_age_sent_ms: Option<u64>,
    /// How far ahead of now a point may be, in milliseconds; `None` takes any.
    pub max_future_ms: Option<u64>,
    /// Whether it stores exemplars.
    pub takes_exemplars: bool,
    /// With remote write 1.0, how often metadata is sent, in milliseconds; 0 with every payload.
    pub metadata_interval_ms: u64,
    /// The statuses with which it refuses some series of a request and stores all others. With any other
    /// status that refuses series it stores nothing of the request.
    pub stores_valid_part: &'static [u16],
    /// Statuses with which no other receiver refuses series.
    pub own_statuses: &'static [u16],
    /// Any of these texts, in lower case, shows that the answer is this receiver's, whatever the address
    /// looked like.
    pub own_texts: &'static [&'static str],
    /// What to check if the address is not there.
    pub not_found_remedy: &'static str,
}

const MINUTE_MS: u64 = 60 * 1000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What most receivers have in common.
const USUAL: Traits = Traits {
    name: "",
    max_batch_bytes: 3_000_000,
    is_batch_limit_firm: false,
    max_age_ms: None,
    max_age_sent_ms: None,
    max_future_ms: None,
    takes_exemplars: true,
    metadata_interval_ms: 0,
    stores_valid_part: &[],
    own_statuses: &[],
    own_texts: &[],
    not_found_remedy: "",
};

const TRAITS: [(Profile, Traits); 5] = [
    (
        Profile::Aps,
        Traits {
            name: "aps",
            // AMP refuses bodies of 1 MB; whether it counts before or after compression is not documented,
            // so the size before compression is capped, with room for what incompressible data grows.
            max_batch_bytes: 990_000,
            is_batch_limit_firm: true,
            max_age_ms: Some(HOUR_MS),
            max_age_sent_ms: Some(HOUR_MS - MINUTE_MS),
            max_future_ms: None,
            takes_exemplars: false,
            // It keeps metadata of a limited number of metrics and bills requests.
            metadata_interval_ms: HOUR_MS,
            stores_valid_part: &[400, 429],
            not_found_remedy: "check workspace id, region and path of the endpoint: \
                               /workspaces/WORKSPACE/api/v1/remote_write",
            ..USUAL
        },
    ),
    (
        Profile::Prometheus,
        Traits {
            name: "prometheus",
            // It rolls a whole request back for one sample further ahead, so such samples must not be in it.
            max_future_ms: Some(10 * MINUTE_MS),
            not_found_remedy: "check the path of the endpoint (Prometheus: /api/v1/write) and that the receiver is \
                               switched on (Prometheus: --web.enable-remote-write-receiver)",
            ..USUAL
        },
    ),
    (
        Profile::Mimir,
        Traits {
            name: "mimir",
            // The default of -validation.create-grace-period.
            max_future_ms: Some(10 * MINUTE_MS),
            stores_valid_part: &[400, 429],
            own_texts: &["err-mimir-", "maxfailure (quorum)", "failed pushing to ingester", ": err: "],
            not_found_remedy: "check the path of the endpoint (Mimir and Cortex: /api/v1/push; Grafana Cloud: \
                               /api/prom/push)",
            ..USUAL
        },
    ),
    (
        Profile::Thanos,
        Traits {
            name: "thanos",
            // It takes any by default, and then refuses what comes at the right time as out of bounds.
            max_future_ms: Some(10 * MINUTE_MS),
            stores_valid_part: &[409],
            own_statuses: &[409],
            own_texts: &["store locally for endpoint"],
            not_found_remedy: "check the path of the endpoint (Thanos Receive: /api/v1/receive) and its port (that of \
                               --remote-write.address)",
            ..USUAL
        },
    ),
    (
        Profile::VictoriaMetrics,
        Traits {
            name: "victoriametrics",
            // The default of -futureRetention; what is beyond would be dropped without a word.
            max_future_ms: Some(2 * DAY_MS),
            takes_exemplars: false,
            not_found_remedy: "check the path of the endpoint (VictoriaMetrics: /api/v1/write; vminsert: \
                               /insert/0/prometheus/api/v1/write) and the routes of vmauth",
            ..USUAL
        },
    ),
];

impl Profile {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Profile; 5] =
        [Profile::Aps, Profile::Prometheus, Profile::Mimir, Profile::Thanos, Profile::VictoriaMetrics];

    /// The name that the option `profile` has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.traits().name
    }

    /// What it takes and how it answers.
    #[must_use]
    pub fn traits(self) -> &'static Traits {
        const { assert!(is_in_order()) };
        &TRAITS[self as usize].1
    }

    /// What an address and a signature show, with the reason in words.
    pub(super) fn told_from(endpoint: &Endpoint, sigv4: Option<&SigningScope>) -> (Profile, &'static str) {
        let path = endpoint.path.trim_end_matches('/');
        let is_signed_for_aps = sigv4.is_some_and(|scope| scope.service == "aps");
        if endpoint.is_aps() {
            (Profile::Aps, "the host of the endpoint is AMP's")
        } else if names_workspace(path) {
            (Profile::Aps, "the path of the endpoint names a workspace of AMP")
        } else if is_signed_for_aps {
            (Profile::Aps, "requests are signed for the service aps")
        } else if endpoint.is_in_domain("grafana.net") || path.ends_with("/api/prom/push") {
            (Profile::Mimir, "the endpoint is that of Grafana Cloud or Cortex")
        } else if endpoint.is_victoria_metrics(path) {
            (Profile::VictoriaMetrics, "host, port or path of the endpoint are those of VictoriaMetrics")
        } else if path.ends_with("/api/v1/push") {
            (Profile::Mimir, "the path of the endpoint is that of Mimir and Cortex")
        } else if path.ends_with("/api/v1/receive") {
            (Profile::Thanos, "the path of the endpoint is that of Thanos Receive")
        } else if path.ends_with("/api/v1/write") {
            (Profile::Prometheus, "the path of the endpoint is that of Prometheus")
        } else {
            (Profile::Prometheus, "nothing in the endpoint names another receiver")
        }
    }
}

/// Whether each row of the table stands where its profile counts to.
const fn is_in_order() -> bool {
    let mut row = 0;
    while row < TRAITS.len() {
        if TRAITS[row].0 as usize != row {
            return false;
        }
        row += 1;
    }
    true
}

/// Whether a path holds `/workspaces/ws-…/api/v1/remote_write`, whatever a proxy puts before it.
fn names_workspace(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    segments.windows(5).any(|part| {
        part[0] == "workspaces" && part[1].starts_with("ws-") && part[2..] == ["api", "v1", "remote_write"]
    })
}

impl Endpoint {
    /// Whether the host is a domain or lies in it.
    fn is_in_domain(&self, domain: &str) -> bool {
        let host = self.host_name();
        host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    }

    /// Whether this is where VictoriaMetrics listens: a path of vminsert, a port of its own with a path that
    /// it serves there, or a host whose name begins with that of one of its programs.
    fn is_victoria_metrics(&self, path: &str) -> bool {
        const NAMES: [&str; 6] =
            ["victoria-metrics", "victoriametrics", "vminsert", "vmagent", "vmsingle", "vmauth"];
        const PORTS: [&str; 4] = [":8427", ":8428", ":8429", ":8480"];
        let is_vminsert = path.starts_with("/insert/") && path.contains("/prometheus");
        let is_served = ["/api/v1/write", "/api/v1/push"].iter().any(|served| path.ends_with(served));
        let has_own_port = PORTS.iter().any(|port| self.host.ends_with(port));
        let first_label = self.host_name().split('.').next().unwrap_or_default();
        let has_own_name = NAMES.iter().any(|name| first_label.starts_with(name));
        is_vminsert || is_served && (has_own_port || has_own_name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn every_address_that_names_a_receiver_is_understood() {
        for (url, name) in [
            ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write", "aps"),
            ("http://localhost:8005/workspaces/ws-1/api/v1/remote_write", "aps"),
            ("http://proxy.example/amp/workspaces/ws-0a-b/api/v1/remote_write/", "aps"),
            ("http://h/workspaces/ws-1/api/v1/query", "prometheus"),
            ("http://h/workspaces/mine/api/v1/remote_write", "prometheus"),
            ("https://prometheus-prod-01-eu-west-0.grafana.net/api/prom/push", "mimir"),
            ("https://prometheus-blocks-prod-us-central1.grafana.net/api/v1/anything", "mimir"),
            ("https://grafana.net.example/api/v1/write", "prometheus"),
            ("https://evilgrafana.net/api/v1/write", "prometheus"),
            ("http://mimir:9009/api/v1/push", "mimir"),
            ("http://cortex/api/prom/push", "mimir"),
            ("http://gateway/mimir/api/v1/push?x=1", "mimir"),
            ("http://thanos:19291/api/v1/receive", "thanos"),
            ("http://127.0.0.1:10908/api/v1/receive/", "thanos"),
            ("http://localhost:8428/api/v1/write", "victoriametrics"),
            ("http://localhost:8428/prometheus/api/v1/write", "victoriametrics"),
            ("http://localhost:8428/api/v1/push", "victoriametrics"),
            ("http://localhost:8428/api/v1/receive", "thanos"),
            ("http://h:8480/insert/0/prometheus/api/v1/write", "victoriametrics"),
            ("http://h/insert/7:8/prometheus/", "victoriametrics"),
            ("http://metrics.monitoring.svc/insert/0/prometheus", "victoriametrics"),
            ("http://vmauth.example/api/v1/write", "victoriametrics"),
            ("http://victoria-metrics-single-server/api/v1/write", "victoriametrics"),
            ("http://victoria-station.example/api/v1/write", "prometheus"),
            ("http://[::1]:8428/api/v1/write", "victoriametrics"),
            ("http://localhost:9090/api/v1/write", "prometheus"),
            ("http://localhost/", "prometheus"),
        ] {
            let config = Config::read(&format!(r#"{{"endpoint":"{url}"}}"#)).unwrap();
            assert_eq!(config.profile.name(), name, "{url}: {}", config.profile_reason);
            assert!(config.profile_reason.len() > 20, "{url}");
        }
    }

    #[test]
    fn what_the_configuration_says_comes_before_what_the_address_shows() {
        for profile in Profile::ALL {
            let json = format!(r#"{{"endpoint":"http://t/api/v1/receive","profile":"{}"}}"#, profile.name());
            let config = Config::read(&json).unwrap();
            assert_eq!((config.profile, config.profile_reason), (profile, "the configuration says so"));
        }
    }
}
