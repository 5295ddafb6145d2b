//! Where batches wait: whether it can be used, and keeps what it takes.

use super::Step;
use crate::sizes::Bytes;
use preamp_base::Directory;
use preamp_config::{Nats, Queue, Storage};
use preamp_host::nats;
use preamp_queue::durable::{Disk as _, Folder};
use rustix::fs::{Access, access};
use std::path::Path;

const NAME: &str = "queue";

/// A queue that begins needs this much room on its disk.
const ROOM: u64 = 1 << 20;

/// Looks at the directory of a queue, or asks the servers of one that is shared; `None` for a queue in memory.
pub(super) async fn look(queue: &Queue) -> Option<Step> {
    match &queue.storage {
        Storage::Memory => None,
        Storage::Directory(directory) => Some(look_at(queue, directory)),
        Storage::Nats(nats) => Some(servers(nats).await),
    }
}

/// Looks at a directory, and changes nothing there.
fn look_at(queue: &Queue, directory: &Directory) -> Step {
    const MUST_BE: &str = "it must be a directory that this user can write to: give it to the user (chown), or name another \
                           one in the file";
    let path = &directory.path;
    let around = path.parent().filter(|around| !around.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if directory.must_exist_around && !around.is_dir() {
        let problem = format!("{} is not there, and `create_directory` is false", around.display());
        return Step::fail(NAME, problem, "make the directory, or mount what it is on");
    }
    let Some(existing) = path.ancestors().find(|path| path.exists()) else {
        return Step::fail(NAME, format!("{} cannot be made", path.display()), MUST_BE);
    };
    let folder = match Folder::look(existing) {
        Ok(folder) => folder,
        Err(error) => return Step::fail(NAME, error.to_string(), MUST_BE),
    };
    let holder = folder.holder().filter(|_| existing == path);
    if holder.is_none() && access(existing, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Step::fail(
            NAME,
            format!("{} cannot be written to by this user", existing.display()),
            MUST_BE,
        );
    }
    let use_now = holder.map(|holder| format!("in use by {holder}; ")).unwrap_or_default();
    let shown = path.display();
    let Ok(free) = folder.free() else {
        return Step::pass(NAME, format!("{shown}: {use_now}at most {}", Bytes(queue.max_bytes)));
    };
    let detail = format!(
        "{shown}: {use_now}{} free on its disk, at most {} used",
        Bytes(free),
        Bytes(queue.max_bytes)
    );
    if free < queue.min_free_bytes {
        let problem = format!("{detail}; min_free_disk_bytes keeps {} free", Bytes(queue.min_free_bytes));
        Step::fail(
            NAME,
            problem,
            "senders are refused with 503 until there is room: free space on that disk, or lower \
                                   min_free_disk_bytes",
        )
    } else if free < ROOM {
        Step::fail(
            NAME,
            format!("{detail}: the disk is full"),
            "senders are refused with 503 until there is room: free \
                                                                 space on that disk, or name a directory on another one",
        )
    } else if free < queue.max_bytes && !use_now.is_empty() {
        Step::pass(NAME, detail)
    } else if free < queue.max_bytes {
        Step::warn(
            NAME,
            detail,
            "the disk is full before the queue is: lower max_queue_bytes, or give it a larger disk",
        )
    } else {
        Step::pass(NAME, detail)
    }
}

async fn servers(nats: &Nats) -> Step {
    match nats::connect(nats).await.map(drop) {
        Ok(()) => Step::pass(NAME, found(nats)),
        Err(error) => Step::fail(NAME, error.to_string(), "a queue that may lose what it took is not used"),
    }
}

fn found(nats: &Nats) -> String {
    let servers = nats.servers.join(", ");
    match nats.monitoring.len() {
        0 => format!(
            "JetStream at {servers}; that it synchronizes all it writes is vouched for by `sync_always`"
        ),
        asked => format!("JetStream at {servers}; {asked} servers synchronize all they write"),
    }
}
