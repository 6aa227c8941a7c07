//! One measurement of one clock, as an interval that contains the truth.

use crate::domain::{Clean, GatewayId, Stamp};
use serde::{Deserialize, Serialize};

/// Whose clock is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// This host, against a reference.
    Host,
    /// The gateway, against this host.
    Gateway,
}

/// How it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The `Date` header of the gateway's answers.
    Date,
    /// SNTP.
    Ntp,
    /// The kernel's own view of its discipline.
    Kernel,
    /// Build time and last verified time.
    Floor,
    /// The platform's own time.
    ServerTime,
    /// What a time daemon on this host says (chrony, timesyncd): detail, never an offset of its own.
    Daemon,
    /// The gateway's timezone: local time minus UTC as it shows it. Never part of a skew.
    ZoneLabel,
}

/// Offsets in milliseconds; the truth lies in `lo..=hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Smallest possible offset.
    pub lo_ms: i64,
    /// Largest possible offset.
    pub hi_ms: i64,
}

/// Stands for "no bound" in [`Interval::hi_ms`]: the build floor knows only how far a clock is off at the least.
pub const OPEN: i64 = i64::MAX;

impl Interval {
    /// The interval between two offsets, whichever is smaller first.
    pub const fn new(lo_ms: i64, hi_ms: i64) -> Self {
        if lo_ms <= hi_ms { Self { lo_ms, hi_ms } } else { Self { lo_ms: hi_ms, hi_ms: lo_ms } }
    }
    /// The largest absolute offset that it allows, in milliseconds.
    pub const fn max_abs(&self) -> i64 {
        let (a, b) = (self.lo_ms.saturating_abs(), self.hi_ms.saturating_abs());
        if a > b { a } else { b }
    }
    /// The smallest absolute offset that it allows, in milliseconds; zero when it contains zero.
    pub const fn min_abs(&self) -> i64 {
        if self.lo_ms <= 0 && self.hi_ms >= 0 {
            0
        } else {
            let (a, b) = (self.lo_ms.saturating_abs(), self.hi_ms.saturating_abs());
            if a < b { a } else { b }
        }
    }
    /// Its middle, in milliseconds; its known end when it has no bound.
    pub const fn mid(&self) -> i64 {
        if self.is_open() { self.lo_ms } else { self.lo_ms.midpoint(self.hi_ms) }
    }
    /// Half its width, in milliseconds.
    pub const fn half(&self) -> i64 {
        self.hi_ms.saturating_sub(self.lo_ms) / 2
    }
    /// True when it has no upper bound.
    pub const fn is_open(&self) -> bool {
        self.hi_ms == OPEN
    }
    /// Both ends moved outwards by `by_ms`: what age does to a measurement.
    #[must_use]
    pub const fn widened(&self, by_ms: i64) -> Self {
        Self { lo_ms: self.lo_ms.saturating_sub(by_ms), hi_ms: self.hi_ms.saturating_add(by_ms) }
    }
    /// Every difference `x − y` with `x` in `self` and `y` in `other`.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self { lo_ms: self.lo_ms.saturating_sub(other.hi_ms), hi_ms: self.hi_ms.saturating_sub(other.lo_ms) }
    }
    /// True when `offset_ms` lies in it.
    pub const fn contains(&self, offset_ms: i64) -> bool {
        self.lo_ms <= offset_ms && offset_ms <= self.hi_ms
    }
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The gateway that it is about; `None` for this host.
    pub gateway: Option<GatewayId>,
    /// Whose clock.
    pub subject: Subject,
    /// How.
    pub by: By,
    /// `subject − reference`: for a gateway, gateway minus host (positive: the gateway is ahead); for the host, reference minus host.
    /// `None`: the source was asked and gave nothing usable.
    pub interval: Option<Interval>,
    /// When, on our clocks.
    pub at: Stamp,
    /// How many probes it joins.
    pub probes: u32,
    /// Detail or the reason why nothing usable came (`cached`, `no Date header`, `synced, max error 1.2 ms`).
    pub detail: Clean,
    /// The server or daemon that was asked, where there are several.
    #[serde(default)]
    pub server: Option<Clean>,
}
