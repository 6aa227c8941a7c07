//! Seeing that a clock was moved or that the machine slept, by comparing two looks at all its clocks: the portable way, asked
//! twice a second while a code depends on it and at every use of a sample.

use crate::domain::{Stamp, Time};
use std::time::Duration;

/// Differences up to this many milliseconds are slewing and rounding, not a step.
pub const STEP_MS: i64 = 500;

/// Sleep up to this is rounding.
pub const SLEEP: Duration = Duration::from_secs(1);

/// One look at the clocks of this host.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Wall and boot clock.
    pub at: Stamp,
    /// How long the machine has slept so far.
    pub asleep: Duration,
}

/// A clock of this host was set, or the machine slept: what was measured before says nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// By how many milliseconds the wall clock was set (positive: forward). `None`: by no more than can be told, or not at all.
    pub by_ms: Option<i64>,
    /// How long the machine slept, if it did.
    pub slept: Option<Duration>,
    /// When it was noticed.
    pub at: Stamp,
}

impl Reading {
    /// Looks now.
    pub fn of(time: &dyn Time) -> Self {
        Self { at: time.now(), asleep: time.asleep() }
    }

    /// What happened between this look and a later one, if anything did.
    pub fn until(&self, later: &Self) -> Option<Moved> {
        let by_ms = moved(&self.at, &later.at);
        let slept = later.asleep.checked_sub(self.asleep).filter(|d| *d > SLEEP);
        (by_ms.is_some() || slept.is_some()).then_some(Moved { by_ms, slept, at: later.at })
    }
}

/// By how many milliseconds the wall clock was moved between two readings (positive: forward); `None` when it was not, or
/// when the readings belong to different boots and cannot tell.
pub fn moved(before: &Stamp, after: &Stamp) -> Option<i64> {
    let ((a, then), (b, now)) = (before.boot?, after.boot?);
    if a != b {
        return None;
    }
    let boot = i64::try_from(now.0).ok()?.saturating_sub(i64::try_from(then.0).ok()?);
    let by = after.wall.0.saturating_sub(before.wall.0).saturating_sub(boot);
    (by.abs() > STEP_MS).then_some(by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::ManualTime, domain::Time};
    use std::time::Duration;

    #[test]
    fn a_step_is_seen_and_slewing_is_not() {
        let t = ManualTime::new();
        let a = t.now();
        t.advance(Duration::from_secs(60));
        assert_eq!(moved(&a, &t.now()), None);
        t.step_wall(500);
        assert_eq!(moved(&a, &t.now()), None);
        t.step_wall(1);
        assert_eq!(moved(&a, &t.now()), Some(501));
        t.step_wall(-90_501);
        assert_eq!(moved(&a, &t.now()), Some(-90_000));
    }

    #[test]
    fn readings_of_two_boots_tell_nothing() {
        let t = ManualTime::new();
        let a = t.now();
        t.reboot();
        t.step_wall(90_000);
        assert_eq!(moved(&a, &t.now()), None);
    }

    #[test]
    fn a_machine_that_slept_is_seen_although_both_clocks_went_on() {
        let t = ManualTime::new();
        let a = Reading::of(&t);
        t.sleep(Duration::from_secs(1));
        assert_eq!(a.until(&Reading::of(&t)), None, "a second is rounding");
        t.sleep(Duration::from_secs(299));
        let how = a.until(&Reading::of(&t)).map(|m| (m.by_ms, m.slept));
        assert_eq!(how, Some((None, Some(Duration::from_secs(300)))));
        t.step_wall(-3_600_000);
        let how = a.until(&Reading::of(&t)).map(|m| (m.by_ms, m.slept));
        assert_eq!(how, Some((Some(-3_600_000), Some(Duration::from_secs(300)))), "a clock may be set after a sleep");
    }

    #[test]
    fn a_clock_that_drifts_is_never_taken_for_a_step() {
        let t = ManualTime::new();
        let mut last = Reading::of(&t);
        for _ in 0..10_000 {
            // Half a second that the wall clock shows as 0.55 s: ten times what NTP may slew.
            t.advance(Duration::from_millis(500));
            t.step_wall(50);
            let now = Reading::of(&t);
            assert_eq!(last.until(&now), None);
            last = now;
        }
    }
}
