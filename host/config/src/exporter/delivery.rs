//! The queue in front of the receiver, and how often delivery is tried.

use super::keys::{SIZERS, exporter, remote_write_queue, retry, sending_queue, wal};
use crate::component::ComponentConfig;
use crate::duration::milliseconds;
use crate::extensions::Extensions;
use crate::settings::{Nats, Overflow, Queue, Retry, Storage};
use crate::storage::{Kept, stream};
use crate::view::keys::{Count, Key};
use crate::view::{Section, View};
use preamp_base::Directory;
use std::time::Duration;

/// The bounds of what can be asked for: a queue holds a few payloads at least.
pub(super) const QUEUE_BYTES_MIN: i64 = 1 << 20;
pub(super) const QUEUE_BYTES_MAX: i64 = 1 << 50;

/// The points that a queue takes which counts those, where its size is left open: more than its bytes.
const QUEUE_POINTS: i64 = 1_000_000_000;

/// Far more than the component takes, which knows its own bounds.
pub(super) const MULTIPLIER_MAX: f64 = 1e6;

/// The most requests in flight: what the component takes as partitions.
pub(super) const CONSUMERS_MAX: i64 = 1024;

/// From so many bytes for each payload on, a queue on disk refuses ordinary payloads long before its bytes are used up:
/// those of SDKs take 1 to 10 KiB in it.
const BYTES_A_PAYLOAD: i64 = 64 << 10;

/// What both forms of the queue's section come to.
struct Sizes<'d> {
    section: Section<'d>,
    /// The key of its size, and the name of the section with it.
    size: &'static Key<Count>,
    size_key: &'static str,
    /// What `size` counts.
    sizer: &'static str,
    consumers: i64,
    /// Where the number of consumers stands, if it does.
    place: Option<View<'d>>,
    kept: Option<Kept>,
    /// Where it is said that senders wait for room.
    blocks: Option<View<'d>>,
    /// Where it is said that senders wait for delivery.
    waits: Option<View<'d>>,
}

/// Reads `remote_write_queue`, or `sending_queue` in its place.
fn read_sizes<'d>(exporter: &Section<'d>, extensions: &Extensions<'d>) -> Sizes<'d> {
    let Some(general) = exporter.within(&exporter::sending_queue) else {
        let own = exporter.below(&exporter::remote_write_queue);
        return Sizes {
            size: &remote_write_queue::queue_size,
            size_key: "remote_write_queue.queue_size",
            sizer: SIZERS[0],
            consumers: own.value(&remote_write_queue::num_consumers),
            place: own.get(&remote_write_queue::num_consumers),
            kept: None,
            blocks: None,
            waits: None,
            section: own,
        };
    };
    if exporter.within(&exporter::remote_write_queue).is_some() {
        general.view().key_error("cannot stand beside `remote_write_queue`: keep one of the two");
    } else {
        general.view().warn("the Collector's exporter calls it `remote_write_queue`; taken as that");
    }
    let storage = general.get(&sending_queue::storage).filter(|view| view.text() != Some(""));
    Sizes {
        size: &sending_queue::queue_size,
        size_key: "sending_queue.queue_size",
        sizer: general.value(&sending_queue::sizer),
        consumers: general.value(&sending_queue::num_consumers),
        place: general.get(&sending_queue::num_consumers),
        kept: storage.and_then(|view| extensions.storage(&view)).cloned(),
        blocks: general.on(&sending_queue::block_on_overflow),
        waits: general.on(&sending_queue::wait_for_result),
        section: general,
    }
}

impl Sizes<'_> {
    /// What `queue_size` says, or what holds where it says nothing: enough not to be in the way of the bytes.
    fn size(&self, outlives: bool, max_bytes: i64) -> i64 {
        let usual = match self.sizer {
            "requests" => self.size.preset_for(outlives).unwrap_or(i64::MAX),
            "bytes" => max_bytes,
            _ => QUEUE_POINTS,
        };
        self.section.value_or(self.size, usual)
    }

    /// Warns of a number of payloads that is reached long before the bytes of a queue on disk.
    fn warn_of_few(&self, max_bytes: i64) {
        let Some(size) = self.section.given(self.size).filter(|_| self.sizer == "requests") else { return };
        let each = max_bytes / size.max(1);
        if each > BYTES_A_PAYLOAD
            && let Some(view) = self.section.get(self.size)
        {
            let kib = each >> 10;
            view.warn(format!(
                "counts payloads, of which the queue of {} MiB has room for {size} of {kib} KiB: smaller ones, as SDKs \
                 send them, are refused long before it is full; raise it, or leave it out",
                max_bytes >> 20
            ));
        }
    }
}

