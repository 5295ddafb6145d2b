//! The queue in front of the receiver, and how often delivery is tried.

use super::keys;
use crate::component::ComponentConfig;
use crate::duration::milliseconds;
use crate::extensions::Extensions;
use crate::settings::{Nats, Overflow, Queue, Retry, Storage};
use crate::sigv4auth::is_aps;
use crate::storage::Kept;
use crate::view::{Section, View};
use preamp_base::Directory;
use std::time::Duration;

/// The exporter's defaults in the Collector.
const QUEUE_SIZE: i64 = 10_000;
const CONSUMERS: i64 = 5;
const INITIAL_INTERVAL: Duration = Duration::from_millis(50);
const MAX_INTERVAL: Duration = Duration::from_secs(30);
const MAX_ELAPSED_TIME: Duration = Duration::from_secs(5 * 60);
const MULTIPLIER: f64 = 1.5;
const RANDOMIZATION_FACTOR: f64 = 0.5;

/// The defaults of `sending_queue`, where a file has that instead.
const SENDING_QUEUE_SIZE: i64 = 1_000;
const SENDING_CONSUMERS: i64 = 10;

/// What may wait in memory, and on disk, in bytes. The Collector has no such limits, and runs out of memory instead.
const QUEUE_BYTES: i64 = 256 << 20;
const QUEUE_BYTES_ON_DISK: i64 = 4 << 30;

/// Less than the hour after which AMP refuses samples, by what a request may take.
const AMP_MAX_AGE: Duration = Duration::from_secs(59 * 60);

/// The bounds of what can be asked for: a queue holds a few payloads at least.
const QUEUE_BYTES_MIN: i64 = 1 << 20;
const QUEUE_BYTES_MAX: i64 = 1 << 50;

/// The directory of the Collector's write-ahead log, if the file names none.
const WAL_DIRECTORY: &str = "prom_rw";

/// Far more than the component takes, which knows its own bounds.
const MULTIPLIER_MAX: f64 = 1e6;

/// The most requests in flight: what the component takes as partitions.
const CONSUMERS_MAX: i64 = 1024;

/// Reads `remote_write_queue`, or `sending_queue` in its place, and `wal`. A queue of one process has a partition for
/// each consumer.
pub(super) fn read_queue<'d>(
    id: &str,
    exporter: &Section<'d>,
    extensions: &Extensions<'d>,
    component: &mut ComponentConfig,
) -> Queue {
    let own = exporter.get("remote_write_queue").map(|view| view.section(&[keys::REMOTE_WRITE_QUEUE]));
    let general = exporter.get("sending_queue").map(|view| view.section(&[keys::SENDING_QUEUE]));
    if let Some(general) = &general {
        if own.is_some() {
            general.view().key_error("cannot stand beside `remote_write_queue`: keep one of the two");
        } else {
            general.view().warn("the Collector's exporter calls it `remote_write_queue`; taken as that");
        }
    }
    let (size, consumers) = if own.is_none() && general.is_some() {
        (SENDING_QUEUE_SIZE, SENDING_CONSUMERS)
    } else {
        (QUEUE_SIZE, CONSUMERS)
    };
    let queue = own.or(general);
    let key = |name: &str| queue.as_ref().and_then(|queue| queue.get(name));
    let size = key("queue_size").and_then(|view| view.integer(1, QUEUE_BYTES_MAX)).unwrap_or(size);
    // The parallelism of one push, where it is given, is the number of requests in flight.
    let own = key("num_consumers").and_then(read_parallelism);
    let parallelism = exporter.get("max_batch_request_parallelism").and_then(read_parallelism);
    let consumers = match parallelism.or(own) {
        Some((consumers, view)) => {
            component.place(&["partitions"], &view);
            consumers as u32
        }
        None => consumers as u32,
    };
    let storage = key("storage").filter(|view| view.text() != Some(""));
    let storage = storage.and_then(|view| extensions.storage(&view)).cloned();
    let storage = match storage.or_else(|| read_wal(exporter).map(Kept::InFiles)) {
        Some(Kept::InFiles(directory)) => Storage::Directory(directory.within(&folder_of(id))),
        Some(Kept::InStream(nats)) => Storage::Nats(nats),
        None => Storage::Memory,
    };
    let partitions = match &storage {
        // More than one process has consumers.
        Storage::Nats(nats) => nats.partitions,
        Storage::Memory | Storage::Directory(_) => consumers,
    };
    component.set("partitions", partitions);
    let max_bytes =
        exporter.get("max_queue_bytes").and_then(|view| view.integer(QUEUE_BYTES_MIN, QUEUE_BYTES_MAX));
    let usual = if storage.outlives() { QUEUE_BYTES_ON_DISK } else { QUEUE_BYTES };
    let flag = |name: &str| key(name).filter(|view| view.boolean() == Some(true));
    let waits = flag("wait_for_result");
    if let (Some(view), Storage::Nats(_)) = (&waits, &storage) {
        view.error("cannot be kept with a queue that several processes share: whoever delivers does not answer the sender");
    }
    let sizer = key("sizer").and_then(|view| view.choice(&["requests", "items", "bytes"]));
    let limit = |of: &str| if sizer.unwrap_or("requests") == of { size } else { i64::MAX };
    Queue {
        max_payloads: limit("requests") as usize,
        max_points: limit("items").unsigned_abs(),
        max_bytes: max_bytes.unwrap_or(usual).min(limit("bytes")).unsigned_abs(),
        is_max_bytes_open: max_bytes.is_none() && limit("bytes") >= usual,
        min_free_bytes: read_min_free(exporter, &storage),
        on_overflow: read_overflow(exporter, flag("block_on_overflow").is_some(), &storage),
        waits_for_result: waits.is_some(),
        partitions,
        consumers,
        storage,
    }
}

