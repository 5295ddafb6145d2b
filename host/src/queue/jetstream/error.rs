//! Why a stream cannot be used.

use crate::queue::durable::FolderError;
use crate::tls::TlsError;
use std::path::PathBuf;

/// Why a stream cannot be used as a queue. Nothing is changed in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No server takes the connection.
    #[error("cannot connect to {servers}: {problem}; check the addresses, and that the servers run")]
    Connect {
        /// The servers.
        servers: String,
        /// What went wrong.
        problem: String,
    },
    /// The file with credentials cannot be used.
    #[error("credentials_file {}: {problem}; make one with `nsc generate creds`", file.display())]
    Credentials {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The TLS settings cannot be used.
    #[error(transparent)]
    Tls(TlsError),
    /// What is set aside cannot be kept where it is to be.
    #[error(transparent)]
    Quarantine(#[from] FolderError),
    /// A server cannot store a payload as a whole.
    #[error(
        "the NATS server {server} is of version {version}; 2.12 is the first that stores a payload whole or not at all"
    )]
    TooOld {
        /// Its name.
        server: String,
        /// Its version.
        version: String,
    },
    /// A server does not say what is needed to know.
    #[error("{url}: {problem}; list the monitoring address (http_port) of each server, with JetStream on")]
    Monitoring {
        /// Where it was asked.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// A server acknowledges what is not on the disk.
    #[error(
        "the NATS server {server} acknowledges what is not on its disk yet, and may lose it in a power cut: set \
         `sync_interval: always` in its section `jetstream`"
    )]
    NotSynchronized {
        /// Its name.
        server: String,
    },
    /// The stream cannot be made or changed.
    #[error(
        "the stream {stream}: {problem}; it needs a cluster with JetStream, and as many servers as replicas"
    )]
    Stream {
        /// Its name.
        stream: String,
        /// What the server says.
        problem: String,
    },
    /// The stream is of something else.
    #[error(
        "the stream {stream} is not of this exporter but of {}; name another one with `stream`",
        exporter.as_deref().unwrap_or("something other than preamp")
    )]
    OfAnother {
        /// Its name.
        stream: String,
        /// Whose it is.
        exporter: Option<String>,
    },
    /// A later version made the stream.
    #[error(
        "the stream {stream} is of format {format}, which a later version of preamp made; use that version"
    )]
    Newer {
        /// Its name.
        stream: String,
        /// Its format.
        format: u32,
    },
    /// The stream has another number of partitions.
    #[error(
        "the stream {stream} holds batches in {found} partitions, and {configured} are configured; set `partitions: \
         {found}`, or stop the senders until it is empty: the next process to start changes the number then"
    )]
    Partitions {
        /// Its name.
        stream: String,
        /// What it has.
        found: u32,
        /// What is configured.
        configured: u32,
    },
}
