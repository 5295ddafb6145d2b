//! What the commands about a queue on disk have in common.

use super::ConfigArgs;
use super::words::Counted;
use anyhow::bail;
use preamp_host::config::Loaded;
use preamp_host::queue::durable::{Folder, Inspection};
use std::fmt::{self, Display};
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The directory of the exporter's queue.
pub(super) fn directory(loaded: &Loaded) -> anyhow::Result<&Path> {
    let exporter = &loaded.settings.exporter;
    let Some(directory) = exporter.queue.storage.directory() else {
        bail!(
            "the queue of exporters.{} is not kept in files; a queue on disk has \
             `sending_queue.storage` with the extension file_storage, or `wal` with a `directory`",
            exporter.id
        );
    };
    Ok(directory)
}

/// What the files say, whether a process uses them or not.
pub(super) fn inspect(args: &ConfigArgs) -> anyhow::Result<(Loaded, Inspection)> {
    let loaded = args.load()?;
    let inspection = Inspection::of(Arc::new(Folder::look(directory(&loaded)?)?))?;
    Ok((loaded, inspection))
}

/// A time in milliseconds since 1970, as RFC 3339 in UTC.
pub(super) struct At(pub i64);

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000);
        match time.ok().and_then(|time| time.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} ms", self.0),
        }
    }
}

/// Data points.
pub(super) fn points(number: u64) -> Counted {
    Counted(number, "data point")
}
