//! Why a stream cannot be used.

use crate::durable::FolderError;

/// Why a stream cannot be used as a queue. Nothing is changed in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of the quarantine cannot be used.
    #[error(transparent)]
    Quarantine(#[from] FolderError),
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
