//! Where a test lets the process die: right before or right after the Nth commit of the journal, a secret or a token.
//!
//! Only builds with debug assertions know `PAIRDECK_DEBUG_KILL_AT=journal:N:before` or `journal:N:after`; in all others
//! nothing of it exists.

/// Which side of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Everything is written, nothing is committed.
    Before,
    /// Committed, and nobody was told yet.
    After,
}

/// Dies here by SIGKILL if a test asked for it. Call it on both sides of each commit, `Before` first.
#[cfg(all(debug_assertions, unix))]
pub(super) fn point(side: Side) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COMMITS: AtomicU64 = AtomicU64::new(0);
    let n = match side {
        Side::Before => COMMITS.fetch_add(1, Ordering::SeqCst) + 1,
        Side::After => COMMITS.load(Ordering::SeqCst),
    };
    if std::env::var("PAIRDECK_DEBUG_KILL_AT").is_ok_and(|at| asked(&at, n, side)) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(not(all(debug_assertions, unix)))]
pub(super) fn point(_: Side) {}

#[cfg(any(test, all(debug_assertions, unix)))]
fn asked(at: &str, n: u64, side: Side) -> bool {
    let mut parts = at.split(':');
    parts.next() == Some("journal")
        && parts.next().and_then(|p| p.parse::<u64>().ok()) == Some(n)
        && parts.next() == Some(if side == Side::Before { "before" } else { "after" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_of_one_commit_is_meant() {
        assert!(asked("journal:3:after", 3, Side::After));
        for (at, n, side) in
            [("journal:3:after", 3, Side::Before), ("journal:3:after", 4, Side::After), ("journal", 1, Side::After), ("", 0, Side::After)]
        {
            assert!(!asked(at, n, side), "{at}");
        }
    }
}
