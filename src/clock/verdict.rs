//! The verdict algebra: from intervals to a judgement with cause and side.

use super::sample::{Interval, Sample};
use serde::{Deserialize, Serialize};

/// How a clock, or the gate, stands. The order is that of the join: the worst wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within the lower limit.
    Ok,
    /// Between the limits, or the interval straddles one.
    Warn,
    /// No usable source.
    Unknown,
    /// Surely beyond the upper limit.
    Blocked,
}

/// Thresholds on the absolute skew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Up to this many seconds a clock is fine.
    pub ok_s: u32,
    /// Surely beyond this many seconds it blocks.
    pub blocked_s: u32,
}

impl Limits {
    /// 5 s and 30 s: 30 s is the tightest published hard limit, 5 s is 8 times the error of one `Date` probe.
    pub const DEFAULT: Self = Self { ok_s: 5, blocked_s: 30 };
}

/// Who is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// This host.
    Host,
    /// The gateway.
    Gateway,
    /// Both.
    Both,
    /// They disagree, and nothing else was asked.
    CannotTell,
}

/// Why a clock is wrong, as far as figures tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A whole number of quarter hours: local time kept as UTC.
    LocalTimeAsUtc {
        /// The offset in minutes, gateway minus host.
        minutes: i32,
    },
    /// Off by some other amount.
    Off,
    /// This host's clock is before this program was built.
    BeforeBuild,
    /// This host's clock is before the last time that was verified here.
    BeforeSaved,
    /// The gateway's `Date` stands still or comes from a cache.
    DateUnusable,
    /// The gateway sends no `Date`.
    NoDate,
    /// It was not asked yet.
    NotAsked,
    /// Sources contradict each other; which is wrong is not known.
    SourcesConflict,
    /// Its timezone is not the declared one. The clock itself may be right.
    ZoneDiffers,
}

/// What is concluded about one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The joined interval, if any source gave one.
    pub skew: Option<Interval>,
    /// Cause, where it is not well.
    pub cause: Option<Cause>,
    /// The samples that it rests on, newest first.
    pub samples: Vec<Sample>,
}

impl Judgement {
    /// By how many milliseconds its sources contradict each other at the least, where they do.
    pub fn conflict_ms(&self) -> Option<i64> {
        (self.cause == Some(Cause::SourcesConflict)).then(|| super::judge::conflict_of(&self.samples)).flatten()
    }
}

impl Verdict {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Blocked => "blocked",
        }
    }
    /// The worse of two.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        self.max(other)
    }
    /// What an interval means under `limits`: `Ok` and `Blocked` only where every offset in it does.
    pub fn of(skew: &Interval, limits: Limits) -> Self {
        if skew.max_abs() <= i64::from(limits.ok_s) * 1000 {
            Self::Ok
        } else if skew.min_abs() > i64::from(limits.blocked_s) * 1000 {
            Self::Blocked
        } else {
            Self::Warn
        }
    }
}

impl Side {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Gateway => "gateway",
            Self::Both => "both",
            Self::CannotTell => "cannot_tell",
        }
    }
}

impl Cause {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalTimeAsUtc { .. } => "local_time_as_utc",
            Self::Off => "off",
            Self::BeforeBuild => "before_build",
            Self::BeforeSaved => "before_saved",
            Self::DateUnusable => "date_unusable",
            Self::NoDate => "no_date",
            Self::NotAsked => "not_asked",
            Self::SourcesConflict => "sources_conflict",
            Self::ZoneDiffers => "zone_differs",
        }
    }
}

/// A whole number of quarter hours within this many milliseconds counts as a timezone.
const ZONE_RESIDUE_MS: i64 = 60_000;
const QUARTER_MS: i64 = 900_000;

/// The offset in minutes when every offset in `skew` lies within a minute of the same k × 15 min, 1 ≤ |k| ≤ 56 (UTC−14 … +14).
pub fn zone_like(skew: &Interval) -> Option<i32> {
    let near = |x: i64| {
        let k = x.saturating_add(x.signum() * QUARTER_MS / 2) / QUARTER_MS;
        (x.saturating_sub(k * QUARTER_MS).abs() <= ZONE_RESIDUE_MS).then_some(k)
    };
    let (a, b) = (near(skew.lo_ms)?, near(skew.hi_ms)?);
    (a == b && (1..=56).contains(&a.abs())).then(|| i32::try_from(a * 15).unwrap_or(0))
}

/// What an interval says of one clock: fine, off, or neither for sure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Fine,
    Off,
    Unclear,
}

/// Who is wrong. `remote` is gateway minus host; `host` is reference minus host, where a reference was asked. Nobody is
/// named whose interval leaves it open.
pub fn side(host: Option<&Interval>, remote: Option<&Interval>, limits: Limits) -> Option<Side> {
    let ok_ms = i64::from(limits.ok_s) * 1000;
    let stands = |i: &Interval| match (i.max_abs() <= ok_ms, i.min_abs() > ok_ms) {
        (true, _) => Stands::Fine,
        (_, true) => Stands::Off,
        _ => Stands::Unclear,
    };
    match (host, remote) {
        // Only the floor gives an open interval, and it speaks of the host alone.
        (Some(h), _) if h.is_open() => Some(Side::Host),
        (Some(h), Some(r)) => match (stands(h), stands(&r.minus(h)), stands(r)) {
            (Stands::Off, Stands::Off, _) => Some(Side::Both),
            (Stands::Off, _, _) => Some(Side::Host),
            (_, Stands::Off, Stands::Off | Stands::Unclear) => Some(Side::Gateway),
            (_, _, Stands::Off | Stands::Unclear) => Some(Side::CannotTell),
            (_, _, Stands::Fine) => None,
        },
        (Some(h), None) => (stands(h) == Stands::Off).then_some(Side::Host),
        (None, Some(r)) => (stands(r) != Stands::Fine).then_some(Side::CannotTell),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every offset of an interval lies within a minute of `k` quarter hours.
    fn all_near(i: &Interval, k: i64) -> bool {
        [i.lo_ms, i.hi_ms].iter().all(|x| (x - k * QUARTER_MS).abs() <= ZONE_RESIDUE_MS)
    }

    proptest! {
        #[test]
        fn a_zone_is_seen_wherever_there_is_one_within_a_minute(k in 1_i64..=56, west: bool, from in -60_000_i64..=60_000, to in -60_000_i64..=60_000) {
            let k = if west { -k } else { k };
            let i = Interval::new(k * QUARTER_MS + from, k * QUARTER_MS + to);
            prop_assert_eq!(zone_like(&i).map(i64::from), Some(k * 15));
        }

        #[test]
        fn what_reads_as_a_zone_is_one_and_its_mirror_is_the_opposite_one(lo in -60_000_000_i64..60_000_000, width in 0_i64..200_000) {
            let i = Interval::new(lo, lo + width);
            let mirror = Interval::new(-i.hi_ms, -i.lo_ms);
            prop_assert_eq!(zone_like(&mirror), zone_like(&i).map(|m| -m));
            match zone_like(&i) {
                Some(minutes) => {
                    prop_assert!(minutes != 0 && minutes % 15 == 0 && minutes.abs() <= 14 * 60);
                    prop_assert!(all_near(&i, i64::from(minutes / 15)));
                }
                None => prop_assert!(!(1..=56).any(|k| all_near(&i, k) || all_near(&i, -k))),
            }
        }

        #[test]
        fn an_open_interval_is_no_zone(lo: i64) {
            prop_assert_eq!(zone_like(&Interval { lo_ms: lo, hi_ms: super::super::sample::OPEN }), None);
        }
    }
}
