//! What is in this process's memory is its own: nobody of the same user reads it, and no core file holds it.

/// Forbids core files and reading of this process's memory and environment by others of the same user (Linux: not "dumpable").
/// Debuggers and `strace` of the same user are shut out by that; `PAIRDECK_DEBUG=1` leaves the process as it was started. Done
/// before the first secret is read. What cannot be set is left: root reads everything all the same.
pub fn private() {
    if std::env::var_os("PAIRDECK_DEBUG").is_some_and(|v| v == "1") {
        return;
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
