//! The memory budget: how much memory the process may use, and how the parts of it share that.
//!
//! Each part holds to its own share, so that a flood in one of them takes nothing from the others. The shares come to
//! three quarters of the budget; the last quarter is for connections, the program itself and the allocator.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where control groups are mounted, in version 2 and in version 1.
const MOUNTS: [(&str, &[&str]); 3] = [
    ("/sys/fs/cgroup", &["memory.max", "memory.high"]),
    ("/sys/fs/cgroup/unified", &["memory.max", "memory.high"]),
    ("/sys/fs/cgroup/memory", &["memory.limit_in_bytes"]),
];

/// With less than this, in bytes, requests of an ordinary size may be refused.
pub const COMFORTABLE_BYTES: u64 = 128 << 20;

/// What is shared out at least, in bytes: less does not come to useful parts. A start with less is warned about.
const LEAST_BYTES: u64 = 64 << 20;

/// What the process is taken to have where the system does not say.
const UNKNOWN_BYTES: u64 = 1 << 30;

/// The shares, in parts of the budget: twelve of sixteen, and two for connections.
const PARTS: u64 = 16;
const REQUESTS: u64 = 2;
const SMALL_CALLS: u64 = 2;
const LARGE_CALLS: u64 = 3;
const IDLE_INSTANCES: u64 = 1;
const RESULTS: u64 = 1;
const QUEUE: u64 = 3;
const CONNECTIONS: u64 = 2;

/// More than this does not help, in bytes.
const REQUESTS_MAX: u64 = 256 << 20;
const INSTANCE_MAX: u64 = 1 << 30;
const QUEUE_MAX: u64 = 256 << 20;
const CACHE_MAX: u64 = 64 << 20;

/// What an instance needs for a small payload, whose series may take 12 MiB before they are compressed, and for one of
/// 20 MiB, the largest that is taken by default: four times its size.
const SMALL_INSTANCE: u64 = 20 << 20;
const LARGE_INSTANCE: u64 = 76 << 20;

/// What a connection takes, in bytes: about 10 KiB, with TLS about 40, where few have it.
const CONNECTION: u64 = 16 << 10;

/// More than this does not help a small payload, in bytes.
const SMALL_INSTANCE_MAX: u64 = 64 << 20;

/// The memory that the process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// In bytes.
    pub bytes: u64,
    /// Who says so.
    pub origin: Origin,
}

/// Who says how much memory the process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The control group of the process: the limit of a container, or `MemoryMax=` of a unit.
    ControlGroup,
    /// The memory that the machine has.
    Machine,
    /// The processor `memory_limiter`.
    MemoryLimiter,
    /// Nobody.
    Unknown,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ControlGroup => "the limit of the control group",
            Self::Machine => "the memory of the machine",
            Self::MemoryLimiter => "the limit of memory_limiter",
            Self::Unknown => "an assumption, since the system does not tell",
        })
    }
}

/// How the budget is shared out. All sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Requests that are being read, unpacked or translated, all together.
    pub requests: u64,
    /// Connections of senders, all together. They have half of what is left to the program.
    pub connections: usize,
    /// Calls of the component for small payloads at the same time.
    pub parallel_calls: usize,
    /// Calls for large payloads at the same time.
    pub parallel_large_calls: usize,
    /// The linear memory of one instance of the component for a small payload.
    pub small_instance: u64,
    /// The same for a large one.
    pub large_instance: u64,
    /// The linear memory of all instances that wait for a call.
    pub idle_instances: u64,
    /// What one call of the component returns.
    pub result: u64,
    /// A queue in memory: the bodies, and what it knows of each batch.
    pub queue: u64,
    /// Bodies of a queue on disk that are kept in memory too.
    pub cache: u64,
    /// What a queue on disk knows of each batch.
    pub index: u64,
}

impl MemoryLimit {
    /// How much of a budget gives requests a share of so many bytes.
    #[must_use]
    pub fn for_requests(bytes: u64) -> u64 {
        bytes.saturating_mul(PARTS) / REQUESTS
    }

    /// How much of a budget gives a queue a share of so many bytes.
    #[must_use]
    pub fn for_queue(bytes: u64) -> u64 {
        bytes.saturating_mul(PARTS) / QUEUE
    }

    /// What the control group of this process allows, or what the machine has.
    #[must_use]
    pub fn of_this_system() -> Self {
        let group = group_limit().map(|bytes| MemoryLimit { bytes, origin: Origin::ControlGroup });
        let machine = machine_memory().map(|bytes| MemoryLimit { bytes, origin: Origin::Machine });
        // Control groups of version 1 without a limit say an enormous number.
        let budgets = [group, machine].into_iter().flatten();
        let unknown = MemoryLimit { bytes: UNKNOWN_BYTES, origin: Origin::Unknown };
        budgets.min_by_key(|budget| budget.bytes).unwrap_or(unknown)
    }

    /// The same, if there is no lower limit of `memory_limiter`.
    #[must_use]
    pub fn limited(self, memory_limiter: Option<u64>) -> Self {
        match memory_limiter {
            Some(bytes) if bytes < self.bytes => MemoryLimit { bytes, origin: Origin::MemoryLimiter },
            _ => self,
        }
    }

