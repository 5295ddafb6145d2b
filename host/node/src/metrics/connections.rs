//! Who is connected, and who could not be.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type ByListener<M> = Family<[(&'static str, &'static str); 1], M>;
type ByReason = Family<[(&'static str, &'static str); 2], Counter>;

/// Connections to all ports of a process.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    open: ByListener<Gauge>,
    limit: ByListener<Gauge>,
    refused: ByReason,
    closed: ByReason,
}

/// Connections to one port.
#[cfg(feature = "receivers")]
#[derive(Clone, Debug)]
pub struct ListenerMetrics {
    all: ConnectionMetrics,
    name: &'static str,
}

impl ConnectionMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("preamp_connections", "Connections that are open, by port", self.open.clone());
        registry.register(
            "preamp_connections_limit",
            "Connections that may be open, by port",
            self.limit.clone(),
        );
        registry.register(
            "preamp_connections_refused",
            "Connections that were turned away before their first request, by port and reason",
            self.refused.clone(),
        );
        registry.register(
            "preamp_connections_closed",
            "Connections that preamp closed because of a limit, by port and reason",
            self.closed.clone(),
        );
    }

    /// Those to one port: `grpc`, `http`, `metrics` or `health`.
    #[cfg(feature = "receivers")]
    #[must_use]
    pub fn listener(&self, name: &'static str) -> ListenerMetrics {
        ListenerMetrics { all: self.clone(), name }
    }
}

#[cfg(feature = "receivers")]
impl ListenerMetrics {
    /// Says how many there may be.
    pub(crate) fn limited_to(&self, most: usize) {
        let limit = self.all.limit.get_or_create_owned(&[("listener", self.name)]);
        limit.set(i64::try_from(most).unwrap_or(i64::MAX));
        // Whoever watches for the first one needs to have seen none.
        for (family, reason) in [
            (&self.all.refused, "descriptors"),
            (&self.all.refused, "max-connections"),
            (&self.all.closed, "displaced"),
        ] {
            family.get_or_create_owned(&[("listener", self.name), ("reason", reason)]).inc_by(0);
        }
    }

    /// Counts one that was opened.
    pub(crate) fn opened(&self) {
        self.all.open.get_or_create_owned(&[("listener", self.name)]).inc();
    }

    /// Counts one that is not open any more.
    pub(crate) fn ended(&self) {
        self.all.open.get_or_create_owned(&[("listener", self.name)]).dec();
    }

    /// Counts one that was turned away.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.all.refused.get_or_create_owned(&[("listener", self.name), ("reason", reason)]).inc();
    }

    /// Counts one that had to end.
    pub(crate) fn closed(&self, reason: &'static str) {
        self.all.closed.get_or_create_owned(&[("listener", self.name), ("reason", reason)]).inc();
    }
}
