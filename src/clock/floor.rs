//! The floor: a clock that shows a time before this program was released is wrong, network or not. So is, as long as no
//! reference says otherwise, one that shows a time before the last one that was verified here and saved.

use super::sample::{By, Interval, OPEN, Sample, Subject};
use crate::domain::{Clean, Stamp, Wall};

/// 2026-11-01 00:00:00 UTC, moved forward with each release. No clock can truly show less.
pub const BUILD_FLOOR: Wall = Wall(1_793_491_200_000);

/// Detail of a sample that found nothing wrong.
pub const ABOVE: &str = "after the release of this program";
/// Detail of a sample that found the clock before the floor.
pub const BELOW: &str = "before the release of this program";

/// Detail of a sample that found the clock before the last verified time, though after the release.
pub const BELOW_SAVED: &str = "before the last verified time";

/// What the floor says of this host's clock. It bounds the offset from one side only, and only when the clock is below it.
pub fn sample(now: Stamp, floor: Wall) -> Sample {
    let short = floor.0.saturating_sub(now.wall.0);
    let below = short > 0;
    let detail = match below {
        false => ABOVE,
        true if now.wall < BUILD_FLOOR => BELOW,
        true => BELOW_SAVED,
    };
    Sample {
        gateway: None,
        subject: Subject::Host,
        by: By::Floor,
        interval: below.then_some(Interval { lo_ms: short, hi_ms: OPEN }),
        at: now,
        probes: 1,
        detail: Clean::new(detail),
        server: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemTime, domain::Time};

    #[test]
    fn the_floor_is_not_in_the_future() {
        assert!(SystemTime::new().now().wall > BUILD_FLOOR, "either this machine's clock is wrong or the floor was set too late");
        assert_eq!(BUILD_FLOOR.rfc3339(), "2026-11-01T00:00:00Z");
    }

    #[test]
    fn a_clock_at_the_epoch_is_off_by_at_least_the_floor() {
        let s = sample(Stamp::wall_only(Wall(0)), BUILD_FLOOR);
        assert_eq!(s.interval, Some(Interval { lo_ms: BUILD_FLOOR.0, hi_ms: OPEN }));
        assert_eq!(sample(Stamp::wall_only(BUILD_FLOOR), BUILD_FLOOR).interval, None);
    }
}
