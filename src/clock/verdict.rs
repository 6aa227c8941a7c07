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
    /// The gateway's `Date` stands still or comes from a cache.
    DateUnusable,
    /// The gateway sends no `Date`.
    NoDate,
    /// It was not asked yet.
    NotAsked,
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
