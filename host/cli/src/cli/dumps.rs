//! Core dumps and debuggers: both show the memory of a process, and with it all its secrets.

/// Keeps the system from writing this process' memory to a file, and other processes of the same user from reading it
/// or its environment. It holds for this process, and not for the programs that it starts.
#[cfg(target_os = "linux")]
pub(super) fn forbid() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let limit = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit })?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn forbid() -> std::io::Result<()> {
    Ok(())
}
