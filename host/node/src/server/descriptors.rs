//! How many connections the system's limit of open files leaves room for.

/// What is kept for files, for what the process connects to, and for probes.
const KEPT: u64 = 128;

/// The most connections of a port that is asked for metrics or health. Few ask, and they are to be answered when the
/// receivers have no room left.
const PROBES: usize = 32;

/// For how many connections there are descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// To all receivers together.
    pub(crate) receivers: usize,
    /// To each port that is asked for metrics or health.
    pub(crate) probes: usize,
}

impl Descriptors {
    /// Raises the limit of open files as far as this process may, and shares it out: beside so many connections that
    /// the process makes itself.
    ///
    /// The limit that a process starts with is often 1,024, for the sake of programs that cannot handle more.
    pub(crate) fn of_this_process(own_connections: u64) -> Descriptors {
        raise().map_or(Descriptors { receivers: usize::MAX, probes: PROBES }, |limit| {
            Descriptors::of(limit, own_connections)
        })
    }

    fn of(limit: u64, own_connections: u64) -> Descriptors {
        let kept = KEPT.saturating_add(own_connections).min(limit / 2);
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Descriptors { receivers: count(limit - kept), probes: count(kept / 4).clamp(1, PROBES) }
    }
}

/// The limit, raised; `None` if there is none.
#[cfg(target_os = "linux")]
fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // A system that does not allow it leaves the limit as it is.
        let _raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    getrlimit(Resource::Nofile).current
}

/// Elsewhere the limit of most systems is assumed.
#[cfg(not(target_os = "linux"))]
fn raise() -> Option<u64> {
    Some(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_probes_keep_room_whatever_the_limit_is() {
        for (limit, receivers, probes) in
            [(100, 50, 12), (256, 128, 32), (1_024, 886, 32), (1 << 20, (1 << 20) - 138, 32), (2, 1, 1)]
        {
            assert_eq!(Descriptors::of(limit, 10), Descriptors { receivers, probes }, "{limit}");
        }
    }
}
