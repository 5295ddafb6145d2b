//! How many connections the system's limit of open files leaves room for.

/// What is kept for files, for what the process connects to, and for `/metrics` and health.
const KEPT: u64 = 128;

/// Raises the limit of open files as far as this process may, and says for how many connections that leaves room,
/// beside so many that the process makes itself.
///
/// The limit that a process starts with is often 1,024, for the sake of programs that cannot handle more.
pub(crate) fn room(own_connections: u64) -> usize {
    let Some(limit) = raise() else { return usize::MAX };
    let kept = KEPT.saturating_add(own_connections).min(limit / 2);
    usize::try_from(limit - kept).unwrap_or(usize::MAX)
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