/// Reads what is done where the queue is full.
fn read_overflow(exporter: &Section, waits: bool, storage: &Storage) -> Overflow {
    let dropping = exporter.get("drop_oldest_on_overflow").filter(|view| view.boolean() == Some(true));
    let Some(view) = dropping else {
        return if waits { Overflow::Wait } else { Overflow::Refuse };
    };
    if waits {
        view.key_error(
            "cannot stand beside `block_on_overflow`: either senders wait, or the oldest is given up",
        );
    }
    if let Storage::Nats(_) = storage {
        view.error(
            "cannot be kept with a queue that several processes share: whoever accepts does not deliver",
        );
    }
    Overflow::DropOldest
}

/// Reads what the queue leaves of its disk to others.
fn read_min_free(exporter: &Section, storage: &Storage) -> u64 {
    let Some(view) = exporter.get("min_free_disk_bytes") else { return 0 };
    if storage.directory().is_none() {
        view.warn("changes nothing: there is no queue on disk");
    }
    view.integer(0, QUEUE_BYTES_MAX).unwrap_or_default().unsigned_abs()
}

/// Reports a lease that a request could outlast.
pub(super) fn check_lease(exporter: &Section, queue: &Queue, timeout: Duration) {
    let Storage::Nats(nats) = &queue.storage else { return };
    let Some(lease) = nats.lease else { return };
    let times = Nats::LEASE_OF_TIMEOUTS;
    if lease < times * timeout {
        exporter.view().error(format!(
            "the `lease` of the extension nats ({lease:?}) is shorter than {times} times the `timeout` of a \
             request ({timeout:?}): raise it, or leave it out"
        ));
    }
}

/// The directory of `wal`, which is on where it stands in the file.
fn read_wal(exporter: &Section) -> Option<Directory> {
    let view = exporter.get("wal")?;
    let section = view.section(&[keys::WAL]);
    if section.get("enabled").and_then(|view| view.boolean()) == Some(false) {
        return None;
    }
    let Some((directory, _)) = section.text("directory") else {
        view.warn(format!("names no `directory`: {WAL_DIRECTORY} in the working directory is used"));
        return Some(Directory::private(WAL_DIRECTORY));
    };
    Some(Directory::private(directory))
}

/// What an exporter keeps its files in, within a directory that may be for several.
fn folder_of(id: &str) -> String {
    id.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'), "_")
}

fn read_parallelism(view: View<'_>) -> Option<(i64, View<'_>)> {
    Some((view.integer(1, CONSUMERS_MAX)?, view))
}

/// Reads how old samples can be when they are sent. AMP takes none that are older than an hour.
pub(super) fn read_max_age(exporter: &Section, host: &str) -> Option<Duration> {
    let is_amp = match exporter.get("profile").and_then(|view| view.text()) {
        Some(profile) => profile == "aps",
        None => is_aps(host),
    };
    let age = match exporter.get("max_sample_age") {
        Some(view) => view.duration(),
        None => is_amp.then_some(AMP_MAX_AGE),
    };
    age.filter(|age| !age.is_zero())
}

/// Reads `retry_on_failure`. How the pause grows is the component's, its jitter and end are the host's.
///
/// The Collector gives up after five minutes. What outlives the process is kept because it shall not be given up, so
/// there it is tried until it is too old, unless the file says otherwise.
pub(super) fn read_retry(exporter: &Section, outlives: bool, component: &mut ComponentConfig) -> Retry {
    let section = exporter.get("retry_on_failure").map(|view| view.section(&[keys::RETRY]));
    let key = |name: &str| section.as_ref().and_then(|section| section.get(name));
    let duration = |name: &str, default| key(name).and_then(|view| view.duration()).unwrap_or(default);
    let initial = duration("initial_interval", INITIAL_INTERVAL);
    let longest = duration("max_interval", MAX_INTERVAL);
    let elapsed = duration("max_elapsed_time", if outlives { Duration::ZERO } else { MAX_ELAPSED_TIME });
    let multiplier =
        key("multiplier").and_then(|view| view.number(0.0, MULTIPLIER_MAX)).unwrap_or(MULTIPLIER);
    component.set(
        "retry_on_failure",
        serde_json::json!({
            "initial_interval_ms": milliseconds(initial),
            "multiplier": multiplier,
            "max_interval_ms": milliseconds(longest),
        }),
    );
    for (name, option) in [
        ("initial_interval", "initial_interval_ms"),
        ("multiplier", "multiplier"),
        ("max_interval", "max_interval_ms"),
    ] {
        if let Some(view) = key(name) {
            component.place(&["retry_on_failure", option], &view);
        }
    }
    if !elapsed.is_zero() && elapsed < initial.max(longest) {
        let place = ["max_elapsed_time", "max_interval", "initial_interval"].into_iter().find_map(key);
        report_short_elapsed(place.as_ref(), elapsed);
    }
    Retry {
        enabled: key("enabled").and_then(|view| view.boolean()).unwrap_or(true),
        randomization_factor: key("randomization_factor")
            .and_then(|view| view.number(0.0, 1.0))
            .unwrap_or(RANDOMIZATION_FACTOR),
        max_elapsed_time: (!elapsed.is_zero()).then_some(elapsed),
    }
}

fn report_short_elapsed(view: Option<&View>, elapsed: Duration) {
    if let Some(view) = view {
        view.error(format!(
            "`max_elapsed_time` ({elapsed:?}) is shorter than a single pause: raise it, or write 0s to never give up"
        ));
    }
}
