//! `extensions.file_storage`: the directory of queues that outlive the process.

use super::keys::{Key, ignored, read};
use super::view::View;
use std::path::PathBuf;

/// The name of the type.
pub(super) const FILE_STORAGE: &str = "file_storage";

/// The Collector's default.
const DIRECTORY: &str = "/var/lib/otelcol/file_storage";

const OWN_FORMAT: &str = "preamp keeps its queue in files of its own form, which shrink by themselves";

const EXTENSION: &[Key] = &[
    read("directory"),
    ignored("timeout", "preamp does not wait for a directory that is in use"),
    ignored("compaction", OWN_FORMAT),
    read("fsync"),
    ignored("create_directory", "a directory that is not there is made"),
    ignored("directory_permissions", "the directory is made with the permissions of the process (umask)"),
    ignored("recreate", "what is damaged is set aside, and the rest used"),
];

/// Reads an extension of this type.
pub(super) fn read_file_storage(view: &View) -> PathBuf {
    let section = view.section(&[EXTENSION]);
    if let Some(fsync) = section.get("fsync")
        && fsync.boolean() == Some(false)
    {
        fsync.warn("changes nothing: what preamp acknowledges is always on the disk first");
    }
    PathBuf::from(section.text("directory").map_or(DIRECTORY, |(directory, _)| directory))
}