    /// How it is shared out on a machine with so many processors.
    #[must_use]
    pub fn shares(self, processors: usize) -> Shares {
        let processors = processors.max(1);
        let bytes = self.bytes.max(LEAST_BYTES);
        let part = |parts: u64| bytes / PARTS * parts;
        let fit = |share: u64, least: u64, most: usize| {
            let calls = usize::try_from(share / least).unwrap_or(usize::MAX).clamp(1, most);
            (calls, share / calls as u64)
        };
        let (parallel_calls, small) = fit(part(SMALL_CALLS), SMALL_INSTANCE, processors);
        let (parallel_large_calls, large) = fit(part(LARGE_CALLS), LARGE_INSTANCE, processors);
        let cache = (part(QUEUE) / 2).min(CACHE_MAX);
        Shares {
            requests: part(REQUESTS).min(REQUESTS_MAX),
            connections: usize::try_from(part(CONNECTIONS) / CONNECTION).unwrap_or(usize::MAX).max(1),
            parallel_calls,
            parallel_large_calls,
            small_instance: small.min(SMALL_INSTANCE_MAX),
            large_instance: large.min(INSTANCE_MAX),
            idle_instances: part(IDLE_INSTANCES),
            result: (part(RESULTS) / parallel_large_calls as u64).min(INSTANCE_MAX),
            queue: part(QUEUE).min(QUEUE_MAX),
            cache,
            index: part(QUEUE) - cache,
        }
    }
}

/// The lowest limit of the control groups that this process is in.
fn group_limit() -> Option<u64> {
    let paths = group_paths();
    let limits = MOUNTS.iter().flat_map(|(mount, files)| {
        let folders = paths.iter().flat_map(move |path| folders(Path::new(mount), path));
        folders.flat_map(move |folder| files.iter().filter_map(move |file| read_limit(&folder.join(file))))
    });
    limits.min()
}

/// The folder of a group and those above it, whose limits count as well. A path that is seen from outside of a container
/// leads nowhere inside, where the mount itself is the group.
fn folders(mount: &Path, group: &str) -> Vec<PathBuf> {
    let group = mount.join(group.trim_start_matches('/'));
    group.ancestors().take_while(|folder| folder.starts_with(mount)).map(Path::to_owned).collect()
}

/// A number of bytes; `max`, and a file that is not there, are no limit.
fn read_limit(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(target_os = "linux")]
fn group_paths() -> Vec<String> {
    let groups = procfs::process::Process::myself().and_then(|process| process.cgroups());
    let is_of_memory = |group: &procfs::ProcessCGroup| {
        group.controllers.is_empty() || group.controllers.iter().any(|name| name == "memory")
    };
    let groups = groups.into_iter().flatten().filter(is_of_memory);
    groups.map(|group| group.pathname).collect()
}

#[cfg(not(target_os = "linux"))]
fn group_paths() -> Vec<String> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn machine_memory() -> Option<u64> {
    use procfs::Current as _;
    procfs::Meminfo::current().ok().map(|memory| memory.mem_total)
}

#[cfg(not(target_os = "linux"))]
fn machine_memory() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn budget(bytes: u64) -> MemoryLimit {
        MemoryLimit { bytes, origin: Origin::ControlGroup }
    }

    #[test]
    fn the_machine_tells_its_memory() {
        let MemoryLimit { bytes, origin } = MemoryLimit::of_this_system();
        assert!(bytes > 64 * MIB && origin != Origin::Unknown, "{bytes} {origin:?}");
    }

    #[test]
    fn the_shares_never_come_to_more_than_three_quarters() {
        for (bytes, processors) in [(64, 1), (64, 2), (128, 64), (512, 2), (512, 64), (4096, 4), (65536, 128)]
        {
            let bytes = bytes * MIB;
            let shares = budget(bytes).shares(processors);
            let small = shares.parallel_calls as u64 * shares.small_instance;
            let large = shares.parallel_large_calls as u64 * (shares.large_instance + shares.result);
            let at_work = shares.requests + small + large + shares.idle_instances;
            let queue = shares.queue.max(shares.cache + shares.index);
            assert!(at_work + queue <= bytes / 4 * 3, "{bytes}: {shares:?}");
        }
    }

    #[test]
    fn a_small_pod_on_a_large_machine_has_few_instances_of_a_useful_size() {
        for processors in [2, 64] {
            let shares = budget(512 * MIB).shares(processors);
            let parallel_calls = processors.min(3);
            assert_eq!(
                (shares.parallel_calls, shares.small_instance),
                (parallel_calls, 64 * MIB / parallel_calls as u64)
            );
            assert_eq!((shares.parallel_large_calls, shares.large_instance), (1, 96 * MIB));
        }
        let shares = budget(24 * 1024 * MIB).shares(2);
        assert_eq!((shares.parallel_calls, shares.small_instance), (2, 64 * MIB));
        assert_eq!((shares.parallel_large_calls, shares.large_instance), (2, 1024 * MIB));
        let shares = budget(2 * MIB).shares(8);
        assert!(shares.small_instance >= 8 * MIB && shares.requests >= 8 * MIB, "{shares:?}");
        assert_eq!((shares.parallel_calls, shares.parallel_large_calls), (1, 1));
    }

    #[test]
    fn a_lower_limit_of_memory_limiter_is_the_budget() {
        let limited = budget(512 * MIB).limited(Some(409 * MIB));
        assert_eq!(limited, MemoryLimit { bytes: 409 * MIB, origin: Origin::MemoryLimiter });
        assert_eq!(budget(512 * MIB).limited(Some(1024 * MIB)), budget(512 * MIB));
        assert_eq!(budget(512 * MIB).limited(None), budget(512 * MIB));
    }

    #[test]
    fn the_limits_of_all_groups_above_count() {
        let mount = tempfile::tempdir().unwrap();
        let group = mount.path().join("system.slice/preamp.service");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::write(group.join("memory.max"), "max\n").unwrap();
        std::fs::write(mount.path().join("system.slice/memory.max"), "1000\n").unwrap();
        let folders = folders(mount.path(), "/system.slice/preamp.service");
        let limits: Vec<_> =
            folders.iter().filter_map(|folder| read_limit(&folder.join("memory.max"))).collect();
        assert_eq!((folders.len(), limits), (3, vec![1000]));
    }
}
