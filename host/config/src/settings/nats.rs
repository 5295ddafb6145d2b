//! A queue in NATS JetStream.

use super::ClientTls;
use preamp_base::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// `extensions.nats`: a stream of NATS JetStream as a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Nats {
    /// `nats://host:port` or `tls://host:port`, any of the cluster.
    pub servers: Vec<String>,
    /// The monitoring address of each server of the cluster, where it says whether it synchronizes.
    pub monitoring: Vec<String>,
    /// Whether the operator vouches that all servers synchronize each write, where they are not asked.
    pub sync_always: bool,
    /// The name of the stream; otherwise one made of the exporter's id.
    pub stream: Option<String>,
    /// Partitions, which all processes share.
    pub partitions: u32,
    /// On how many servers everything is kept.
    pub replicas: u32,
    /// How long a process that is not heard of keeps its partitions, if it is configured.
    pub lease: Option<Duration>,
    /// Where what the receiver refuses is kept, in files of this process; otherwise nowhere.
    pub quarantine_directory: Option<PathBuf>,
    /// Who this side is.
    pub credentials: NatsCredentials,
    /// TLS; `None` leaves it to the URLs and what the servers ask for.
    pub tls: Option<ClientTls>,
}

/// A lease is longer than three requests may take, by this if it is not configured.
const LEASE: Duration = Duration::from_secs(10);

impl Nats {
    /// A lease is this many times what a request may take, at least: what is under way when it ends may still be answered.
    pub const LEASE_OF_TIMEOUTS: u32 = 3;

    /// The lease where none is configured, in words.
    pub(crate) fn usual_lease() -> String {
        format!("{LEASE:?} and {} times `timeout`", Self::LEASE_OF_TIMEOUTS)
    }

    /// The lease, where a request may take so long.
    #[must_use]
    pub fn lease_for(&self, timeout: Duration) -> Duration {
        self.lease.unwrap_or(LEASE + Self::LEASE_OF_TIMEOUTS * timeout)
    }
}

/// Who the client of a NATS server is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum NatsCredentials {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// A file with a JWT and its key, as `nsc` makes it.
    File(PathBuf),
    /// A token.
    Token(Secret),
    /// A user with a password.
    User {
        /// Its name.
        name: String,
        /// Its password.
        password: Secret,
    },
}
