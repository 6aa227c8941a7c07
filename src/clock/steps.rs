//! Seeing that a clock was moved, by comparing wall and boot time: the portable way, asked each second while a code is on
//! screen and at every use of a sample.

use crate::domain::Stamp;

/// Differences up to this many milliseconds are slewing and rounding, not a step.
pub const STEP_MS: i64 = 500;

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
}
