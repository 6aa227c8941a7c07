//! Two kinds of time that are never mixed: wall time for people, boot time for countdowns and ages.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Milliseconds since the Unix epoch, as some clock shows them. For people, never for measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub i64);

impl Wall {
    /// RFC 3339 in UTC with seconds, as every JSON document of pairdeck writes it.
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Err(_) => "1970-01-01T00:00:00Z".to_owned(),
        }
    }

    /// Reads an RFC 3339 instant such as `2026-11-21T07:38:40.808Z`.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    /// This instant moved by `ms` milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Milliseconds since this machine booted, suspend included (`CLOCK_BOOTTIME`). Never jumps with the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Boot(pub u64);

impl Boot {
    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The instant `d` after this one.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// One instant on both clocks. `boot` is absent for an instant that only a server or an older boot knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Wall time at that instant, by whoever saw it.
    pub wall: Wall,
    /// Boot time at that instant and the boot that it belongs to.
    pub boot: Option<(u64, Boot)>,
}

impl Stamp {
    /// An instant that only a wall clock tells (a server's timestamp, a row from an older boot).
    pub const fn wall_only(wall: Wall) -> Self {
        Self { wall, boot: None }
    }

    /// Age at `now`: by boot clock within one boot, else by wall clock.
    pub fn age(&self, now: &Self) -> Duration {
        match (self.boot, now.boot) {
            (Some((a, then)), Some((b, at))) if a == b => at.since(then),
            _ => Duration::from_millis(u64::try_from(now.wall.0.saturating_sub(self.wall.0)).unwrap_or(0)),
        }
    }

    /// True when the age is known exactly (same boot); otherwise it is shown with `≈`.
    pub fn exact(&self, now: &Self) -> bool {
        matches!((self.boot, now.boot), (Some((a, _)), Some((b, _))) if a == b)
    }

    /// Time from `now` until this instant, zero when it is past: by boot clock within one boot, else by wall clock.
    pub fn left(&self, now: &Self) -> Duration {
        now.age(self)
    }

    /// This instant moved on by `d` on both clocks.
    #[must_use]
    pub fn plus(&self, d: Duration) -> Self {
        let ms = i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Self { wall: self.wall.plus_ms(ms), boot: self.boot.map(|(id, b)| (id, b.plus(d))) }
    }

    /// This instant moved back by `d` on both clocks.
    #[must_use]
    pub fn minus(&self, d: Duration) -> Self {
        let ms = i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let back = |b: Boot| Boot(b.0.saturating_sub(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)));
        Self { wall: self.wall.plus_ms(-ms), boot: self.boot.map(|(id, b)| (id, back(b))) }
    }

    /// The boot instant, zero when unknown.
    pub fn boot_now(&self) -> Boot {
        self.boot.map_or(Boot(0), |(_, b)| b)
    }
}

/// Where rooms that need "now" get it. The real one reads the clocks; tests hand in one that they move.
pub trait Time: Send + Sync {
    /// This instant on both clocks.
    fn now(&self) -> Stamp;
    /// How long this machine has slept since it booted: boot time minus the time that it was awake. Zero where nothing tells.
    fn asleep(&self) -> Duration {
        Duration::ZERO
    }
}
