//! The kernel's own view of its clock discipline. Never sufficient alone: a virtual machine can have a right clock and
//! still report that nobody disciplines it, so this only adds a detail to the evidence.

use super::sample::{By, Sample, Subject};
use crate::domain::{Clean, Stamp};

/// Beyond this error the kernel itself gives up (as systemd reads it; it ignores the "unsynchronised" bit too).
pub const UNSYNCED_US: i64 = 16_000_000;

/// What the kernel told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// Somebody keeps it right; the largest error in microseconds.
    Synced(i64),
    /// Nobody does.
    Free,
    /// It was not told: refused by a sandbox or service manager, or not Linux.
    Untold,
}

impl Discipline {
    /// Reads the figure that the kernel gives.
    pub const fn from_max_error(us: i64) -> Self {
        if us >= 0 && us < UNSYNCED_US { Self::Synced(us) } else { Self::Free }
    }
    /// The detail that the sample carries: stable text that the words are looked up by.
    pub fn detail(self) -> String {
        match self {
            Self::Synced(us) => format!("synced {}.{} ms", us / 1000, us % 1000 / 100),
            Self::Free => FREE.to_owned(),
            Self::Untold => UNTOLD.to_owned(),
        }
    }
}

/// Detail of a clock that nobody disciplines.
pub const FREE: &str = "not synchronised";
/// Detail where the kernel does not tell.
pub const UNTOLD: &str = "not told";

/// Asks the kernel. Changes nothing; takes a microsecond.
pub fn read() -> Discipline {
    imp::max_error_us().map_or(Discipline::Untold, Discipline::from_max_error)
}

/// What the kernel says, as a sample about this host without an interval.
pub fn sample(now: Stamp) -> Sample {
    as_sample(read(), now)
}

fn as_sample(said: Discipline, now: Stamp) -> Sample {
    Sample {
        gateway: None,
        subject: Subject::Host,
        by: By::Kernel,
        interval: None,
        at: now,
        probes: 1,
        detail: Clean::new(&said.detail()),
        server: None,
    }
}

#[cfg(target_os = "linux")]
mod imp {
    /// The kernel's bound on its error in microseconds; `None` when it refuses (EPERM in a sandbox).
    #[allow(unsafe_code)]
    pub(super) fn max_error_us() -> Option<i64> {
        // SAFETY: `timex` is a plain C struct of integers, for which all zeroes is a valid value.
        let mut t: libc::timex = unsafe { std::mem::zeroed() };
        // SAFETY: `t` lives through the call and is not shared; `modes` is 0, so the kernel only reads its state into it.
        let state = unsafe { libc::adjtimex(&raw mut t) };
        (state >= 0).then_some(t.maxerror)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn max_error_us() -> Option<i64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Wall;

    #[test]
    fn the_limit_is_sixteen_seconds() {
        assert_eq!(Discipline::from_max_error(1_234), Discipline::Synced(1_234));
        assert_eq!(Discipline::from_max_error(16_000_000), Discipline::Free);
        assert_eq!(Discipline::Synced(1_234).detail(), "synced 1.2 ms");
    }

    #[test]
    fn it_never_measures_an_offset_whatever_the_kernel_says() {
        for said in [Discipline::Synced(10), Discipline::Free, Discipline::Untold, read()] {
            assert_eq!(as_sample(said, Stamp::wall_only(Wall(0))).interval, None);
        }
    }
}