/// Reads the queue and `wal`. A queue of one process has a partition for each consumer.
pub(super) fn read_queue<'d>(
    id: &str,
    exporter: &Section<'d>,
    extensions: &Extensions<'d>,
    component: &mut ComponentConfig,
) -> Queue {
    let mut sizes = read_sizes(exporter, extensions);
    let (kept, place) = (sizes.kept.take(), sizes.place.take());
    // The parallelism of one push, where it is given, is the number of requests in flight.
    let parallelism = exporter.given(&exporter::max_batch_request_parallelism);
    let place =
        if parallelism.is_some() { exporter.get(&exporter::max_batch_request_parallelism) } else { place };
    if let Some(view) = place {
        component.place(&["partitions"], &view);
    }
    let consumers = parallelism.unwrap_or(sizes.consumers) as u32;
    let storage = match kept.or_else(|| read_wal(exporter).map(Kept::InFiles)) {
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
    if let (Some(view), Storage::Nats(_)) = (&sizes.waits, &storage) {
        view.error("cannot be kept with a queue that several processes share: whoever delivers does not answer the sender");
    }
    let max_queue_bytes = &exporter::max_queue_bytes;
    let usual = max_queue_bytes.preset_for(storage.outlives()).unwrap_or(i64::MAX);
    let max_bytes = exporter.value_or(max_queue_bytes, usual);
    let size = sizes.size(storage.outlives(), max_bytes);
    if storage.directory().is_some() {
        sizes.warn_of_few(max_bytes);
    }
    let limit = |of: &str| if sizes.sizer == of { size } else { i64::MAX };
    Queue {
        max_payloads: limit("requests") as usize,
        max_points: limit("items").unsigned_abs(),
        max_bytes: max_bytes.min(limit("bytes")).unsigned_abs(),
        is_max_bytes_open: exporter.given(max_queue_bytes).is_none() && limit("bytes") >= usual,
        size_key: sizes.size_key,
        min_free_bytes: read_min_free(exporter, &storage),
        on_overflow: read_overflow(exporter, sizes.blocks.is_some(), &storage),
        waits_for_result: sizes.waits.is_some(),
        partitions,
        consumers,
        storage,
    }
}

/// Reads what is done where the queue is full.
fn read_overflow(exporter: &Section, waits: bool, storage: &Storage) -> Overflow {
    let Some(view) = exporter.on(&exporter::drop_oldest_on_overflow) else {
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
    let key = &exporter::min_free_disk_bytes;
    if storage.directory().is_some() {
        return exporter.value(key).unsigned_abs();
    }
    if let Some(view) = exporter.get(key) {
        view.warn("changes nothing: there is no queue on disk");
    }
    exporter.given(key).unwrap_or_default().unsigned_abs()
}

/// Reports a lease that a request could outlast.
pub(super) fn check_lease<'d>(
    exporter: &Section<'d>,
    queue: &Queue,
    timeout: Duration,
    extensions: &Extensions<'d>,
) {
    let Storage::Nats(nats) = &queue.storage else { return };
    let reference = exporter.below(&exporter::sending_queue).get(&sending_queue::storage);
    if let Some(section) = reference.and_then(|reference| extensions.nats(&reference)) {
        section.note(&stream::lease, &nats.lease_for(timeout));
    }
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
    let section = exporter.within(&exporter::wal)?;
    if !section.value(&wal::enabled) {
        return None;
    }
    let directory = section.text_or_default(&wal::directory);
    if section.text(&wal::directory).is_none() {
        section.view().warn(format!("names no `directory`: {directory} in the working directory is used"));
    }
    Some(Directory::private(directory))
}

/// What an exporter keeps its files in, within a directory that may be for several.
fn folder_of(id: &str) -> String {
    id.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'), "_")
}

/// Reads `retry_on_failure`. How the pause grows is the component's, its jitter and end are the host's.
///
/// The Collector gives up after five minutes. What outlives the process is kept because it shall not be given up, so
/// there it is tried until it is too old, unless the file says otherwise.
pub(super) fn read_retry(exporter: &Section, outlives: bool, component: &mut ComponentConfig) -> Retry {
    let section = exporter.below(&exporter::retry_on_failure);
    let initial = section.value(&retry::initial_interval);
    let longest = section.value(&retry::max_interval);
    let multiplier = section.value(&retry::multiplier);
    let elapsed = section
        .value_or(&retry::max_elapsed_time, retry::max_elapsed_time.preset_for(outlives).unwrap_or_default());
    component.set(
        "retry_on_failure",
        serde_json::json!({
            "initial_interval_ms": milliseconds(initial),
            "multiplier": multiplier,
            "max_interval_ms": milliseconds(longest),
        }),
    );
    let intervals = [&retry::max_elapsed_time, &retry::max_interval, &retry::initial_interval];
    let [elapsed_view, longest_view, initial_view] = intervals.map(|key| section.get(key));
    for (option, view) in [
        ("initial_interval_ms", &initial_view),
        ("multiplier", &section.get(&retry::multiplier)),
        ("max_interval_ms", &longest_view),
    ] {
        if let Some(view) = view {
            component.place(&["retry_on_failure", option], view);
        }
    }
    if !elapsed.is_zero() && elapsed < initial.max(longest) {
        report_short_elapsed(elapsed_view.or(longest_view).or(initial_view).as_ref(), elapsed);
    }
    Retry {
        enabled: section.value(&retry::enabled),
        randomization_factor: section.value(&retry::randomization_factor),
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
