//! What the commands about a queue on disk have in common.

use super::ConfigArgs;
use super::words::Counted;
use anyhow::{Context as _, bail};
use preamp_config::{Directory, Loaded, Nats, Storage};
use preamp_queue::durable::{Folder, Inspection, Kept, QuarantineFiles};
use std::fmt::{self, Display};
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The directory of the exporter's queue.
pub(super) fn directory(loaded: &Loaded) -> anyhow::Result<&Directory> {
    let exporter = &loaded.settings.exporter;
    let Some(directory) = exporter.queue.storage.directory() else {
        let at = match &loaded.settings.telemetry.metrics_endpoint {
            Some(endpoint) => format!("at http://{endpoint}/metrics"),
            None => "under service.telemetry.metrics".to_owned(),
        };
        bail!(
            "the queue of exporters.{} is not kept in files. How full it is, the running process shows as \
             otelcol_exporter_queue_size {at}. A queue on disk has `sending_queue.storage` with the extension \
             file_storage, or `wal` with a `directory`",
            exporter.id
        );
    };
    Ok(directory)
}

/// What the files say, whether a process uses them or not.
pub(super) fn inspect(args: &ConfigArgs) -> anyhow::Result<(Loaded, Inspection)> {
    let loaded = args.load()?;
    let inspection = Inspection::of(Arc::new(Folder::look(&directory(&loaded)?.path)?))?;
    Ok((loaded, inspection))
}

/// The quarantined batches of a queue in files or in a stream.
pub(super) fn quarantined(args: &ConfigArgs) -> anyhow::Result<(Loaded, Vec<Kept>)> {
    let loaded = args.load()?;
    let kept = match &loaded.settings.exporter.queue.storage {
        Storage::Nats(nats) => QuarantineFiles::read(&Folder::look(quarantine_directory(nats)?)?)?,
        Storage::Memory | Storage::Directory(_) => {
            Inspection::of(Arc::new(Folder::look(&directory(&loaded)?.path)?))?.quarantined
        }
    };
    Ok((loaded, kept))
}

/// The folder of the quarantine of a queue in a stream.
pub(super) fn quarantine_directory(nats: &Nats) -> anyhow::Result<&Path> {
    let directory = nats.quarantine_directory.as_deref();
    directory.context(
        "what the receiver refuses is not kept: name a `quarantine_directory` in the extension nats, \
         one for each process",
    )
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
